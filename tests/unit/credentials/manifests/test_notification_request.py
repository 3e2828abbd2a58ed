from __future__ import annotations

import json

import pytest
from meetingbots.credentials.decide.notifications import NEEDS_USER, NoticeType, notice_for, notice_message
from meetingbots.models.credential import CredentialReason

from tests.unit.credentials.decide.credential_cases import credential


def with_ready(status: str, reason: str, *, sent: tuple[str, str] | None = None, **more: object) -> dict[str, object]:
    condition = {
        "type": "Ready",
        "status": status,
        "reason": reason,
        "message": "In words.",
        "lastTransitionTime": "2026-11-24T11:00:00Z",
    }
    known = {"lastNotification": {"type": sent[0], "reason": sent[1]}} if sent else {}
    return {"conditions": [condition], **known, **more}


@pytest.mark.parametrize(
    ("status", "reason", "sent", "wanted"),
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
def test_the_notice_of_a_change(
    status: str, reason: str, sent: tuple[str, str] | None, wanted: NoticeType | None
) -> None:
    notice = notice_for(credential(status=with_ready(status, reason, sent=sent)))
    assert (notice.type if notice else None) == wanted


def test_no_notice_before_the_first_reconciliation() -> None:
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
    body = json.loads(notice_message(notice, credential=needy).body)
    assert body["type"] == "credential.needs_user"
    assert body["timestamp"] == "2026-11-24T11:00:00Z"
    data = body["data"]
    assert (data["namespace"], data["name"], data["reason"]) == ("team", "alice", "Deauthorized")
    assert data["connectURL"] == "https://x/connect"
    assert "a@b.test" not in str(body)
    healthy = credential(status=with_ready("True", "TokenValid", connectURL="https://x/connect"))
    notice = notice_for(healthy)
    assert notice is not None
    assert "connectURL" not in json.loads(notice_message(notice, credential=healthy).body)["data"]


def test_the_id_is_the_changes() -> None:
    first = credential(status=with_ready("False", "Deauthorized"))
    notice = notice_for(first)
    other = notice_for(credential(status=with_ready("False", "UserMismatch")))
    assert notice is not None
    assert other is not None
    assert notice_message(notice, credential=first).id == notice_message(notice, credential=first).id
    assert notice_message(notice, credential=first).id != notice_message(other, credential=first).id
