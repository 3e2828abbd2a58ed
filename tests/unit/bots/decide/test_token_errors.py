from datetime import timedelta

import pytest
from meetingbots.bots.decide.tokens import Refusal, explain, refusal_of
from meetingbots.models.bot import BotReason, TokenKind
from meetingbots.zoom.errors import Cause, PermanentError, TransientError

from tests.unit.bots.bot_builders import NOW


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (Cause.LOCAL_RECORDING_DISABLED, BotReason.LOCAL_RECORDING_DISABLED),
        (Cause.FEATURE_DISABLED, BotReason.LOCAL_RECORDING_DISABLED),
        (Cause.MEETING_NOT_FOUND, BotReason.MEETING_NOT_FOUND),
        (Cause.INVALID_MEETING, BotReason.MEETING_NOT_FOUND),
        (Cause.IS_WEBINAR, BotReason.INVALID_MEETING),
        (Cause.IS_MEETING, BotReason.INVALID_MEETING),
        (Cause.NOT_THE_HOST, BotReason.NOT_THE_HOST),
        (Cause.NO_PERMISSION, BotReason.NOT_THE_HOST),
        (Cause.SCOPES_MISSING, BotReason.SCOPES_MISSING),
        (Cause.USER_INACTIVE, BotReason.CREDENTIAL_NOT_READY),
        (Cause.USER_NOT_FOUND, BotReason.CREDENTIAL_NOT_READY),
        (Cause.WRONG_TOKEN_KIND, BotReason.CREDENTIAL_NOT_READY),
    ],
)
def test_definite_answers(cause: Cause, reason: BotReason) -> None:
    refusal = refusal_of("alice", TokenKind.LOCAL_RECORDING, PermanentError(cause, message="no"), now=NOW)
    assert (refusal.reason, refusal.transient, refusal.credential) == (reason, False, "alice")
    assert refusal.message == "LocalRecording: no"


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (Cause.RATE_LIMITED, BotReason.RATE_LIMITED),
        (Cause.UNAVAILABLE, BotReason.ZOOM_UNAVAILABLE),
        (Cause.UNKNOWN, BotReason.ZOOM_UNAVAILABLE),
        (Cause.TOKEN_EXPIRED, BotReason.CREDENTIAL_NOT_READY),
    ],
)
def test_passing_answers(cause: Cause, reason: BotReason) -> None:
    refusal = refusal_of("alice", TokenKind.ZAK, TransientError(cause, message="later"), now=NOW)
    assert (refusal.reason, refusal.transient) == (reason, True)


def test_a_person_who_is_not_there_yet_may_come() -> None:
    error = PermanentError(Cause.USER_NOT_IN_MEETING, message="not in the meeting")
    refusal = refusal_of("bob", TokenKind.ON_BEHALF, error, now=NOW)
    assert (refusal.reason, refusal.transient) == (BotReason.USER_NOT_IN_MEETING, True)


def test_when_zoom_says_when() -> None:
    error = TransientError(Cause.RATE_LIMITED, message="slow down", retry_after=7.0)
    assert refusal_of("alice", TokenKind.ZAK, error, now=NOW).retry_at == NOW + timedelta(seconds=7)


def test_the_trail_in_words() -> None:
    trail = [
        Refusal("alice", BotReason.NOT_THE_HOST, "LocalRecording: not the host", transient=False),
        Refusal("bob", BotReason.ZOOM_UNAVAILABLE, "LocalRecording: away.", transient=True),
    ]
    words = explain(trail, origins={"alice": "Host"})
    assert words == "alice (Host): LocalRecording: not the host. bob (named): LocalRecording: away."
