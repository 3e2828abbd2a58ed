"""Values of Secrets."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meetingbots.kube.secrets import (
    SecretValueError,
    decode_bytes,
    decode_text,
    encode,
    encode_data,
    secret_value,
    value_of,
)

from tests.unit.bots.reconcile.bot_harness import BotHarness


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


def secret(**data: str) -> dict[str, Any]:
    return {"metadata": {"name": "links"}, "data": data}


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def test_blanks_and_newlines_around_a_value_are_cut() -> None:
    assert value_of(secret(url=encoded(b" \thush pass\r\n")), key="url").get_secret_value() == "hush pass"


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (secret(other=encoded(b"x")), "Secret links has no key url."),
        ({"metadata": {"name": "links"}}, "Secret links has no key url."),
        ({"metadata": {"name": "links"}, "data": None}, "Secret links has no key url."),
        (secret(url=encoded(b" \n")), "Key url of Secret links is empty."),
        (secret(url=""), "Key url of Secret links is empty."),
        (secret(url=encoded(b"\xff\xfehush")), "Key url of Secret links is not text."),
        (secret(url="hush!"), "Key url of Secret links is not text."),
    ],
)
def test_what_is_wrong_is_said_without_quoting(item: dict[str, Any], words: str) -> None:
    with pytest.raises(SecretValueError) as caught:
        value_of(item, key="url")
    assert str(caught.value) == words
    assert caught.value.__cause__ is None


async def test_a_secret_is_read_by_name() -> None:
    harness = BotHarness()
    harness.put_secret("links", url="hush\n")
    found = await secret_value(harness.cluster, namespace="team", name="links", key="url")
    assert found.get_secret_value() == "hush"
    with pytest.raises(SecretValueError, match=r"Secret other does not exist\."):
        await secret_value(harness.cluster, namespace="team", name="other", key="url")
    with pytest.raises(SecretValueError, match=r"Secret links does not exist\."):
        await secret_value(harness.cluster, namespace="elsewhere", name="links", key="url")
