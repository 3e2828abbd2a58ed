"""Which notices a bot's status gives rise to, and in which order."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from meetingbots.bots.decide.notices import due_notices, with_accepted
from meetingbots.models.bot import MeetingBot

from tests.unit.bots.bot_builders import MEETING, POD, at, bot

LATER = at(600)
SECOND_POD = POD.removesuffix("1") + "2"


def condition(kind: str, reason: str, *, status: str = "True", since: float = 0) -> dict[str, Any]:
    changed = at(since).isoformat()
    return {"type": kind, "status": status, "reason": reason, "message": "In words.", "lastTransitionTime": changed}


def lived(phase: str, *, ready: str | None = None, **status: Any) -> MeetingBot:
    """A bot in its meeting, or after it."""
    known = condition("Ready", ready or phase, status="False" if phase == "Failed" else "True")
    return bot(status={"phase": phase, "meetingId": MEETING, "podName": POD, "conditions": [known], **status})


def seen(state: str, **times: float) -> dict[str, Any]:
    moments = {field: at(seconds).isoformat() for field, seconds in times.items()}
    return {"state": state, "source": "Bot", "since": at(9).isoformat(), **moments}


def delivered(seconds: float, **more: Any) -> dict[str, Any]:
    return {"kinds": ["LocalRecording"], "deliveredTime": at(seconds).isoformat(), **more}


def types(one: MeetingBot, *, now: datetime = LATER, since: datetime | None = None) -> list[str]:
    return [notice.type.value for notice in due_notices(one, now=now, webhook_created_at=since)]


def notified(one: MeetingBot, *, now: datetime = LATER) -> MeetingBot:
    """The bot after its webhook accepted everything that is due."""
    accepted = one.status.notifications
    for notice in due_notices(one, now=now):
        accepted = with_accepted(accepted, notice, now=now)
    return one.model_copy(update={"status": one.status.model_copy(update={"notifications": accepted})})


def test_the_life_of_a_bot_in_order() -> None:
    meeting = seen("left", waitingRoomTime=4, admittedTime=20, recordingTime=21, leftTime=50)
    one = lived("Succeeded", token=delivered(3), inMeeting=meeting, completionTime=at(55).isoformat())
    assert types(one) == [
        "bot.scheduled",
        "bot.joining",
        "bot.waiting",
        "bot.admitted",
        "bot.recording",
        "bot.done",
    ]
    assert types(notified(one)) == []


def test_a_clock_that_differs_does_not_reorder_joining_and_the_end() -> None:
    meeting = seen("recording", waitingRoomTime=1, admittedTime=70, recordingTime=70)
    one = lived("Failed", ready="BotFailed", token=delivered(3), inMeeting=meeting, completionTime=at(60).isoformat())
    assert types(one)[1:] == ["bot.joining", "bot.waiting", "bot.admitted", "bot.recording", "bot.failed"]


def test_a_bot_that_is_put_into_the_waiting_room_later_waits_after_its_admission() -> None:
    meeting = seen("waiting_room", admittedTime=5, recordingTime=6, waitingRoomTime=20)
    assert types(lived("Running", token=delivered(3), inMeeting=meeting))[2:] == [
        "bot.admitted",
        "bot.recording",
        "bot.waiting",
    ]


@pytest.mark.parametrize(
    ("phase", "reason", "wanted"),
    [
        ("Succeeded", "Succeeded", ("bot.done", "Succeeded")),
        ("Expired", "Expired", ("bot.done", "Expired")),
        ("Failed", "NotAdmitted", ("bot.failed", "NotAdmitted")),
    ],
)
def test_the_end_has_the_reason_of_ready(phase: str, reason: str, wanted: tuple[str, str]) -> None:
    last = due_notices(lived(phase, ready=reason, completionTime=at(5).isoformat()), now=LATER)[-1]
    assert (last.type, last.reason) == wanted
    assert last.message == "In words."


def test_joining_says_why_a_token_is_missing() -> None:
    one = lived("Joining", token={"deliveredTime": at(3).isoformat(), "reason": "NoMapping"})
    assert due_notices(one, now=LATER)[-1].reason == "NoMapping"


def test_each_attempt_joins_but_records_first_only_once() -> None:
    first = notified(lived("Running", token=delivered(3), inMeeting=seen("recording", admittedTime=5, recordingTime=6)))
    again = first.status.model_copy(update={"token": lived("Joining", token=delivered(90)).status.token})
    assert types(first.model_copy(update={"status": again})) == ["bot.joining"]


def test_an_earlier_time_that_arrives_late_repeats_nothing() -> None:
    early = lived("Running", token=delivered(3), inMeeting=seen("in_meeting", waitingRoomTime=9, admittedTime=9))
    known = notified(early)
    news = lived("Running", token=delivered(3), inMeeting=seen("in_meeting", waitingRoomTime=4, admittedTime=8))
    status = known.status.model_copy(update={"in_meeting": news.status.in_meeting})
    assert types(known.model_copy(update={"status": status})) == []


def test_a_bot_that_waits_for_its_user_says_so_before_it_joins() -> None:
    waits = {"waitingSince": at(2).isoformat()}
    assert types(lived("WaitingForUser", **waits)) == ["bot.scheduled", "bot.waiting"]
    due = due_notices(lived("WaitingForUser", **waits), now=LATER)
    assert due[-1].reason == "UserNotInMeeting"
    assert types(lived("Joining", token=delivered(30), **waits)) == ["bot.scheduled", "bot.joining"]


def test_a_later_attempt_joins_after_what_the_first_one_saw() -> None:
    meeting = seen("joining", waitingRoomTime=4, admittedTime=20)
    one = lived("Joining", token=delivered(100), inMeeting=meeting, podName=SECOND_POD)
    assert types(one) == ["bot.scheduled", "bot.waiting", "bot.admitted", "bot.joining"]


@pytest.mark.parametrize("status", [{}, {"phase": "Pending"}, {"phase": "Pending", "meetingId": MEETING}])
def test_a_bot_that_is_not_scheduled_yet_gives_no_notice(status: dict[str, Any]) -> None:
    assert types(bot(status=status)) == []


def test_facts_from_before_the_webhook_and_from_yesterday_are_left_out() -> None:
    one = lived("Running", token=delivered(400), inMeeting=seen("recording", admittedTime=410, recordingTime=410))
    assert types(one, since=at(600)) == ["bot.joining", "bot.admitted", "bot.recording"]
    assert types(one, since=at(6000), now=at(6000)) == []
    assert types(one, now=at(420) + timedelta(days=1)) == []
    assert types(one, since=at(1)) == ["bot.scheduled", "bot.joining", "bot.admitted", "bot.recording"]


def test_a_bot_that_was_suspended_for_days_is_scheduled_when_it_resumes() -> None:
    resumed = timedelta(days=3).total_seconds()
    ready = condition("Ready", "Scheduled", since=resumed)
    one = bot(status={"phase": "Scheduled", "meetingId": MEETING, "conditions": [ready]})
    assert types(one, now=at(resumed + 1)) == ["bot.scheduled"]
