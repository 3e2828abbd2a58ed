"""What `kubectl meetingbots` prints for an example of each command, from the plugin's own code."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from meetingbots.models.bot import MeetingBot
from meetingbots.models.crds import crds
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MeetingMapping
from meetingbots.plugin import why_bot, why_credential
from meetingbots.plugin.cluster_checks import clock_check, crd_check, quota_checks
from meetingbots.plugin.reader import BotStory, CredentialStory, Occurrence
from meetingbots.plugin.why_bot import timeline

from tests.tables.places import with_table

NOW: Final = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
_TIME: Final = "2030-01-01T12:00:00Z"
_MEETING: Final = "81234567890"


def _condition(kind: str, status: str, reason: str, message: str) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": _TIME}


def _bot(**status: Any) -> MeetingBot:
    metadata = {"name": "notes", "namespace": "acme", "uid": "u", "creationTimestamp": "2030-01-01T11:50:00Z"}
    spec = {"meeting": {"id": _MEETING}, "joinAt": _TIME}
    return MeetingBot.from_object({"metadata": metadata, "spec": spec, "status": {"meetingId": _MEETING, **status}})


def _credential(*conditions: dict[str, Any]) -> ZoomCredential:
    spec = {"appSecretRef": {"name": "zoom-app"}, "grant": {"connect": {}}}
    metadata = {"name": "alice", "namespace": "acme"}
    return ZoomCredential.from_object({"metadata": metadata, "spec": spec, "status": {"conditions": list(conditions)}})


def _mapping() -> MeetingMapping:
    found = {"credentials": [{"name": "alice", "role": "Host", "source": "Webhook"}]}
    metadata = {"name": _MEETING, "namespace": "acme"}
    return MeetingMapping.from_object({"metadata": metadata, "spec": {"meetingId": _MEETING}, "status": found})


RECORDING: Final = BotStory(
    bot=_bot(
        phase="Running",
        startTime="2030-01-01T12:00:01Z",
        credentialName="alice",
        token={"kinds": ["LocalRecording"], "issuedTime": _TIME, "deliveredTime": _TIME},
        conditions=[
            _condition("Ready", "True", "Running", "The bot runs in Pod notes-a7c09-1."),
            _condition("Admitted", "True", "Admitted", "In the meeting since 12:00:03 UTC."),
            _condition("Recording", "True", "Recording", "The bot reported recording at 12:00:04 UTC."),
        ],
        inMeeting={
            "state": "recording",
            "source": "Bot",
            "since": "2030-01-01T12:00:04Z",
            "admittedTime": "2030-01-01T12:00:03Z",
            "recordingTime": "2030-01-01T12:00:04Z",
        },
    ),
    mapping=_mapping(),
    credentials=(_credential(_condition("Ready", "True", "TokenValid", "The token is valid.")),),
    events=(Occurrence(datetime(2030, 1, 1, 11, 58, tzinfo=UTC), "Staging", "The Pod is created."),),
)
WAITING: Final = CredentialStory(
    credential=_credential(_condition("Ready", "False", "WaitingForConsent", "Nobody has consented yet."))
)


def _doctor() -> str:
    wanted = crds()[0]
    quota = {"metadata": {"name": "bots"}, "status": {"hard": {"pods": "100"}, "used": {"pods": "95"}}}
    checks = [
        clock_check("the API server", "Tue, 01 Jan 2030 12:00:40 GMT", now=NOW),
        crd_check(wanted, wanted),
        *quota_checks(quota),
    ]
    return "\n".join(f"{one.colour:6}  {one.text}{f' {one.remedy}' if one.remedy else ''}" for one in checks)


def _console(command: str, output: str) -> str:
    return f"```console\n$ kubectl meetingbots {command}\n{output.rstrip()}\n```"


def in_document(text: str) -> str:
    """The page with the plugin's output. Raises `NoPlaceError`."""
    outputs = {
        "why of a bot": _console("why notes", why_bot.explain(RECORDING).to_text()),
        "why of a credential": _console("why alice", why_credential.explain(WAITING).to_text()),
        "timeline": _console("timeline notes", "\n".join(timeline(RECORDING))),
        "doctor": _console("doctor", _doctor()),
    }
    for name, output in outputs.items():
        text = with_table(text, name=name, table=output)
    return text
