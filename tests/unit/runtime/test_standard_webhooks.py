"""Signatures by Standard Webhooks, checked with its official library."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from meetingbots.runtime.standard_webhooks import (
    NotificationKeyError,
    WebhookMessage,
    message_body,
    signed_headers,
    signing_key,
)
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
RAW = b"0123456789abcdef0123456789abcdef"
SECRET = SecretStr("whsec_" + base64.b64encode(RAW).decode())


def test_signatures_as_the_specification_computes_them() -> None:
    body = b'{"type":"credential.ready"}'
    headers = signed_headers(WebhookMessage(id="msg_1", body=body), keys=[RAW, b"x" * 24], now=NOW)
    assert headers["webhook-id"] == "msg_1"
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    content = b"msg_1." + headers["webhook-timestamp"].encode() + b"." + body
    first, second = headers["webhook-signature"].split(" ")
    assert first == "v1," + base64.b64encode(hmac.new(RAW, content, hashlib.sha256).digest()).decode()
    assert second.startswith("v1,")
    assert second != first


def test_the_official_library_verifies_each_of_two_signatures() -> None:
    message = WebhookMessage(id="msg_1", body=message_body("bot.done", at=NOW, data={"name": "standup"}))
    headers = dict(signed_headers(message, keys=[RAW, b"x" * 24], now=datetime.now(UTC)))
    for key in (RAW, b"x" * 24):
        verified = Webhook(base64.b64encode(key).decode()).verify(message.body, headers)
        assert verified == {"type": "bot.done", "timestamp": "2026-11-24T12:00:00Z", "data": {"name": "standup"}}
    with pytest.raises(WebhookVerificationError):
        Webhook(base64.b64encode(b"y" * 24).decode()).verify(message.body, headers)


def test_the_specifications_own_example() -> None:
    # Standard Webhooks, reference libraries' test vector.
    key = signing_key(SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    content = b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    signature = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    assert signature == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_keys() -> None:
    assert signing_key(SECRET) == RAW
    assert signing_key(SecretStr(f" {SECRET.get_secret_value()}\n")) == RAW
    assert signing_key(SecretStr(base64.b64encode(RAW).decode())) == RAW
    for bad in ("whsec_!!", "whsec_" + base64.b64encode(b"short").decode(), "hush hush"):
        with pytest.raises(NotificationKeyError) as caught:
            signing_key(SecretStr(bad))
        assert bad not in str(caught.value)
