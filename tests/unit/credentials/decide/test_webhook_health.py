from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from meetingbots.credentials.decide.webhook_health import LONGEST_SILENCE, silence, webhook_url
from meetingbots.models.conditions import Condition, ConditionStatus, find
from meetingbots.models.credential import ZoomCredential

from tests.unit.credentials.decide.credential_cases import credential

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PUBLIC = "https://bots.example.test/zoom/"


def heard(before: timedelta | None, *, created: timedelta | None = None, **status: Any) -> ZoomCredential:
    if before is not None:
        status["lastWebhookTime"] = (NOW - before).isoformat()
    found = credential(status=status)
    moment = NOW - created if created is not None else None
    return found.model_copy(update={"metadata": found.metadata.model_copy(update={"creation_timestamp": moment})})


def told(known: ZoomCredential, *, client_id: str = "client-one", now: datetime = NOW) -> Condition | None:
    conditions = silence(known, client_id=client_id, public_url=PUBLIC, now=now)
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
    assert (told(heard(before, created=created)) is not None) is silent


def test_the_message_has_the_address_to_set() -> None:
    condition = told(heard(timedelta(days=5)))
    assert condition is not None
    assert (condition.status, condition.reason) == (ConditionStatus.FALSE, "NothingReceived")
    assert "https://bots.example.test/zoom/webhooks/client-one " in condition.message
    assert "for more than three days" in condition.message
    never = told(heard(None, created=timedelta(days=5)))
    assert never is not None
    assert "arrived yet" in never.message


def test_it_is_told_once_and_again_when_the_address_changes() -> None:
    conditions = silence(heard(timedelta(days=5)), client_id="client-one", public_url=PUBLIC, now=NOW)
    assert conditions is not None
    known = heard(timedelta(days=5), conditions=[one.to_dict() for one in conditions])
    later = NOW + timedelta(hours=1)
    assert told(known, now=later) is None
    changed = told(known, client_id="client-two", now=later)
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
    conditions = silence(
        heard(timedelta(days=5), conditions=[ready]), client_id="client-one", public_url=PUBLIC, now=NOW
    )
    assert conditions is not None
    assert [one.type for one in conditions] == ["Ready", "WebhookReceiving"]


def test_what_is_not_known_is_put_in_words() -> None:
    assert webhook_url("", public_url="") == "https://<public address of the receiver>/webhooks/<client ID of the app>"
