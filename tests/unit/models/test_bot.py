from datetime import UTC, datetime
from typing import Any

import pytest
from meetingbots.models.base import ModelError
from meetingbots.models.bot import (
    Attempt,
    BotPhase,
    BotReason,
    BotStatus,
    MeetingBot,
    MeetingEndPolicy,
    MeetingKind,
    TokenDelivery,
    TokenKind,
    TokenPolicy,
    TokenStatus,
)

URL = "https://zoom.us/j/81234567890?pwd=hush"


def bot(*, meeting: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **spec: Any) -> MeetingBot:
    return MeetingBot.from_object(
        {
            "metadata": {"name": "standup", "namespace": "acme", "creationTimestamp": "2026-11-24T11:00:00Z"},
            "spec": {"meeting": {"url": URL} if meeting is None else meeting, **spec},
            "status": status,
        }
    )


def test_defaults() -> None:
    spec = bot().spec

    assert (spec.display_name, spec.token_policy, spec.token_wait_seconds) == ("Notetaker", TokenPolicy.PREFERRED, 20)
    assert (spec.bypass_waiting_room, spec.token_delivery) == (True, TokenDelivery.AT_START)
    assert (spec.lead_seconds, spec.start_deadline_seconds, spec.max_duration_seconds) == (120, 600, 14400)
    assert (spec.meeting_end_policy, spec.leave_after_meeting_end_seconds) == (MeetingEndPolicy.LEAVE, 60)
    assert (spec.retry.limit, spec.retry.backoff_seconds, spec.retry.never_on_exit_codes) == (2, 5, ())
    assert (spec.on_behalf.wait_seconds, spec.on_behalf.retry_seconds) == (900, 60)
    assert (spec.ttl_seconds_after_finished, spec.suspend, spec.template) == (None, False, None)
    assert bot().status == BotStatus()


def test_a_bot_without_join_at_joins_at_its_creation() -> None:
    assert bot().join_at == datetime(2026, 11, 24, 11, tzinfo=UTC)
    assert bot(joinAt="2026-11-24T12:00:00Z").join_at == datetime(2026, 11, 24, 12, tzinfo=UTC)
    with pytest.raises(ValueError, match="joinAt"):
        _ = MeetingBot.from_object({"spec": {"meeting": {"id": "81234567890"}}}).join_at


def test_defaulted_tokens_are_distinguished_from_given_ones() -> None:
    assert (bot().requested_tokens, bot().tokens_defaulted) == ((TokenKind.LOCAL_RECORDING,), True)
    same = bot(tokens=["LocalRecording"])
    assert (same.requested_tokens, same.tokens_defaulted) == ((TokenKind.LOCAL_RECORDING,), False)
    none = bot(tokens=[])
    assert (none.requested_tokens, none.tokens_defaulted) == ((), False)


def test_the_ways_to_name_a_meeting() -> None:
    by_id = bot(meeting={"id": "812 3456 7890", "passcodeSecretKeyRef": {"name": "m", "key": "p"}, "kind": "Webinar"})
    by_secret = bot(meeting={"urlSecretKeyRef": {"name": "m", "key": "url"}})

    assert bot().spec.meeting.url == URL
    assert by_id.spec.meeting.id == "812 3456 7890"
    assert by_id.spec.meeting.kind is MeetingKind.WEBINAR
    assert by_id.spec.meeting.passcode_secret_key_ref is not None
    assert by_secret.spec.meeting.url_secret_key_ref is not None
    assert by_secret.spec.meeting.url_secret_key_ref.key == "url"


@pytest.mark.parametrize("meeting", [{}, {"url": URL, "id": "81234567890"}])
def test_exactly_one_meeting(meeting: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="exactly one of url, id and urlSecretKeyRef") as caught:
        bot(meeting=meeting)
    assert "hush" not in str(caught.value)


def test_links_passcodes_and_templates_are_not_in_the_representation() -> None:
    template = {"spec": {"containers": [{"name": "bot", "env": [{"name": "KEY", "value": "hush"}]}]}}
    with_passcode = bot(meeting={"id": "81234567890", "passcode": "hush"}, template=template)

    assert "hush" not in repr(bot()) + repr(with_passcode)
    assert with_passcode.spec.template == template


def test_status_round_trip() -> None:
    status = BotStatus(
        phase=BotPhase.RUNNING,
        attempts=1,
        token=TokenStatus(
            kinds=[TokenKind.LOCAL_RECORDING], issued_time=datetime(2026, 11, 24, 12, 0, 0, 250000, tzinfo=UTC)
        ),
        last_attempt=Attempt(pod_name="standup-12345-0", exit_code=0, message="m" * 2000),
    )

    assert status.to_dict() == {
        "conditions": [],
        "phase": "Running",
        "attempts": 1,
        "infrastructureRestarts": 0,
        "token": {"kinds": ["LocalRecording"], "issuedTime": "2026-11-24T12:00:00Z"},
        "lastAttempt": {
            "podName": "standup-12345-0",
            "node": "",
            "reason": "",
            "message": "m" * 1023 + "…",
            "exitCode": 0,
        },
        "notifications": [],
    }
    assert bot(status={"phase": "Succeeded"}).status.phase is BotPhase.SUCCEEDED


def test_three_phases_are_the_last() -> None:
    assert {phase for phase in BotPhase if phase.finished} == {"Succeeded", "Failed", "Expired"}


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ({"kind": "Pod"}, "This object is not a MeetingBot."),
        ({"metadata": {}}, "This MeetingBot is not valid: spec is required."),
        ({"spec": "hush"}, "This MeetingBot is not valid: spec must be an object."),
        (
            {"spec": {"meeting": {"url": "x"}, "tokens": "hush"}},
            "This MeetingBot is not valid: spec.tokens must be a list.",
        ),
    ],
)
def test_objects_of_another_shape(obj: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        MeetingBot.from_object(obj)
    assert str(caught.value) == message


def test_reasons_are_those_of_the_contract() -> None:
    assert " ".join(BotReason) == (
        "NoMapping CredentialNotReady LocalRecordingDisabled MeetingNotFound NotTheHost ScopesMissing RateLimited "
        "ZoomUnavailable VanityLink InvalidMeeting ImagePullFailed Unschedulable ConfigError TemplateInvalid "
        "QuotaExceeded StartDeadlineExceeded MaxDurationExceeded NotAdmitted MeetingEnded BotFailed InfrastructureLost "
        "UserNotInMeeting Suspended"
    )
