"""What the statuses of a bot add to the metrics."""

from typing import Any

import pytest
from meetingbots.bots.reconcile.observer import TokenCount, join_to_recording, recording_outcome, token_counts
from meetingbots.models.bot import BotStatus

from tests.unit.bots.bot_builders import POD, at, bot, staged

STARTED = {"startTime": at(3).isoformat()}


def seen(state: str, *, source: str = "Bot", **times: float) -> dict[str, Any]:
    moments = {field: at(seconds).isoformat() for field, seconds in times.items()}
    return {"inMeeting": {"state": state, "source": source, "since": at(9).isoformat(), **moments}}


def status(**fields: Any) -> BotStatus:
    return bot(status=fields).status


def test_the_tokens_of_a_delivery_are_counted_once() -> None:
    given = staged(tokens=["LocalRecording", "LiveStreaming"])
    token = {"kinds": ["LocalRecording"], "deliveredTime": at(2).isoformat(), "reason": "ScopesMissing"}
    after = status(phase="Joining", podName=POD, token=token)
    assert token_counts(given, after) == [
        TokenCount("LocalRecording", "issued", ""),
        TokenCount("LiveStreaming", "missing", "ScopesMissing"),
    ]
    assert token_counts(staged(status={"podName": POD, "token": token}), after) == []
    assert token_counts(given, status(phase="Staging", token={"reason": "NoMapping"})) == []


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({**STARTED, **seen("left", admittedTime=5, recordingTime=6)}, "recorded"),
        ({**STARTED, **seen("recording_denied", admittedTime=5)}, "denied"),
        ({**STARTED, **seen("left", admittedTime=5)}, "not_recorded"),
        ({**STARTED, **seen("left", source="Zoom", admittedTime=5)}, "not_reported"),
        ({**STARTED, **seen("waiting_room", source="Zoom", waitingRoomTime=5)}, "not_admitted"),
        (STARTED, "not_reported"),
        ({}, "not_started"),
    ],
)
def test_the_outcome_of_a_finished_bot(fields: dict[str, Any], outcome: str) -> None:
    after = status(phase="Failed", **fields)
    assert recording_outcome(staged(), after) == outcome
    assert recording_outcome(bot(status={"phase": "Failed"}), after) is None
    assert recording_outcome(staged(), status(phase="Expired")) is None
    assert recording_outcome(staged(), status(phase="Running", **fields)) is None


def test_the_first_recording_is_measured_from_the_join_time() -> None:
    after = status(phase="Running", **STARTED, **seen("recording", recordingTime=7))
    assert join_to_recording(bot(joinAt=at(2).isoformat()), after) == 5
    assert join_to_recording(bot(status=after.to_dict()), after) is None
    assert join_to_recording(bot(), status(phase="Running")) is None
