from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from meetingbots.bots.decide import status as bot_status
from meetingbots.bots.decide.facts import MeetingRef
from meetingbots.bots.decide.tokens import without_token
from meetingbots.models.bot import BotPhase, BotReason, BotStatus
from meetingbots.models.conditions import Condition, ConditionType, find

from tests.unit.bots.bot_builders import MEETING, POD, at, bot, delivery, facts, staged, token_failure

OTHER = MeetingRef(meeting_id="99999999999")


def types(status: BotStatus) -> set[str]:
    return {condition.type for condition in status.conditions}


def test_going_well_is_ready_and_nothing_else() -> None:
    status = bot_status.going_well(facts(), BotPhase.STAGING, "words")
    reported = status.ready
    assert reported is not None
    assert (reported.status, reported.reason, reported.message, reported.observed_generation) == (
        "True",
        "Staging",
        "words",
        1,
    )
    assert types(status) == {"Ready"}
    assert (status.phase, status.observed_generation, status.meeting_id) == (BotPhase.STAGING, 1, MEETING)
    assert status.scheduled_time == at(0)


def is_true(conditions: Iterable[Condition], name: str) -> bool:
    condition = find(conditions, name)
    return condition is not None and condition.status == "True"


def test_trouble_that_may_heal_is_reconciling() -> None:
    status = bot_status.in_trouble(facts(), BotPhase.PENDING, BotReason.QUOTA_EXCEEDED, "words")
    assert types(status) == {"Ready", "Reconciling"}
    assert not is_true(status.conditions, "Ready")
    assert is_true(status.conditions, "Reconciling")


def test_trouble_that_takes_a_person_is_stalled_and_the_end_of_it_leaves_nothing() -> None:
    stuck = bot_status.in_trouble(facts(), BotPhase.PENDING, BotReason.TEMPLATE_INVALID, "words", recoverable=False)
    assert types(stuck) == {"Ready", "Stalled"}
    given = facts(bot(status=stuck.to_dict()), after=5)
    healing = bot_status.in_trouble(given, BotPhase.PENDING, BotReason.QUOTA_EXCEEDED, "words")
    assert types(healing) == {"Ready", "Reconciling"}
    assert types(bot_status.going_well(given, BotPhase.STAGING, "words")) == {"Ready"}


def test_suspended_is_neither_reconciling_nor_stalled() -> None:
    status = bot_status.in_trouble(facts(), BotPhase.PENDING, BotReason.SUSPENDED, "words")
    assert types(status) == {"Ready"}
    assert bot_status.is_suspended(status)
    assert bot_status.present_trouble(status) == "words"


def test_a_failure_is_stalled_and_has_its_time() -> None:
    status = bot_status.failed(facts(after=7.9), BotReason.BOT_FAILED, "words")
    assert types(status) == {"Ready", "Stalled"}
    assert status.phase is BotPhase.FAILED
    assert status.completion_time == at(7)
    assert status.finished


def test_transition_times_stay_while_the_status_is_the_same() -> None:
    first = bot_status.going_well(facts(after=1), BotPhase.STAGING, "words")
    second = bot_status.going_well(facts(bot(status=first.to_dict()), after=9), BotPhase.RUNNING, "other words")
    reported = second.ready
    assert reported is not None
    assert reported.last_transition_time == at(1)


def test_token_condition() -> None:
    got = bot_status.going_well(facts(staged(), delivery=delivery()), BotPhase.RUNNING, "words")
    reported = find(got.conditions, ConditionType.TOKEN_ISSUED)
    assert reported is not None
    assert (reported.status, reported.reason) == ("True", "Issued")
    assert "alice" in reported.message
    assert got.token is not None
    assert (got.token.kinds, got.token.issued_time, got.token.delivered_time) == (["LocalRecording"], at(1), at(1))
    assert (got.token.reason, got.credential_name) == (None, "alice")


def test_token_condition_without_a_token() -> None:
    gone = delivery(reason="NotTheHost", message="alice (Host): no.")
    without = bot_status.going_well(facts(staged(), delivery=gone), BotPhase.RUNNING, "words")
    reported = find(without.conditions, ConditionType.TOKEN_ISSUED)
    assert reported is not None
    assert (reported.status, reported.reason, reported.message) == ("False", "NotTheHost", "alice (Host): no.")
    assert without.token is not None
    assert (without.token.kinds, without.token.issued_time, without.token.reason) == ([], None, "NotTheHost")
    missing = bot_status.going_well(
        facts(staged(), token_failure=token_failure(transient=True)), BotPhase.STAGING, "words"
    )
    reported = find(missing.conditions, ConditionType.TOKEN_ISSUED)
    assert reported is not None
    assert (reported.status, reported.reason) == ("False", "ZoomUnavailable")


def test_a_bot_that_asks_for_no_token() -> None:
    nothing = replace(delivery(), kinds=(), issued_at=None)
    status = bot_status.going_well(facts(staged(tokens=[]), delivery=nothing), BotPhase.RUNNING, "words")
    reported = find(status.conditions, ConditionType.TOKEN_ISSUED)
    assert reported is not None
    assert (reported.status, reported.reason) == ("False", "NotRequested")


def test_without_token_in_words() -> None:
    assert without_token(facts(staged(), delivery=delivery())) == ""
    assert without_token(facts(staged())) == ""
    words = without_token(facts(staged(), delivery=delivery(reason="NotTheHost", message="no.")))
    assert words == " It joins without a token and asks the host (NotTheHost: no.)"
    partly = replace(delivery(), reason="NotTheHost", message="ZAK: no.")
    assert "LocalRecording only" in without_token(facts(staged(), delivery=partly))


def test_a_claim_leaves_nothing_of_the_attempt_before() -> None:
    before = bot_status.going_well(facts(staged(), delivery=delivery()), BotPhase.RUNNING, "x", spec_hash="old")
    given = bot(status={**before.to_dict(), "lastAttempt": {"podName": POD}})
    status = bot_status.claimed(facts(given, delivery=delivery()), pod_name="standup-abcde-2")
    assert types(status) == {"Ready", "Admitted", "Recording"}
    assert (status.token, status.spec_hash, status.credential_name) == (None, None, None)
    assert (status.pod_name, status.attempts, status.phase) == ("standup-abcde-2", 2, BotPhase.STAGING)


def test_after_the_delivery_an_edit_does_not_change_where_the_bot_is() -> None:
    given = staged(status={"scheduledTime": at(0).isoformat()}, joinAt=at(5000).isoformat())
    reported = bot_status.going_well(facts(given, meeting=OTHER, delivery=delivery()), BotPhase.RUNNING, "words")
    assert (reported.meeting_id, reported.scheduled_time) == (MEETING, at(0))
    reported = bot_status.going_well(facts(given, meeting=OTHER), BotPhase.STAGING, "words")
    assert (reported.meeting_id, reported.scheduled_time) == (OTHER.meeting_id, at(5000))


@pytest.mark.parametrize(
    "edit",
    [
        {"suspend": True},
        {"meetingEndPolicy": "Stay"},
        {"leaveAfterMeetingEndSeconds": 5},
        {"ttlSecondsAfterFinished": 5, "joinAt": at(0).isoformat()},
    ],
)
def test_edits_that_still_act_are_not_reported_as_ignored(edit: dict[str, Any]) -> None:
    base = bot(joinAt=at(0).isoformat()) if "joinAt" in edit else bot()
    joined = {"specHash": bot_status.fixed_spec_hash(base)}
    given = facts(bot(status=joined, **edit))
    assert types(bot_status.spec_change(given, given.bot.status)) == set()


@pytest.mark.parametrize("levels", [200, 300, 1100])
def test_a_template_of_any_depth_is_an_ignored_edit_of_a_running_bot(levels: int) -> None:
    nested: dict[str, Any] = {}
    for _ in range(levels):
        nested = {"more": nested}
    joined = {"specHash": bot_status.fixed_spec_hash(bot())}
    given = facts(bot(status=joined, template={"spec": nested}))
    assert "SpecChangeIgnored" in types(bot_status.spec_change(given, given.bot.status))


def test_other_edits_are_reported_as_ignored_until_they_are_taken_back() -> None:
    joined = {"specHash": bot_status.fixed_spec_hash(bot())}
    given = facts(bot(status=joined, generation=2, displayName="Other"))
    reported = bot_status.spec_change(given, given.bot.status)
    assert is_true(reported.conditions, "SpecChangeIgnored")
    assert reported.observed_generation == 2
    back = facts(bot(status=reported.to_dict(), generation=3))
    assert types(bot_status.spec_change(back, back.bot.status)) == set()


def test_which_spec_a_bot_joined_with() -> None:
    assert bot_status.joined_with(facts(staged(status={"specHash": "reported"}), delivery=delivery())) == "reported"
    assert bot_status.joined_with(facts(staged(), delivery=delivery())) == "joined-with"
    assert bot_status.joined_with(facts(staged())) == bot_status.fixed_spec_hash(staged())


def test_accounted_and_joined() -> None:
    assert not staged().status.accounted
    after = staged(status={"lastAttempt": {"podName": POD}, "specHash": "x"}).status
    assert after.accounted
    assert not after.joined
    assert staged(status={"specHash": "x"}).status.joined
    assert not staged().status.joined
