from typing import Any

import pytest
from meetingbots.bots.decide.facts import Problem
from meetingbots.bots.decide.tokens import Candidates, candidates
from meetingbots.models.bot import BotReason
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MeetingMapping

from tests.unit.bots.bot_builders import MEETING, bot


def credential(name: str, **labels: str) -> ZoomCredential:
    grant = {"serverToServer": {"accountId": "abc"}}
    metadata = {"name": name, "namespace": "team", "labels": labels}
    return ZoomCredential.from_object(
        {"metadata": metadata, "spec": {"appSecretRef": {"name": "app"}, "level": "Account", "grant": grant}}
    )


def mapping(*, people: tuple[str, ...] = (), found: tuple[tuple[str, str], ...] = ()) -> MeetingMapping:
    return MeetingMapping.from_object(
        {
            "metadata": {"name": MEETING, "namespace": "team"},
            "spec": {"meetingId": MEETING, "credentials": [{"name": name} for name in people]},
            "status": {"credentials": [{"name": name, "role": role, "source": "Sync"} for name, role in found]},
        }
    )


FULL = mapping(
    people=("person-2", "person-1"),
    found=(("op", "Operator"), ("alt", "AlternativeHost"), ("host", "Host"), ("person-1", "Host")),
)


def names(result: Candidates | Problem) -> tuple[str, ...]:
    assert isinstance(result, Candidates)
    return result.names


def test_order_of_trial() -> None:
    result = candidates(bot(), mapping=FULL, credentials=())
    assert names(result) == ("person-2", "person-1", "host", "alt", "op")
    assert isinstance(result, Candidates)
    assert result.origins == {
        "person-2": "mapping",
        "person-1": "mapping",
        "host": "Host",
        "alt": "AlternativeHost",
        "op": "Operator",
    }


def test_the_bots_own_reference_comes_first_and_once() -> None:
    named = bot(credentialRef={"name": "alt"})
    assert names(candidates(named, mapping=FULL, credentials=())) == ("alt", "person-2", "person-1", "host", "op")
    assert names(candidates(named, mapping=None, credentials=())) == ("alt",)


def selecting(**more: Any) -> Any:
    return bot(credentialSelector={"matchLabels": {"customer": "acme"}}, **more)


def test_the_selector_filters_all_of_them() -> None:
    known = [credential("op", customer="acme"), credential("host", customer="acme"), credential("alt", customer="b")]
    assert names(candidates(selecting(), mapping=FULL, credentials=known)) == ("host", "op")
    assert names(candidates(selecting(credentialRef={"name": "alt"}), mapping=FULL, credentials=known)) == (
        "host",
        "op",
    )


def test_an_unknown_meeting_is_tried_with_selected_credentials_only() -> None:
    known = [credential("a", customer="acme"), credential("b", customer="other"), credential("c", customer="acme")]
    assert names(candidates(selecting(), mapping=None, credentials=known)) == ("a", "c")


@pytest.mark.parametrize("known_mapping", [None, mapping()])
def test_an_unknown_meeting_is_never_tried_with_anybody_elses(known_mapping: MeetingMapping | None) -> None:
    result = candidates(bot(), mapping=known_mapping, credentials=[credential("a"), credential("b")])
    assert isinstance(result, Problem)
    assert result.reason is BotReason.NO_MAPPING
    assert result.recoverable


def test_when_the_selector_leaves_none_the_message_says_so() -> None:
    result = candidates(selecting(), mapping=FULL, credentials=[credential("host", customer="other")])
    assert isinstance(result, Problem)
    assert "credentialSelector" in result.message
    assert "host" in result.message
    result = candidates(selecting(), mapping=None, credentials=[credential("host", customer="other")])
    assert isinstance(result, Problem)
    assert "credentialSelector" in result.message
