from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from meetingbots.credentials.decide.notifications import NEEDS_USER, NoticeType, notice_for
from meetingbots.credentials.manifests.notification_request import (
    NotificationKeyError,
    notice_body,
    notice_id,
    signed_headers,
    signing_key,
)
from meetingbots.models.credential import CredentialReason
from pydantic import SecretStr

from tests.unit.credentials.decide.credential_cases import NOW, credential

RAW = b"0123456789abcdef0123456789abcdef"
SECRET = SecretStr("whsec_" + base64.b64encode(RAW).decode())


def with_ready(status: str, reason: str, *, told: tuple[str, str] | None = None, **more: object) -> dict[str, object]:
    condition = {
        "type": "Ready",
        "status": status,
        "reason": reason,
        "message": "In words.",
        "lastTransitionTime": "2026-11-24T11:00:00Z",
    }
    known = {"lastNotification": {"type": told[0], "reason": told[1]}} if told else {}
    return {"conditions": [condition], **known, **more}


@pytest.mark.parametrize(
    ("status", "reason", "told", "wanted"),
    [
        ("True", "TokenValid", None, NoticeType.READY),
        ("True", "TokenValid", ("credential.ready", "TokenValid"), None),
        ("True", "TokenValid", ("credential.needs_user", "Deauthorized"), NoticeType.READY),
        ("False", "Deauthorized", ("credential.ready", "TokenValid"), NoticeType.NEEDS_USER),
        ("False", "Deauthorized", ("credential.needs_user", "Deauthorized"), None),
        ("False", "UserMismatch", ("credential.needs_user", "WaitingForConsent"), NoticeType.NEEDS_USER),
        ("False", "ZoomUnavailable", None, None),
        ("False", "AppSecretMissing", ("credential.ready", "TokenValid"), None),
        ("False", "Suspended", None, None),
    ],
)
def test_what_is_told(status: str, reason: str, told: tuple[str, str] | None, wanted: NoticeType | None) -> None:
    notice = notice_for(credential(status=with_ready(status, reason, told=told)))
    assert (notice.type if notice else None) == wanted


def test_nothing_is_told_before_the_first_look() -> None:
    assert notice_for(credential(status={})) is None


def test_every_reason_that_asks_for_the_user_again() -> None:
    assert {
        reason for reason in CredentialReason if "CONSENT" in reason.name or "AUTHORIZ" in reason.name
    } <= NEEDS_USER


def test_body() -> None:
    needy = credential(
        status=with_ready("False", "Deauthorized", connectURL="https://x/connect", email="a@b.test", userId="u-1")
    )
    notice = notice_for(needy)
    assert notice is not None
    told = json.loads(notice_body(notice, credential=needy))
    assert told["type"] == "credential.needs_user"
    assert told["timestamp"] == "2026-11-24T11:00:00Z"
    data = told["data"]
    assert (data["namespace"], data["name"], data["reason"]) == ("team", "alice", "Deauthorized")
    assert data["connectURL"] == "https://x/connect"
    assert "a@b.test" not in str(told)
    healthy = credential(status=with_ready("True", "TokenValid", connectURL="https://x/connect"))
    notice = notice_for(healthy)
    assert notice is not None
    assert "connectURL" not in json.loads(notice_body(notice, credential=healthy))["data"]


def test_the_id_is_the_changes() -> None:
    first = credential(status=with_ready("False", "Deauthorized"))
    notice = notice_for(first)
    other = notice_for(credential(status=with_ready("False", "UserMismatch")))
    assert notice is not None
    assert other is not None
    assert notice_id(notice, credential=first) == notice_id(notice, credential=first)
    assert notice_id(notice, credential=first) != notice_id(other, credential=first)


def test_signatures_as_the_specification_computes_them() -> None:
    body = b'{"type":"credential.ready"}'
    headers = signed_headers(body, message_id="msg_1", keys=[RAW, b"x" * 24], now=NOW)
    assert headers["webhook-id"] == "msg_1"
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    content = b"msg_1." + headers["webhook-timestamp"].encode() + b"." + body
    first, second = headers["webhook-signature"].split(" ")
    assert first == "v1," + base64.b64encode(hmac.new(RAW, content, hashlib.sha256).digest()).decode()
    assert second.startswith("v1,")
    assert second != first


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
