from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meetingbots.zoom.webhooks.parser import encrypted_token, sign, timestamp_age, verify
from pydantic import SecretStr

OLD, NEW = SecretStr("old-webhook-secret"), SecretStr("new-webhook-secret")
STAMP = "1795521600"
BODY = b'{"event":"meeting.started"}'


def test_a_signature_computed_by_hand() -> None:
    # printf 'v0:1795521600:{"event":"meeting.started"}' | openssl dgst -sha256 -hmac old-webhook-secret
    assert (
        sign(OLD, timestamp=STAMP, body=BODY) == "v0=22d2b1dc226df614474d991ecb189f6e7cf8a3685456686e00a0721f89aac0f0"
    )
    # printf abc | openssl dgst -sha256 -hmac old-webhook-secret
    assert encrypted_token(OLD, plain_token="abc") == "5fc13a9486bd37bb65c433825da323c96d8a16edff0ba3d79c78b5812e2cb4e6"


@given(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1), st.binary())
def test_against_an_independent_computation(secret: str, body: bytes) -> None:
    right = hmac.new(secret.encode(), f"v0:{STAMP}:".encode() + body, hashlib.sha256).hexdigest()
    assert verify([SecretStr(secret)], timestamp=STAMP, signature=f"v0={right}", body=body) == SecretStr(secret)


@pytest.mark.parametrize("signed_with", [OLD, NEW])
def test_both_secrets_of_a_rotation(signed_with: SecretStr) -> None:
    signature = sign(signed_with, timestamp=STAMP, body=BODY)
    assert verify([NEW, OLD], timestamp=STAMP, signature=signature, body=BODY) == signed_with


def test_a_copied_line_end_does_no_harm() -> None:
    signature = sign(OLD, timestamp=STAMP, body=BODY)
    assert verify([SecretStr("old-webhook-secret\n")], timestamp=STAMP, signature=signature, body=BODY) is not None


GOOD = sign(OLD, timestamp=STAMP, body=BODY)


@pytest.mark.parametrize(
    ("secrets", "stamp", "signature", "body"),
    [
        ([NEW], STAMP, GOOD, BODY),
        ([], STAMP, GOOD, BODY),
        ([OLD], "1795521601", GOOD, BODY),
        ([OLD], STAMP, GOOD, BODY + b" "),
        ([OLD], STAMP, GOOD.upper(), BODY),
        ([OLD], STAMP, GOOD.removeprefix("v0="), BODY),
        ([OLD], STAMP, "", BODY),
        ([OLD], STAMP, "v0=ünsinn\udcff", BODY),
        ([OLD], "\udcff", GOOD, BODY),
        ([SecretStr("")], STAMP, sign(SecretStr(""), timestamp=STAMP, body=BODY), BODY),
        ([SecretStr(" \n")], STAMP, sign(SecretStr(""), timestamp=STAMP, body=BODY), BODY),
    ],
)
def test_forgeries(secrets: list[SecretStr], stamp: str, signature: str, body: bytes) -> None:
    assert verify(secrets, timestamp=stamp, signature=signature, body=body) is None


@pytest.mark.parametrize(
    ("timestamp", "age"),
    [
        ("1795521600", timedelta()),
        ("1795521300", timedelta(minutes=5)),
        ("1795521610", timedelta(seconds=-10)),
        ("1795521600000", None),
        ("", None),
        ("-5", None),
        ("1e9", None),
        ("١٢٣", None),
    ],
)
def test_age(timestamp: str, age: timedelta | None) -> None:
    assert timestamp_age(timestamp, now=datetime(2026, 11, 24, 12, tzinfo=UTC)) == age
