from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from meetingbots.credentials.decide.webhook_health import LONGEST_SILENCE, WebhookApp, webhook_health, webhook_url
from meetingbots.models.conditions import Condition, ConditionStatus, find
from meetingbots.models.credential import ZoomCredential

from tests.unit.credentials.decide.credential_cases import credential

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PUBLIC = "https://bots.example.test/zoom/"
APP = WebhookApp(client_id="client-one", public_url=PUBLIC)


def heard(before: timedelta | None, *, created: timedelta | None = None, **status: Any) -> ZoomCredential:
    if before is not None:
        status["lastWebhookTime"] = (NOW - before).isoformat()
    found = credential(status=status)
    moment = NOW - created if created is not None else None
    return found.model_copy(update={"metadata": found.metadata.model_copy(update={"creation_timestamp": moment})})


def health(known: ZoomCredential, *, client_id: str = "client-one", now: datetime = NOW) -> Condition | None:
    conditions = webhook_health(known, WebhookApp(client_id=client_id, public_url=PUBLIC), now=now)
    return None if conditions is None else find(conditions, "WebhookReceiving")


@pytest.mark.parametrize(
    ("before", "created", "silent"),
    [
        (timedelta(hours=72), timedelta(days=30), False),
        (LONGEST_SILENCE, timedelta(days=30), False),
        (LONGEST_SILENCE + timedelta(seconds=1), timedelta(days=30), True),
        (None, timedelta(hours=72), False),
        (None, LONGEST_SILENCE + timedelta(seconds=1), True),
        (None, None, False),
    ],
)
def test_silence_longer_than_zooms_validation(
    before: timedelta | None, created: timedelta | None, silent: bool
) -> None:
    condition = health(heard(before, created=created))
    assert (condition is not None and condition.status is ConditionStatus.FALSE) is silent


def shown(status: str, reason: str) -> dict[str, str]:
    return {
        "type": "WebhookReceiving",
        "status": status,
        "reason": reason,
        "message": "as the receiver wrote it",
        "lastTransitionTime": "2026-11-24T11:00:00Z",
    }


def test_it_is_unknown_from_the_first_minute() -> None:
    condition = health(heard(None, created=timedelta(seconds=1)))
    assert condition is not None
    assert (condition.status, condition.reason) == (ConditionStatus.UNKNOWN, "NothingReceived")
    assert "https://bots.example.test/zoom/webhooks/client-one " in condition.message
    unsigned = WebhookApp(client_id="client-one", public_url=PUBLIC, secret_name="zoom-app")
    conditions = webhook_health(heard(None, created=timedelta(seconds=1)), unsigned, now=NOW)
    assert conditions is not None
    assert "Secret zoom-app has no key webhook_secret_token" in conditions[-1].message


@pytest.mark.parametrize("before", [None, timedelta(days=5)])
@pytest.mark.parametrize(("status", "reason"), [("True", "Receiving"), ("False", "SignatureInvalid")])
def test_the_receivers_condition_is_not_replaced_by_unknown(status: str, reason: str, before: timedelta | None) -> None:
    known = heard(before, created=timedelta(hours=1), conditions=[shown(status, reason)])
    condition = health(known)
    silent = before is not None and reason == "Receiving"
    assert (condition is not None) is silent, "only silence replaces True, and nothing replaces SignatureInvalid"


def test_the_message_has_the_address_to_set() -> None:
    condition = health(heard(timedelta(days=5)))
    assert condition is not None
    assert (condition.status, condition.reason) == (ConditionStatus.FALSE, "NothingReceived")
    assert "https://bots.example.test/zoom/webhooks/client-one " in condition.message
    assert "for more than three days" in condition.message
    never = health(heard(None, created=timedelta(days=5)))
    assert never is not None
    assert "arrived yet" in never.message


def test_the_condition_changes_once_and_again_with_the_address() -> None:
    conditions = webhook_health(heard(timedelta(days=5)), APP, now=NOW)
    assert conditions is not None
    known = heard(timedelta(days=5), conditions=[one.to_dict() for one in conditions])
    later = NOW + timedelta(hours=1)
    assert health(known, now=later) is None
    changed = health(known, client_id="client-two", now=later)
    assert changed is not None
    assert changed.last_transition_time == NOW


def test_other_conditions_stay() -> None:
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "TokenValid",
        "message": "",
        "lastTransitionTime": "2026-11-24T11:00:00Z",
    }
    conditions = webhook_health(heard(timedelta(days=5), conditions=[ready]), APP, now=NOW)
    assert conditions is not None
    assert [one.type for one in conditions] == ["Ready", "WebhookReceiving"]


def test_what_is_not_known_is_put_in_words() -> None:
    assert webhook_url("", public_url="") == "https://<public address of the receiver>/webhooks/<client ID of the app>"
