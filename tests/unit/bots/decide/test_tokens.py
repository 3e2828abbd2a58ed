"""Which tokens are wanted, who is in the meeting, and how what is missing is named."""

from datetime import UTC, datetime
from typing import Any

import pytest
from meetingbots.bots.decide.facts import OnBehalfUser
from meetingbots.bots.decide.tokens import Refusal, named_reason, person_in, wanted_tokens, webhook_doubt
from meetingbots.mappings.decide.listing import with_lookup
from meetingbots.models.bot import BotReason, TokenKind
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MappingPhase, MeetingMapping, Role, Source

from tests.unit.bots.bot_builders import MEETING, bot

RECORDING, ON_BEHALF, ZAK = TokenKind.LOCAL_RECORDING, TokenKind.ON_BEHALF, TokenKind.ZAK


def mapping(status: dict[str, Any], *people: str) -> MeetingMapping:
    spec = {"meetingId": MEETING, "credentials": [{"name": name} for name in people]}
    return MeetingMapping.from_object({"metadata": {"name": MEETING}, "spec": spec, "status": status})


@pytest.mark.parametrize(
    ("spec", "meeting_account", "app_account", "wanted"),
    [
        ({}, "customer", "us", (RECORDING, ON_BEHALF)),
        ({}, "us", "us", (RECORDING,)),
        ({}, "customer", "", (RECORDING,)),
        ({}, "", "us", (RECORDING,)),
        ({"tokens": ["LocalRecording"]}, "customer", "us", (RECORDING,)),
        ({"tokens": ["ZAK"]}, "customer", "us", (ZAK,)),
        ({"tokens": []}, "customer", "us", ()),
    ],
)
def test_on_behalf_is_added_to_open_tokens_where_the_accounts_differ(
    spec: dict[str, Any], meeting_account: str, app_account: str, wanted: tuple[TokenKind, ...]
) -> None:
    assert wanted_tokens(bot(**spec), meeting_account=meeting_account, app_account=app_account) == wanted


@pytest.mark.parametrize(
    ("phase", "reported", "present"),
    [("Live", True, True), ("Live", False, False), ("Scheduled", True, True), ("Ended", True, False)],
)
def test_presence_is_what_events_reported_last(phase: str, reported: bool, present: bool) -> None:
    presence = [{"name": "bob", "present": reported, "eventTime": 1_800_000_000_000, "uuid": "run-1"}]
    known = mapping({"phase": phase, "uuid": "run-1", "presence": presence})
    since = datetime.fromtimestamp(1_800_000_000, UTC)
    assert person_in(known, credential="bob") == OnBehalfUser("bob", present=present, since=since)
    assert person_in(known, credential="alice") == OnBehalfUser("alice")
    assert person_in(None, credential="alice") == OnBehalfUser("alice")


def refusal(kind: TokenKind | None, reason: BotReason) -> Refusal:
    return Refusal("alice", reason, "no", transient=False, kind=kind)


def test_what_is_missing_is_named() -> None:
    zak = refusal(ZAK, BotReason.SCOPES_MISSING)
    host = refusal(RECORDING, BotReason.NOT_THE_HOST)
    assert named_reason([], had=[RECORDING]) == ""
    assert named_reason([host], had=[]) == "NotTheHost"
    assert named_reason([zak], had=[RECORDING]) == "ZAK: ScopesMissing"
    assert named_reason([host, zak], had=[]) == "LocalRecording: NotTheHost, ZAK: ScopesMissing"
    assert named_reason([refusal(None, BotReason.CREDENTIAL_NOT_READY)], had=[ON_BEHALF]) == "CredentialNotReady"


def test_a_look_up_adds_the_credential_once() -> None:
    status = with_lookup(None, credential="alice")
    assert status is not None
    (entry,) = status.credentials
    assert (entry.name, entry.role, entry.source) == ("alice", Role.HOST, Source.LOOKUP)
    assert status.phase is MappingPhase.SCHEDULED
    assert with_lookup(mapping(status.to_dict()), credential="alice") is None
    assert with_lookup(mapping({}, "alice"), credential="alice") is None
    found = {"credentials": [{"name": "bob", "role": "Host", "source": "Webhook"}], "phase": "Live"}
    more = with_lookup(mapping(found), credential="alice")
    assert more is not None
    assert ([one.name for one in more.credentials], more.phase) == (["alice", "bob"], MappingPhase.LIVE)


def test_at_most_three_credentials_without_webhooks_are_named() -> None:
    condition = {
        "type": "WebhookReceiving",
        "status": "False",
        "reason": "SignatureInvalid",
        "lastTransitionTime": "2026-11-24T12:00:00Z",
    }
    credentials = [
        ZoomCredential.from_object(
            {
                "metadata": {"namespace": "team", "name": name},
                "spec": {"appSecretRef": {"name": "app"}, "grant": {"connect": {}}},
                "status": {"conditions": [condition]},
            }
        )
        for name in "dcba"
    ]
    named = ", ".join(f"{name} (SignatureInvalid)" for name in "abc")
    assert webhook_doubt(credentials).endswith(f"of ZoomCredential {named} and 1 more.")
    assert webhook_doubt(credentials[1:]).endswith(f"of ZoomCredential {named}.")
