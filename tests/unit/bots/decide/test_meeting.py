from typing import Any

import pytest
from meetingbots.bots.decide.facts import MeetingRef, Problem
from meetingbots.bots.reconcile.meeting import meeting_link, meeting_ref
from meetingbots.models.bot import BotReason, MeetingKind
from pydantic import SecretStr

from tests.unit.bots.bot_builders import MEETING, bot


def ref(
    meeting: dict[str, Any], *, url: str | None = None, passcode: str | None = None, personal_id: str | None = None
) -> MeetingRef | Problem:
    given = bot(meeting=meeting)
    link = meeting_link(given, url=SecretStr(url) if url else None)
    if isinstance(link, Problem):
        return link
    return meeting_ref(given, link, passcode=SecretStr(passcode) if passcode else None, personal_id=personal_id)


def good(found: MeetingRef | Problem) -> MeetingRef:
    assert isinstance(found, MeetingRef)
    return found


def secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None


def test_a_link_gives_id_passcode_and_registrants_token() -> None:
    found = good(ref({"url": f"https://acme.zoom.us/j/{MEETING}?pwd=open&tk=registered"}))
    assert (found.meeting_id, found.kind) == (MEETING, MeetingKind.MEETING)
    assert (secret(found.passcode), secret(found.registrant_token)) == ("open", "registered")


def test_an_id_as_people_write_it_with_a_passcode() -> None:
    found = good(ref({"id": "812 3456 7890", "passcode": "open"}))
    assert (found.meeting_id, secret(found.passcode)) == (MEETING, "open")


def test_values_of_secrets() -> None:
    key = {"name": "links", "key": "url"}
    found = good(ref({"urlSecretKeyRef": key}, url=f"https://zoom.us/w/{MEETING}?pwd=open"))
    assert (found.meeting_id, found.kind, secret(found.passcode)) == (MEETING, MeetingKind.WEBINAR, "open")
    found = good(ref({"id": MEETING, "passcodeSecretKeyRef": key}, passcode="hidden"))
    assert secret(found.passcode) == "hidden"


def test_kind_is_the_specs_then_the_links_then_meeting() -> None:
    assert good(ref({"url": f"https://zoom.us/w/{MEETING}", "kind": "Meeting"})).kind is MeetingKind.MEETING
    assert good(ref({"id": MEETING, "kind": "Webinar"})).kind is MeetingKind.WEBINAR
    assert good(ref({"id": MEETING})).kind is MeetingKind.MEETING


def test_nothing_secret_in_the_repr() -> None:
    found = good(ref({"url": f"https://zoom.us/j/{MEETING}?pwd=hush-hush&tk=hush-token"}))
    assert "hush" not in repr(found)


@pytest.mark.parametrize(
    "url", ["https://zoom.us/j/", "https://example.org/j/81234567890", "nonsense", "https://zoom.us/j/12"]
)
def test_a_bad_link_is_reported_in_a_sentence(url: str) -> None:
    found = ref({"url": url})
    assert isinstance(found, Problem)
    assert found.reason is BotReason.INVALID_MEETING
    assert not found.recoverable
    assert found.message[0].isupper()
    assert found.message.endswith(".")


def test_a_bad_link_in_a_secret_can_be_mended_there() -> None:
    found = ref({"urlSecretKeyRef": {"name": "links", "key": "url"}}, url="https://zoom.us/j/1?pwd=hush")
    assert isinstance(found, Problem)
    assert found.recoverable
    assert "hush" not in found.message


def test_a_personal_link_has_its_own_reason() -> None:
    found = ref({"url": "https://acme.zoom.us/my/alice?pwd=hush"})
    assert isinstance(found, Problem)
    assert found.reason is BotReason.VANITY_LINK
    assert "hush" not in found.message
    assert found.recoverable


def test_a_personal_link_whose_user_is_known_leads_to_their_meeting() -> None:
    found = good(ref({"url": "https://acme.zoom.us/my/alice?pwd=open"}, personal_id="5551234567"))
    assert (found.meeting_id, secret(found.passcode)) == ("5551234567", "open")
    known = good(ref({"url": f"https://acme.zoom.us/j/{MEETING}"}, personal_id="5551234567"))
    assert known.meeting_id == MEETING
