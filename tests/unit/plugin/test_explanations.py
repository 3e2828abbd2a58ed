"""The plugin's explanations: every reason has a remedy, and the story has its parts in order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from meetingbots.models.bot import BotPhase, BotReason, MeetingBot
from meetingbots.models.credential import CredentialReason, ZoomCredential
from meetingbots.models.mapping import MeetingMapping
from meetingbots.plugin import why_bot, why_credential
from meetingbots.plugin.answer import OF_BOTS, OF_CREDENTIALS, OF_PHASES
from meetingbots.plugin.bot_request import BotRequest, manifest
from meetingbots.plugin.reader import BotStory, CredentialStory, MeetingStory, Occurrence
from meetingbots.plugin.why_bot import timeline

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


def ready(status: str, reason: str, message: str = "") -> list[dict[str, Any]]:
    time = "2030-01-01T12:00:00Z"
    return [{"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": time}]


def bot(**status: Any) -> MeetingBot:
    metadata = {"name": "notes", "namespace": "acme", "uid": "u", "creationTimestamp": "2030-01-01T11:50:00Z"}
    spec = {"meeting": {"id": "81234567890"}, "joinAt": "2030-01-01T12:00:00Z"}
    return MeetingBot.from_object({"metadata": metadata, "spec": spec, "status": status})


def credential(name: str = "alice", **status: Any) -> ZoomCredential:
    spec = {"appSecretRef": {"name": "zoom-app"}, "grant": {"connect": {}}}
    return ZoomCredential.from_object({"metadata": {"name": name, "namespace": "acme"}, "spec": spec, "status": status})


def mapping(**status: Any) -> MeetingMapping:
    meeting = "81234567890"
    return MeetingMapping.from_object(
        {"metadata": {"name": meeting, "namespace": "acme"}, "spec": {"meetingId": meeting}, "status": status}
    )


def test_every_reason_and_phase_has_a_remedy() -> None:
    assert set(OF_BOTS) == set(BotReason)
    assert set(OF_PHASES) == set(BotPhase)
    assert set(OF_CREDENTIALS) == set(CredentialReason)


@pytest.mark.parametrize("reason", BotReason)
def test_a_bot_with_a_reason_gets_its_cause_and_remedy(reason: BotReason) -> None:
    answer = why_bot.explain(BotStory(bot=bot(phase="Failed", conditions=ready("False", reason, "The cause."))))
    assert (answer.cause, answer.remedy, answer.well) == ("The cause.", OF_BOTS[reason], False)


@pytest.mark.parametrize("reason", CredentialReason)
def test_a_credential_with_a_reason_gets_its_cause_and_remedy(reason: CredentialReason) -> None:
    story = CredentialStory(credential=credential(conditions=ready("False", reason, "The cause.")))
    answer = why_credential.explain(story)
    assert answer.cause == "The cause."
    assert answer.remedy == OF_CREDENTIALS[reason].replace("CREDENTIAL", "alice")


def test_an_object_that_the_operator_has_not_seen_says_so() -> None:
    assert "not processed" in why_bot.explain(BotStory(bot=bot())).cause
    answer = why_credential.explain(CredentialStory(credential=credential()))
    assert "not processed" in answer.cause
    assert "doctor" in answer.remedy


def test_a_meeting_names_who_can_create_a_token() -> None:
    found = {"credentials": [{"name": "alice", "role": "Host", "source": "Webhook"}]}
    good = credential(conditions=ready("True", "TokenValid"))
    bad = credential(conditions=ready("False", "WaitingForConsent"))
    stories = {
        "alice can create join tokens": MeetingStory(meeting_id="1", mapping=mapping(**found), credentials=(good,)),
        "None of its credentials is Ready: alice": MeetingStory(
            meeting_id="1", mapping=mapping(**found), credentials=(bad,)
        ),
        "No ZoomCredential is known": MeetingStory(meeting_id="1", credentials=(good,)),
    }
    for expected, story in stories.items():
        assert expected in why_credential.explain_meeting(story).cause


def test_the_timeline_is_in_order_and_relative_to_join_at() -> None:
    status = {"phase": "Running", "startTime": "2030-01-01T12:00:02Z", "inMeeting": {
        "state": "recording", "source": "Bot", "since": "2030-01-01T12:00:04Z",
        "admittedTime": "2030-01-01T12:00:03Z", "recordingTime": "2030-01-01T12:00:04Z",
    }}  # fmt: skip
    events = (Occurrence(datetime(2030, 1, 1, 11, 58, tzinfo=UTC), "Staging", "The Pod is created."),)
    assert timeline(BotStory(bot=bot(**status), events=events)) == [
        "   -10:00  MeetingBot created",
        "   -02:00  Staging: The Pod is created.",
        "   +00:00  joinAt",
        "   +00:02  container bot started",
        "   +00:03  admitted",
        "   +00:04  recording",
    ]


@pytest.mark.parametrize(
    ("token", "line"),
    [
        ({"kinds": ["LocalRecording"]}, "tokens delivered"),
        ({"kinds": [], "reason": "NoMapping"}, "no token: NoMapping"),
        ({"kinds": []}, "no token"),
    ],
)
def test_the_timeline_says_whether_a_bot_got_tokens(token: dict[str, object], line: str) -> None:
    status = {"phase": "Running", "token": {**token, "deliveredTime": "2030-01-01T12:00:01Z"}}
    assert f"   +00:01  {line}" in timeline(BotStory(bot=bot(**status)))


def test_the_same_request_has_the_same_name() -> None:
    request = BotRequest(link="https://zoom.us/j/81234567890?pwd=Secret.1", at=NOW, credential="alice")
    made = manifest(request, namespace="acme", now=datetime(2031, 1, 1, tzinfo=UTC))
    assert made == manifest(request, namespace="acme", now=NOW)
    assert MeetingBot.from_object(made).spec.join_at == NOW
    other = manifest(BotRequest(link=request.link), namespace="acme", now=datetime(2031, 1, 1, tzinfo=UTC))
    assert other["metadata"] != made["metadata"]
