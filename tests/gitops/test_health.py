"""Every phase and every reason of every kind, as kstatus, Flux and Argo CD see it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
from meetingbots.mappings.manifests.mapping import new_mapping
from meetingbots.models.bot import BotPhase, BotReason
from meetingbots.models.credential import CredentialReason
from meetingbots.models.mapping import FoundCredential, MappingPhase, MappingStatus, Role, Source

from tests.gitops import bot_states, credential_states
from tests.gitops.engines import Engines, Health
from tests.gitops.objects import Object, deleted, edited, ready_of, unseen_bot, unseen_credential
from tests.gitops.outcomes import BOT_REASONS, CREDENTIAL_REASONS, OVER, WELL, Outcome
from tests.unit.credentials.decide.credential_cases import credential

BOTS = tuple(bot_states.states())
CREDENTIALS = tuple(credential_states.states())
EVERYTHING = (*(state.item() for state in BOTS), *(state.item() for state in CREDENTIALS))


def outcome_of(health: Health) -> Outcome:
    """The engines' words; an expression or a script that failed has none."""
    assert health.flux is not None
    assert health.argo is not None
    assert (health.kstatus.error, health.flux.error, health.argo.error) == ("", "", "")
    return Outcome(health.kstatus.status, health.flux.status, health.argo.status)


def differing(judges: Engines, reported: Sequence[tuple[str, Object, Outcome]]) -> dict[str, tuple[Outcome, Outcome]]:
    """Where the engines say something else than is wanted: what they say, what is wanted."""
    answers = judges.judge([item for _, item, _ in reported])
    pairs = [(name, outcome_of(health), wanted) for (name, _, wanted), health in zip(reported, answers, strict=True)]
    return {name: (said, wanted) for name, said, wanted in pairs if said != wanted}


@pytest.mark.parametrize("state", BOTS, ids=lambda state: state.name)
def test_a_bots_situation_is_reported_as_the_table_says(state: bot_states.State) -> None:
    item = state.item()
    assert (item["status"]["phase"], ready_of(item)["reason"]) == (state.phase, state.reason)


@pytest.mark.parametrize("state", CREDENTIALS, ids=lambda state: state.name)
def test_a_credentials_situation_is_reported_as_the_table_says(state: credential_states.State) -> None:
    assert ready_of(state.item())["reason"] == state.reason


def test_the_tables_have_every_phase_and_every_reason() -> None:
    assert set(BOT_REASONS) == set(BotReason)
    assert set(CREDENTIAL_REASONS) == set(CredentialReason)
    assert {state.phase for state in BOTS} == set(BotPhase)
    assert set(BotReason) - {state.reason for state in BOTS} == set()
    assert {state.reason for state in CREDENTIALS} == set(CredentialReason)


def test_bots_are_seen_as_they_are(judges: Engines) -> None:
    assert differing(judges, [(state.name, state.item(), state.outcome) for state in BOTS]) == {}


def test_credentials_are_seen_as_they_are(judges: Engines) -> None:
    assert differing(judges, [(state.name, state.item(), state.outcome) for state in CREDENTIALS]) == {}


def test_no_combination_of_phase_and_reason_is_seen_as_something_else(judges: Engines) -> None:
    reported = [*bot_states.every_combination(), *credential_states.every_reason()]
    assert len(reported) > len(BotPhase) * len(BotReason) * 2
    assert differing(judges, reported) == {}


def test_a_bot_that_cannot_be_read_is_reported_as_failed(judges: Engines) -> None:
    assert differing(judges, [("unreadable", bot_states.unreadable(), OVER)]) == {}


def mappings() -> list[tuple[str, Object, Outcome]]:
    """A mapping in every phase, as the operator writes it, and one that people wrote."""
    found = [FoundCredential(name="alice", role=Role.HOST, source=Source.WEBHOOK)]
    reported = []
    for phase, live in product((None, *MappingPhase), (False, True)):
        status = MappingStatus(credentials=found, phase=phase)
        item = new_mapping(namespace="team", meeting_id="81234567890", status=status, uids={"alice": "u"}, live=live)
        reported.append((f"{phase}, live: {live}", item, WELL))
    spec = {"meetingId": "81234567890", "credentials": [{"name": "alice"}]}
    own = {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": {"name": "81234567890"}, "spec": spec}
    return [*reported, ("people's own", own, WELL)]


def test_mappings_are_healthy_whatever_becomes_of_the_meeting(judges: Engines) -> None:
    assert differing(judges, mappings()) == {}


def test_what_the_operator_has_not_seen_yet_is_waited_for(judges: Engines) -> None:
    waited = Outcome("InProgress", "InProgress", "Progressing")
    new = [unseen_bot(), unseen_credential(credential().to_dict())]
    for item in new:
        item["metadata"]["generation"] = 1
    assert differing(judges, [(item["kind"], item, waited) for item in new]) == {}
    assert differing(judges, [(str(number), edited(item), waited) for number, item in enumerate(EVERYTHING)]) == {}


def test_what_is_being_deleted_is_waited_for(judges: Engines) -> None:
    answers = judges.judge([deleted(item) for item in EVERYTHING])
    assert {health.kstatus.status for health in answers} == {"Terminating"}
    assert {health.argo.status for health in answers if health.argo} == {"Progressing"}


def test_argo_cd_tells_our_reason_and_our_words(judges: Engines) -> None:
    for item, health in zip(EVERYTHING, judges.judge(EVERYTHING), strict=True):
        reported = ready_of(item)
        assert health.argo is not None
        assert health.argo.message.startswith(f"{reported['reason']}: {reported['message']}")


def test_kstatus_tells_our_words_where_it_fails(judges: Engines) -> None:
    over = [state.item() for state in BOTS if state.outcome is OVER]
    assert over
    for item, health in zip(over, judges.judge(over), strict=True):
        assert health.kstatus.message == ready_of(item)["message"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("edited while it runs", "SpecChangeIgnored: The spec was changed"),
        ("edited after its end", "SpecChangeIgnored: The spec was changed"),
        ("a changed grant is refused", "GrantRejected: The changed grant was not accepted"),
    ],
)
def test_argo_cd_tells_of_a_change_that_was_not_taken(judges: Engines, name: str, words: str) -> None:
    named = {state.name: state.item() for state in BOTS} | {state.name: state.item() for state in CREDENTIALS}
    (health,) = judges.judge([named[name]])
    assert health.argo is not None
    assert words in health.argo.message
