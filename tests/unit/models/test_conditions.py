from datetime import UTC, datetime, timedelta

import pytest
from meetingbots.models.conditions import (
    MAX_MESSAGE,
    Condition,
    ConditionStatus,
    ConditionType,
    find,
    remove,
    set_condition,
)
from pydantic import ValidationError

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)


def ready(status: ConditionStatus | bool, *, now: datetime, old: list[Condition], reason: str = "R") -> list[Condition]:
    return set_condition(
        old, type=ConditionType.READY, status=status, reason=reason, message="m", generation=7, now=now
    )


def test_a_new_condition_is_put_at_the_end() -> None:
    conditions = ready(True, now=NOON, old=[])
    conditions = set_condition(
        conditions, type="TokenIssued", status=False, reason="NoMapping", message="", generation=None, now=LATER
    )

    assert [condition.to_dict() for condition in conditions] == [
        {
            "type": "Ready",
            "status": "True",
            "reason": "R",
            "message": "m",
            "lastTransitionTime": "2026-11-24T12:00:00Z",
            "observedGeneration": 7,
        },
        {
            "type": "TokenIssued",
            "status": "False",
            "reason": "NoMapping",
            "message": "",
            "lastTransitionTime": "2026-11-24T12:05:00Z",
        },
    ]


def test_the_transition_time_moves_with_the_status_only() -> None:
    first = ready(True, now=NOON, old=[])

    assert ready(True, now=LATER, old=first, reason="Other")[0].last_transition_time == NOON
    assert ready(True, now=LATER, old=first, reason="Other")[0].reason == "Other"
    assert ready(False, now=LATER, old=first)[0].last_transition_time == LATER
    assert ready(ConditionStatus.UNKNOWN, now=LATER, old=first)[0].last_transition_time == LATER


def test_what_is_given_stays_as_it_is() -> None:
    first = ready(True, now=NOON, old=[])
    ready(False, now=LATER, old=first)

    assert first[0].status is ConditionStatus.TRUE
    assert ready(True, now=LATER, old=first) == first  # nothing changed, so nothing needs writing


def test_order_is_kept_and_types_stay_unique() -> None:
    conditions = ready(True, now=NOON, old=[])
    conditions = set_condition(conditions, type="Stalled", status=True, reason="R", message="", generation=1, now=NOON)
    conditions = ready(False, now=LATER, old=conditions)

    assert [condition.type for condition in conditions] == ["Ready", "Stalled"]


def test_find_and_remove() -> None:
    conditions = ready(True, now=NOON, old=[])

    assert find(conditions, ConditionType.READY) is conditions[0]
    assert find(conditions, "Stalled") is None
    assert remove(conditions, "Ready") == []
    assert remove(conditions, "Stalled") == conditions


def test_a_message_that_is_too_long_is_shortened() -> None:
    [condition] = set_condition([], type="Ready", status=True, reason="R", message="m" * 40_000, generation=1, now=NOON)

    assert len(condition.message) == MAX_MESSAGE
    assert condition.message.endswith("m…")


@pytest.mark.parametrize("reason", ["", "two words", "ends-with-", "1st"])
def test_reasons_that_the_api_server_would_refuse_are_refused_here(reason: str) -> None:
    with pytest.raises(ValidationError):
        ready(True, now=NOON, old=[], reason=reason)
