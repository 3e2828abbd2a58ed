"""A MeetingBot's life as GitOps tools see it: each situation with the status that the operator decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from meetingbots.bots.decide import status as bot_status
from meetingbots.bots.decide.facts import BotFacts, OnBehalfUser, Problem, TokenFailure
from meetingbots.bots.decide.gate import START_AFTER_DELIVERY_SECONDS
from meetingbots.bots.decide.next_step import decide
from meetingbots.models.base import format_time
from meetingbots.models.bot import BotPhase, BotReason, InMeeting, InMeetingSource, InMeetingState

from tests.gitops.objects import Object, bot_with
from tests.gitops.outcomes import BOT_REASONS, FOR_A_PERSON, MAY_HEAL, OVER, WELL, Outcome
from tests.unit.bots.bot_builders import (
    POD,
    WAITS,
    at,
    bot,
    bot_object,
    delivery,
    ended,
    facts,
    pod,
    running,
    staged,
    token_failure,
)

TOMORROW = format_time(at(86_400))
JOINED = {
    "phase": "Running",
    "podName": POD,
    "attempts": 1,
    "startTime": format_time(at(1)),
    "specHash": bot_status.fixed_spec_hash(bot()),
}
ABSENT = OnBehalfUser("alice", present=False, since=at(0))
IMAGE = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
CONFIG = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "own" not found'}}
FULL = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes fit"}]
OF_ZOOM = (
    BotReason.NO_MAPPING,
    BotReason.CREDENTIAL_NOT_READY,
    BotReason.LOCAL_RECORDING_DISABLED,
    BotReason.MEETING_NOT_FOUND,
    BotReason.NOT_THE_HOST,
    BotReason.SCOPES_MISSING,
    BotReason.RATE_LIMITED,
    BotReason.ZOOM_UNAVAILABLE,
)
"""Why there may be no token."""


@dataclass(frozen=True, kw_only=True)
class State:
    """A situation: its facts, and how GitOps tools see it. `reason` is that of Ready."""

    name: str
    facts: BotFacts
    phase: BotPhase
    reason: str
    outcome: Outcome

    def item(self) -> Object:
        """The bot as the operator leaves it in this situation."""
        return bot_with(decide(self.facts).status, given=self.facts.bot)


def _state(name: str, given: BotFacts, phase: BotPhase, outcome: Outcome, *, reason: str = "") -> State:
    return State(name=name, facts=given, phase=phase, reason=reason or phase.value, outcome=outcome)


def _problem(reason: BotReason, *, recoverable: bool) -> Problem:
    return Problem(reason, f"It is {reason}.", recoverable=recoverable)


def _running(**more: Any) -> BotFacts:
    spec, status = more.pop("spec", {}), more.pop("status", {})
    full = {"pod": pod(running()), "delivery": delivery(), "secret_gone": True, **more}
    return facts(bot(status={**JOINED, **status}, **spec), **{"after": 60, **full})


def _over(code: int, **spec: Any) -> BotFacts:
    given = bot(status=JOINED, **spec)
    return facts(given, after=70, pod=pod(ended(code, message="so it goes"), phase="Failed"), secret_gone=True)


def states() -> Iterator[State]:
    """All situations."""
    yield from _before()
    yield from _staging()
    yield from _without_token()
    yield from _in_the_meeting()
    yield from _ends()


def _before() -> Iterator[State]:
    tomorrow, pending = bot(joinAt=TOMORROW), BotPhase.PENDING
    yield _state("waits for tomorrow", facts(tomorrow), BotPhase.SCHEDULED, WELL)
    suspended = facts(bot(joinAt=TOMORROW, suspend=True))
    yield _state("suspended", suspended, pending, FOR_A_PERSON, reason="Suspended")
    late = replace(facts(bot(joinAt=format_time(at(-7200)))), now=at(1))
    yield _state("created after its time", late, BotPhase.EXPIRED, WELL)
    for reason in (BotReason.INVALID_MEETING, BotReason.VANITY_LINK, BotReason.CONFIG_ERROR):
        for recoverable in (True, False):
            given = facts(tomorrow, meeting=_problem(reason, recoverable=recoverable))
            outcome = BOT_REASONS[reason] if recoverable else OVER
            yield _state(f"{reason}, recoverable: {recoverable}", given, pending, outcome, reason=reason)
    own = facts(tomorrow, template=_problem(BotReason.TEMPLATE_INVALID, recoverable=False))
    yield _state("a template that names no container bot", own, pending, OVER, reason="TemplateInvalid")
    for reason in (BotReason.TEMPLATE_INVALID, BotReason.QUOTA_EXCEEDED, BotReason.CONFIG_ERROR):
        refused = facts(tomorrow, checked=False, refused=_problem(reason, recoverable=True))
        yield _state(f"refused by a dry run: {reason}", refused, BotPhase.SCHEDULED, BOT_REASONS[reason], reason=reason)
        refused = facts(staged(), refused=_problem(reason, recoverable=True))
        yield _state(f"its Pod is refused: {reason}", refused, pending, BOT_REASONS[reason], reason=reason)
    withdrawn = facts(staged(suspend=True), pod=pod())
    yield _state("its Pod is withdrawn", withdrawn, pending, WELL)


def _staging() -> Iterator[State]:
    phase = BotPhase.STAGING
    yield _state("its Pod's name is claimed", facts(), phase, WELL)
    yield _state("the image is pulled", facts(staged(), pod=pod()), phase, WELL)
    early = facts(staged(joinAt=format_time(at(60))), pod=pod(WAITS))
    yield _state("ready before its time", early, phase, WELL)
    for name, state in (
        (BotReason.IMAGE_PULL_FAILED, pod(IMAGE)),
        (BotReason.CONFIG_ERROR, pod(CONFIG)),
        (BotReason.UNSCHEDULABLE, pod(None, conditions=FULL)),
    ):
        yield _state(name, facts(staged(), pod=state), phase, MAY_HEAL, reason=name)
        behind = facts(staged(), after=5, pod=state, delivery=delivery(), touches=5)
        yield _state(f"{name} behind the gate", behind, BotPhase.JOINING, MAY_HEAL, reason=name)
    starts = facts(staged(), after=3, pod=pod(WAITS), delivery=delivery(), touches=4)
    yield _state("its container starts", starts, BotPhase.JOINING, WELL)
    stuck = facts(staged(), after=2 + START_AFTER_DELIVERY_SECONDS, pod=pod(WAITS), delivery=delivery(), touches=5)
    yield _state("does not start", stuck, phase, MAY_HEAL, reason="InfrastructureLost")
    missed = facts(staged(), after=700, pod=pod(IMAGE))
    yield _state("missed its start", missed, BotPhase.FAILED, OVER, reason="StartDeadlineExceeded")
    over = facts(staged(), after=601, pod=pod(), meeting_ended_at=at(0))
    yield _state("the meeting ended first", over, BotPhase.FAILED, OVER, reason="MeetingEnded")


def _without_token() -> Iterator[State]:
    required = staged(tokenPolicy="Required")
    for reason in OF_ZOOM:
        transient = TokenFailure(reason=reason, message="no", transient=True, first_try_at=at(1), next_try_at=at(9))
        waits = facts(staged(), pod=pod(WAITS), token_failure=transient)
        yield _state(f"no token yet: {reason}", waits, BotPhase.STAGING, BOT_REASONS[reason], reason=reason)
        refused = facts(required, pod=pod(WAITS), token_failure=replace(transient, transient=False))
        yield _state(f"no token at all: {reason}", refused, BotPhase.FAILED, OVER, reason=reason)
    waits = facts(staged(), pod=pod(WAITS), on_behalf_users=(ABSENT,))
    phase, reason = BotPhase.WAITING_FOR_USER, BotReason.USER_NOT_IN_MEETING
    yield _state("its user is not there", waits, phase, FOR_A_PERSON, reason=reason)
    tried = token_failure(transient=True, first=900, following=940)
    last = facts(
        staged(), after=910, pod=pod(WAITS), on_behalf_users=(ABSENT,), token_failure=replace(tried, settled=True)
    )
    yield _state("given up its user", last, phase, FOR_A_PERSON, reason="ZoomUnavailable")
    failed = facts(required, after=901, pod=pod(WAITS), on_behalf_users=(ABSENT,))
    yield _state("its user never came", failed, BotPhase.FAILED, OVER, reason=reason)
    again = _over(75)
    yield _state("put out with its user", again, phase, FOR_A_PERSON, reason=reason)


def _in_the_meeting() -> Iterator[State]:
    phase = BotPhase.RUNNING
    yield _state("runs", _running(), phase, WELL)
    asks = delivery(reason="NoMapping", message="No mapping.")
    yield _state("runs without a token", _running(delivery=asks), phase, WELL)
    yield _state("edited while it runs", _running(spec={"displayName": "Other"}), phase, WELL)
    for state in InMeetingState:
        seen = InMeeting(state=state, source=InMeetingSource.BOT, since=at(30))
        yield _state(f"{state} by its own report", _running(in_meeting=seen), phase, WELL)
    hangs = pod(running(), deleted_at=10, grace=5)
    yield _state("its Pod does not end", _running(pod=hangs), phase, MAY_HEAL, reason="InfrastructureLost")


def _ends() -> Iterator[State]:
    succeeded, failed = BotPhase.SUCCEEDED, BotPhase.FAILED
    yield _state("succeeded", _over(0), succeeded, WELL)
    ended_meeting = facts(bot(status=JOINED), after=90, meeting_ended_at=at(50), pod_seen=True, secret_gone=True)
    yield _state("left with the meeting", ended_meeting, succeeded, WELL, reason="MeetingEnded")
    yield _state("failed, tries again", _over(1), BotPhase.STAGING, MAY_HEAL, reason="BotFailed")
    yield _state("failed", _over(1, retry={"limit": 0}), failed, OVER, reason="BotFailed")
    yield _state("lost", facts(bot(status=JOINED), after=70), BotPhase.STAGING, MAY_HEAL, reason="InfrastructureLost")
    often = facts(bot(status={**JOINED, "infrastructureRestarts": 10}), after=70)
    yield _state("lost too often", often, failed, OVER, reason="InfrastructureLost")
    backstop = facts(bot(status=JOINED), after=70, pod=pod(None, phase="Failed", reason="DeadlineExceeded"))
    yield _state("stayed too long", backstop, failed, OVER, reason="MaxDurationExceeded")
    outside = InMeeting(state=InMeetingState.WAITING_ROOM, source=InMeetingSource.ZOOM, since=at(2))
    left = pod(ended(0, end=1300), phase="Failed", deleted_at=1290)
    refused = _running(after=1301, pod=left, in_meeting=outside)
    yield _state("was not admitted", refused, failed, OVER, reason="NotAdmitted")
    finished = bot(status=decide(_over(0)).status.to_dict(), generation=2, displayName="Other")
    yield _state("edited after its end", facts(finished, after=99), succeeded, WELL)


def unreadable() -> Object:
    """A MeetingBot that was stored under an older CRD and cannot be read any more."""
    item = bot_object()
    status = bot_status.unreadable(item, "This MeetingBot is not valid.", now=at(0))
    return {**item, "status": status}


def every_combination() -> Iterator[tuple[str, Object, Outcome]]:
    """Every phase with every reason, through each way that a status is written, whether or not it comes about today."""
    given = facts()
    for phase in BotPhase:
        for reason in (None, *BotReason):
            well = bot_status.going_well(given, phase, "words", reason=reason)
            yield f"{phase}/{reason} well", bot_with(well, given=given.bot), WELL
        for reason in BotReason:
            if BOT_REASONS[reason] is not OVER:
                held = bot_status.in_trouble(given, phase, reason, "words")
                person = phase is BotPhase.WAITING_FOR_USER and BOT_REASONS[reason] is MAY_HEAL
                outcome = FOR_A_PERSON if person else BOT_REASONS[reason]
                yield f"{phase}/{reason} held up", bot_with(held, given=given.bot), outcome
            if reason is not BotReason.SUSPENDED:  # which is never for good
                stuck = bot_status.in_trouble(given, phase, reason, "words", recoverable=False)
                yield f"{phase}/{reason} stuck", bot_with(stuck, given=given.bot), OVER
