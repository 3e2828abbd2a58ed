import pytest
from hypothesis import given
from hypothesis import strategies as st
from meetingbots.kube.secret_codec import decode_bytes, decode_text, encode, encode_data


@given(st.binary())
def test_bytes_come_back(value: bytes) -> None:
    assert decode_bytes(encode(value)) == value


@given(st.text(st.characters(codec="utf-8")))
def test_text_comes_back(value: str) -> None:
    assert decode_text(encode(value)) == value


def test_data_has_every_value() -> None:
    assert encode_data({"text": "aé", "raw": b"\x00"}) == {"text": "YcOp", "raw": "AA=="}


@pytest.mark.parametrize("encoded", [None, 7, "", "=", "a", "a===", "é", "YQ==\n", {"a": 1}])
def test_anything_but_base64_gives_no_bytes(encoded: object) -> None:
    assert decode_bytes(encoded) == (b"" if encoded == "" else None)


def test_bytes_that_are_not_utf8_give_no_text() -> None:
    assert decode_text(encode(b"\xff\xfe")) is None
