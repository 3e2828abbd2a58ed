"""The end of one attempt: whether it counts, how the status reports it, and when the next one begins.

Losses of infrastructure never count as attempts. Failures of the bot count up to `retry.limit`. Exit code 75 requests a
new Pod, because the user that the bot waits for is not in the meeting.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from meetingbots.bots.decide import status as bot_status
from meetingbots.bots.decide.facts import BotFacts, BotPlan, Commit, Problem
from meetingbots.bots.decide.pod_ends import TRY_AGAIN_EXIT_CODE, Outcome, PodEnd, ended_from_outside, pod_end
from meetingbots.bots.decide.pod_state import PodState
from meetingbots.bots.decide.pod_texts import telling_line
from meetingbots.bots.decide.schedule import (
    WITHDRAWN,
    does_not_end,
    is_run_over,
    leave,
    overdue,
    restart_pause,
    run_end,
    shifted,
    until,
    waits_since,
)
from meetingbots.models.bot import Attempt, BotPhase, BotReason, BotStatus
from meetingbots.runtime.plan import Backoff

MAX_INFRASTRUCTURE_RESTARTS = 10
LEFT_SUSPENDED = "The bot was suspended and has left the meeting."
_LOSS_BACKOFF = Backoff(first=1.0, cap=60.0)


def ended(facts: BotFacts, pod: PodState) -> BotPlan:
    """What follows from a Pod that is over."""
    end = pod_end(pod)
    match end.outcome:
        case Outcome.LOST if ended_from_outside(pod):
            return _taken_away(facts, pod, end)
        case Outcome.LOST:
            return lost(facts, f"{end.message}.")
        case Outcome.DONE:
            attempt = _attempt(facts, pod, reason="Completed", message=end.record)
            return _succeeded(facts, f"{end.message}.", attempt, reason=None)
        case Outcome.TOO_LONG:
            return _failed(facts, BotReason.MAX_DURATION_EXCEEDED, f"{end.message}.")
        case Outcome.TRY_AGAIN if TRY_AGAIN_EXIT_CODE not in facts.bot.spec.retry.never_on_exit_codes:
            return _wait_for_user(facts, pod, end)
        case _:
            return _bot_failed(facts, pod, end)


def _taken_away(facts: BotFacts, pod: PodState, end: PodEnd) -> BotPlan:
    if facts.bot.spec.suspend:
        return withdrawn(facts, LEFT_SUSPENDED)
    run_ended, requested_at = run_end(facts), pod.end_requested_at or facts.now
    # Kubernetes stores the time of a deletion in whole seconds.
    if run_ended is not None and requested_at >= bot_status.whole_seconds(run_ended) and pod.started:
        return left_after_end(facts)
    cause = leave(facts, pod)
    if cause is not None and requested_at >= cause.at:
        if cause.reason is BotReason.MAX_DURATION_EXCEEDED:
            return stayed_too_long(facts)
        if cause.reason is BotReason.NOT_ADMITTED:
            return _not_admitted(facts)
    return lost(facts, f"{end.message}.")


def left_after_end(facts: BotFacts) -> BotPlan:
    """The bot was in the meeting and left because the meeting ended."""
    message = "The meeting has ended, and the bot has left."
    attempt = _attempt(facts, facts.pod, reason=BotReason.MEETING_ENDED, message=message)
    return _succeeded(facts, message, attempt, reason=BotReason.MEETING_ENDED)


def _succeeded(facts: BotFacts, message: str, attempt: Attempt, *, reason: BotReason | None) -> BotPlan:
    status = bot_status.going_well(
        facts,
        BotPhase.SUCCEEDED,
        message,
        reason=reason,
        last_attempt=attempt,
        start_time=facts.bot.status.start_time or attempt.start_time,
        completion_time=attempt.end_time,
        next_attempt_time=None,
    )
    return _commit(status)


def stayed_too_long(facts: BotFacts) -> BotPlan:
    """The bot had to leave after `maxDurationSeconds`."""
    seconds = facts.bot.spec.max_duration_seconds
    return _failed(
        facts, BotReason.MAX_DURATION_EXCEEDED, f"The bot ran for maxDurationSeconds ({seconds} s) and had to leave."
    )


def _not_admitted(facts: BotFacts) -> BotPlan:
    seconds, seen = facts.bot.spec.admission_deadline_seconds, facts.in_meeting
    where = f" Last report: {seen.state} ({seen.source}, {seen.since:%H:%M:%S} UTC)." if seen is not None else ""
    message = f"The bot was not admitted within admissionDeadlineSeconds ({seconds} s) and had to leave.{where}"
    return _failed(facts, BotReason.NOT_ADMITTED, message)


def too_late(facts: BotFacts, message: str, **changes: Any) -> BotPlan:
    """The meeting ended before the bot could join it (again): no attempt follows."""
    full_message = f"{message} The meeting has ended; no attempt follows.".strip()
    return _commit(bot_status.failed(facts, BotReason.MEETING_ENDED, full_message, **changes))


def missed(facts: BotFacts, cause: str) -> BotPlan:
    """The bot did not start before its deadline; `cause` is what blocks it now, or empty."""
    last = facts.bot.status.last_attempt
    if not cause and last is not None and last.message:
        cause = f"The last attempt: {last.message}"
    message = f"The bot did not start within {facts.bot.spec.start_deadline_seconds} s. {cause}".strip()
    pod = facts.bot.status.pod_name if facts.bot.status.accounted else bot_status.known_pod(facts)
    return _commit(bot_status.failed(facts, BotReason.START_DEADLINE_EXCEEDED, message, pod_name=pod))


def over_between_attempts(facts: BotFacts) -> BotPlan:
    """The meeting ended while the bot had no Pod in it."""
    last = facts.bot.status.last_attempt
    if last is not None and last.reason == BotReason.USER_NOT_IN_MEETING and _was_in(last, facts):
        # Zoom removes a bot together with its user, and most meetings end soon after that.
        status = bot_status.going_well(
            facts,
            BotPhase.SUCCEEDED,
            "The bot had to leave with its user, and the meeting has ended since.",
            reason=BotReason.MEETING_ENDED,
            completion_time=last.end_time,
            next_attempt_time=None,
        )
        return _commit(status)
    return too_late(facts, last.message if last is not None and facts.bot.status.accounted else "")


def _was_in(last: Attempt, facts: BotFacts) -> bool:
    """Whether an attempt lasted so long that the bot must have been admitted."""
    return _stay(last, facts) > facts.bot.spec.on_behalf.retry_seconds


def _stay(last: Attempt, facts: BotFacts) -> float:
    """How many seconds the bot ran; counted from the delivery if its Pod left no trace."""
    delivered = facts.delivery.delivered_at if facts.delivery is not None else None
    ran = facts.bot.status.phase is BotPhase.RUNNING
    began = last.start_time or (delivered if ran else None)
    return (last.end_time - began).total_seconds() if began is not None and last.end_time is not None else 0.0


def _still_waits_since(facts: BotFacts, attempt: Attempt) -> datetime | None:
    """Since when the bot waits for its user after an attempt, without the time that it was in the meeting.

    The wait restarts after a stay that was longer than the whole wait may be.
    """
    since, stay = waits_since(facts.bot), _stay(attempt, facts)
    if since is None or stay > facts.bot.spec.on_behalf.wait_seconds:
        return None
    return bot_status.whole_seconds(shifted(since, seconds=stay)) if _was_in(attempt, facts) else since


def lost(facts: BotFacts, message: str) -> BotPlan:
    """The bot did not cause the end of its Pod: a new Pod with new tokens follows, uncounted."""
    status = facts.bot.status
    attempt = _attempt(facts, facts.pod, reason=BotReason.INFRASTRUCTURE_LOST, message=message)
    if is_run_over(facts):
        return too_late(facts, message, last_attempt=attempt)
    restarts = status.infrastructure_restarts + 1
    if restarts > MAX_INFRASTRUCTURE_RESTARTS:
        return _commit(bot_status.failed(facts, BotReason.INFRASTRUCTURE_LOST, message, last_attempt=attempt))
    new_status = bot_status.in_trouble(
        facts,
        BotPhase.STAGING,
        BotReason.INFRASTRUCTURE_LOST,
        f"{message} A new Pod follows.",
        last_attempt=attempt,
        attempts=max(0, status.attempts - 1),
        infrastructure_restarts=restarts,
        waiting_since=_still_waits_since(facts, attempt),
        next_attempt_time=_rounded_up(facts.now + timedelta(seconds=_LOSS_BACKOFF.delay(restarts))),
    )
    return _commit(new_status)


def ending(facts: BotFacts, pod: PodState) -> BotPlan:
    """Wait for the end of a Pod that is being deleted, and report it if it is overdue."""
    message, limit = does_not_end(facts, pod), overdue(pod)
    if not message:
        return BotPlan(status=bot_status.unchanged(facts), requeue_after=until(facts, limit) if limit else None)
    phase = facts.bot.status.phase or BotPhase.PENDING
    return BotPlan(status=bot_status.in_trouble(facts, phase, BotReason.INFRASTRUCTURE_LOST, message))


def withdrawn(facts: BotFacts, message: str) -> BotPlan:
    """The attempt ends because its author changed something: uncounted, and the next one need not wait."""
    return _commit(bot_status.going_well(facts, BotPhase.PENDING, message, **_withdrawal(facts, message)))


def blocked(facts: BotFacts, problem: Problem) -> BotPlan:
    """The attempt ends, uncounted, because of the meeting or the template."""
    changes = _withdrawal(facts, problem.message)
    return _commit(bot_status.blocked(facts, BotPhase.PENDING, problem, **changes))


def _withdrawal(facts: BotFacts, message: str) -> dict[str, Any]:
    status = facts.bot.status
    # A bot that waits for its user may be past its start deadline; the next attempt has its own.
    waits = status.phase is BotPhase.WAITING_FOR_USER
    return {
        "last_attempt": _attempt(facts, facts.pod, reason=WITHDRAWN, message=message),
        "attempts": max(0, status.attempts - 1),
        "next_attempt_time": bot_status.whole_seconds(facts.now) if waits else status.next_attempt_time,
        "waiting_since": None,
        "pod_name": bot_status.known_pod(facts),
    }


def resumed(facts: BotFacts) -> BotPlan:
    """The next attempt of a bot that had left because it was suspended is due now."""
    due = bot_status.whole_seconds(facts.now)
    status = bot_status.going_well(
        facts, BotPhase.PENDING, "The bot is resumed.", next_attempt_time=due, waiting_since=None
    )
    return _commit(status)


def _bot_failed(facts: BotFacts, pod: PodState, end: PodEnd) -> BotPlan:
    status, retry = facts.bot.status, facts.bot.spec.retry
    message = end.message
    attempt = _attempt(facts, pod, reason=BotReason.BOT_FAILED, message=end.record or message)
    code = end.container.exit_code if end.container is not None else None
    if is_run_over(facts):
        message = f"{message}. The meeting has ended; no attempt follows."
        return _commit(bot_status.failed(facts, BotReason.BOT_FAILED, message, last_attempt=attempt))
    if status.attempts > retry.limit or code in retry.never_on_exit_codes:
        return _commit(bot_status.failed(facts, BotReason.BOT_FAILED, message, last_attempt=attempt))
    pause = restart_pause(retry, attempts=status.attempts)
    new_status = bot_status.in_trouble(
        facts,
        BotPhase.STAGING,
        BotReason.BOT_FAILED,
        f"{message}. Attempt {status.attempts + 1} of {retry.limit + 1} follows in {pause} s.",
        last_attempt=attempt,
        waiting_since=_still_waits_since(facts, attempt),
        next_attempt_time=_rounded_up(facts.now + timedelta(seconds=pause)),
    )
    return _commit(new_status)


def _wait_for_user(facts: BotFacts, pod: PodState, end: PodEnd) -> BotPlan:
    status, on_behalf = facts.bot.status, facts.bot.spec.on_behalf
    message = telling_line(end.record) or f"{end.message}."
    attempt = _attempt(facts, pod, reason=BotReason.USER_NOT_IN_MEETING, message=end.record.strip() or message)
    since = _still_waits_since(facts, attempt) or bot_status.whole_seconds(facts.now)
    following = _rounded_up(facts.now + timedelta(seconds=on_behalf.retry_seconds))
    if following > since + timedelta(seconds=on_behalf.wait_seconds):
        return _commit(bot_status.failed(facts, BotReason.USER_NOT_IN_MEETING, message, last_attempt=attempt))
    new_status = bot_status.in_trouble(
        facts,
        BotPhase.WAITING_FOR_USER,
        BotReason.USER_NOT_IN_MEETING,
        message,
        last_attempt=attempt,
        attempts=max(0, status.attempts - 1),
        waiting_since=since,
        next_attempt_time=following,
    )
    return _commit(new_status)


def _failed(facts: BotFacts, reason: BotReason, message: str) -> BotPlan:
    attempt = _attempt(facts, facts.pod, reason=reason, message=message)
    return _commit(bot_status.failed(facts, reason, message, last_attempt=attempt))


def _commit(status: BotStatus) -> BotPlan:
    return BotPlan(status=status, action=Commit())


def _attempt(facts: BotFacts, pod: PodState | None, *, reason: str, message: str) -> Attempt:
    bot = pod.bot if pod else None
    ended_at = bot.finished_at if bot and bot.finished_at else facts.now
    return Attempt(
        pod_name=facts.bot.status.pod_name or "",
        node=pod.node if pod else "",
        reason=reason,
        message=message,
        exit_code=bot.exit_code if bot else None,
        start_time=bot.started_at if bot else None,
        end_time=bot_status.whole_seconds(ended_at),
    )


def _rounded_up(moment: datetime) -> datetime:
    return bot_status.whole_seconds(moment + timedelta(seconds=0.999999))
