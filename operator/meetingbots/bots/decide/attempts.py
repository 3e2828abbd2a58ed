"""The end of one attempt: whose fault it was, whether it counts, and when the next one begins.

Losses of infrastructure never count as attempts; failures of the bot do, up to `retry.limit`; exit code 75 asks for a
new Pod because the person it waits for is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from meetingbots.bots.decide import status as bot_status
from meetingbots.bots.decide.actions import BotPlan, Commit
from meetingbots.bots.decide.facts import BotFacts
from meetingbots.bots.decide.leave import leave
from meetingbots.bots.decide.pod_state import ContainerState, PodState
from meetingbots.bots.decide.schedule import WITHDRAWN, join_time, shifted
from meetingbots.models.bot import Attempt, BotPhase, BotReason, BotStatus, MeetingBot

TROUBLES: Mapping[str, BotReason] = {
    "ImagePull": BotReason.IMAGE_PULL_FAILED,
    "Config": BotReason.CONFIG_ERROR,
    "Unschedulable": BotReason.UNSCHEDULABLE,
}
TRY_AGAIN_EXIT_CODE = 75
"""sysexits' EX_TEMPFAIL: the bot asks for a new Pod with new tokens."""
MAX_INFRASTRUCTURE_RESTARTS = 10
_FIRST_INFRASTRUCTURE_BACKOFF = 1.0
_LAST_INFRASTRUCTURE_BACKOFF = 60.0
_LAST_BACKOFF = 300
"""As the kubelet's pauses between restarts. A `backoffSeconds` that is longer is its own limit."""
_MOST_DOUBLINGS = 16
LEFT_SUSPENDED = "The bot was suspended and has left the meeting."


def ended(facts: BotFacts, pod: PodState) -> BotPlan:
    """What follows from a Pod that is over."""
    bot = pod.bot
    if pod.ended_from_outside:
        return _taken_away(facts, pod)
    if pod.succeeded:
        words = f"The bot has left the meeting; Pod {pod.name} ended."
        attempt = _attempt(facts, pod, reason="Completed", message=bot.message if bot else "")
        return _commit(
            bot_status.going_well(
                facts,
                BotPhase.SUCCEEDED,
                words,
                last_attempt=attempt,
                start_time=facts.bot.status.start_time or attempt.start_time,
                completion_time=attempt.end_time,
                next_attempt_time=None,
            )
        )
    if pod.lost_to_infrastructure:
        return lost(facts, f"Pod {pod.name}: {pod.message or pod.reason or pod.disruption}")
    if pod.reason == "DeadlineExceeded":
        words = f"Pod {pod.name} ran into its activeDeadlineSeconds."
        attempt = _attempt(facts, pod, reason=BotReason.MAX_DURATION_EXCEEDED, message=words)
        return _commit(bot_status.failed(facts, BotReason.MAX_DURATION_EXCEEDED, words, last_attempt=attempt))
    never = facts.bot.spec.retry.never_on_exit_codes
    if bot is not None and bot.exit_code == TRY_AGAIN_EXIT_CODE and TRY_AGAIN_EXIT_CODE not in never:
        return _wait_for_user(facts, pod, bot)
    guilty = bot if bot is not None and bot.terminated else next((item for item in pod.init if item.exit_code), None)
    if guilty is None:
        return lost(facts, f"Pod {pod.name} was rejected: {pod.message or pod.reason or 'no reason given'}")
    return _bot_failed(facts, pod, guilty)


def _taken_away(facts: BotFacts, pod: PodState) -> BotPlan:
    if facts.bot.spec.suspend:
        return withdrawn(facts, LEFT_SUSPENDED)
    ended_at, told_at = facts.meeting_ended_at, pod.told_to_end_at or facts.now
    if ended_at is not None and told_at >= ended_at and pod.started:
        return left_after_end(facts)
    cause = leave(facts, pod)
    if cause is not None and cause.reason is BotReason.MAX_DURATION_EXCEEDED and told_at >= cause.at:
        return stayed_too_long(facts)
    return lost(facts, f"Pod {pod.name}: {pod.disruption}" if pod.disruption else f"Pod {pod.name} was deleted.")


def left_after_end(facts: BotFacts) -> BotPlan:
    """The bot was in the meeting, and left it because it ended."""
    words = "The meeting has ended, and the bot has left."
    attempt = _attempt(facts, facts.pod, reason=BotReason.MEETING_ENDED, message=words)
    return _commit(
        bot_status.going_well(
            facts,
            BotPhase.SUCCEEDED,
            words,
            reason=BotReason.MEETING_ENDED,
            last_attempt=attempt,
            start_time=facts.bot.status.start_time or attempt.start_time,
            completion_time=attempt.end_time,
            next_attempt_time=None,
        )
    )


def stayed_too_long(facts: BotFacts) -> BotPlan:
    """The bot ran until `maxDurationSeconds` were over, and was told to leave."""
    words = f"The bot ran for maxDurationSeconds ({facts.bot.spec.max_duration_seconds} s) and was told to leave."
    attempt = _attempt(facts, facts.pod, reason=BotReason.MAX_DURATION_EXCEEDED, message=words)
    return _commit(bot_status.failed(facts, BotReason.MAX_DURATION_EXCEEDED, words, last_attempt=attempt))


def too_late(facts: BotFacts, words: str, **changes: Any) -> BotPlan:
    """The meeting ended before the bot could join it (again): no attempt follows."""
    told = f"{words} The meeting has ended; no attempt follows.".strip()
    return _commit(bot_status.failed(facts, BotReason.MEETING_ENDED, told, **changes))


def over_between_attempts(facts: BotFacts) -> BotPlan:
    """The meeting ended while no Pod of the bot was in it."""
    status = facts.bot.status
    last = status.last_attempt
    if last is not None and last.reason == BotReason.USER_NOT_IN_MEETING and _was_in(last, facts):
        # Who comes on someone's behalf is put out when that person leaves, which is how most meetings end.
        words = "The bot had to leave with its user, and the meeting has ended since."
        return _commit(
            bot_status.going_well(
                facts,
                BotPhase.SUCCEEDED,
                words,
                reason=BotReason.MEETING_ENDED,
                completion_time=last.end_time,
                next_attempt_time=None,
            )
        )
    return too_late(facts, last.message if last is not None and bot_status.accounted(status) else "")


def _was_in(last: Attempt, facts: BotFacts) -> bool:
    """Whether a try lasted so long that the bot must have been let in."""
    return _stay(last, facts) > facts.bot.spec.on_behalf.retry_seconds


def _stay(last: Attempt, facts: BotFacts) -> float:
    """How many seconds the bot ran; from the delivery on where its Pod left no trace."""
    delivered = facts.delivery.delivered_at if facts.delivery is not None else None
    ran = facts.bot.status.phase is BotPhase.RUNNING
    began = last.start_time or (delivered if ran else None)
    return (last.end_time - began).total_seconds() if began is not None and last.end_time is not None else 0.0


def waits_since(bot: MeetingBot) -> datetime | None:
    """Since when the bot has waited for its user, over its Pods, at its present joinAt; None if it has not."""
    since = bot.status.waiting_since
    return None if since is None else max(since, join_time(bot))


def _waits_on_since(facts: BotFacts, attempt: Attempt) -> datetime | None:
    """The same at the end of an attempt, without the time that the bot was in the meeting.

    After a stay that was longer than the whole wait may be, that begins anew.
    """
    since, stay = waits_since(facts.bot), _stay(attempt, facts)
    if since is None or stay > facts.bot.spec.on_behalf.wait_seconds:
        return None
    return bot_status.whole_seconds(shifted(since, seconds=stay)) if _was_in(attempt, facts) else since


def lost(facts: BotFacts, words: str) -> BotPlan:
    """The attempt is lost through nobody's fault here: a new Pod with new tokens, uncounted."""
    status = facts.bot.status
    if facts.meeting_ended_at is not None:
        attempt = _attempt(facts, facts.pod, reason=BotReason.INFRASTRUCTURE_LOST, message=words)
        return too_late(facts, words, last_attempt=attempt, infrastructure_restarts=status.infrastructure_restarts)
    restarts = status.infrastructure_restarts + 1
    attempt = _attempt(facts, facts.pod, reason=BotReason.INFRASTRUCTURE_LOST, message=words)
    if restarts > MAX_INFRASTRUCTURE_RESTARTS:
        return _commit(bot_status.failed(facts, BotReason.INFRASTRUCTURE_LOST, words, last_attempt=attempt))
    pause = min(_LAST_INFRASTRUCTURE_BACKOFF, _FIRST_INFRASTRUCTURE_BACKOFF * 2 ** (restarts - 1))
    return _commit(
        bot_status.in_trouble(
            facts,
            BotPhase.STAGING,
            BotReason.INFRASTRUCTURE_LOST,
            f"{words} A new Pod follows.",
            last_attempt=attempt,
            attempts=max(0, status.attempts - 1),
            infrastructure_restarts=restarts,
            waiting_since=_waits_on_since(facts, attempt),
            next_attempt_time=_ceil(facts.now + timedelta(seconds=pause)),
        ),
    )


def withdrawn(facts: BotFacts, words: str) -> BotPlan:
    """The attempt ends because its author changed something: uncounted, and nothing to wait for."""
    attempt = _attempt(facts, facts.pod, reason=WITHDRAWN, message=words)
    attempts = max(0, facts.bot.status.attempts - 1)
    return _commit(
        bot_status.going_well(
            facts, BotPhase.PENDING, words, last_attempt=attempt, attempts=attempts, waiting_since=None
        )
    )


def resumed(facts: BotFacts) -> BotPlan:
    """A bot that had to leave because it was suspended may come again: its next attempt is due now."""
    due = bot_status.whole_seconds(facts.now)
    words = "The bot is resumed."
    return _commit(bot_status.going_well(facts, BotPhase.PENDING, words, next_attempt_time=due, waiting_since=None))


def _bot_failed(facts: BotFacts, pod: PodState, guilty: ContainerState) -> BotPlan:
    status, retry = facts.bot.status, facts.bot.spec.retry
    detail = f": {guilty.message.strip()}" if guilty.message.strip() else ""
    words = f"Container {guilty.name} of Pod {pod.name} ended with exit code {guilty.exit_code}{detail}"
    attempt = _attempt(facts, pod, reason=BotReason.BOT_FAILED, message=guilty.message or words)
    if facts.meeting_ended_at is not None:
        words = f"{words.rstrip('.')}. The meeting has ended; no attempt follows."
        return _commit(bot_status.failed(facts, BotReason.BOT_FAILED, words, last_attempt=attempt))
    if status.attempts > retry.limit or guilty.exit_code in retry.never_on_exit_codes:
        return _commit(bot_status.failed(facts, BotReason.BOT_FAILED, words, last_attempt=attempt))
    pause = _backoff(retry.backoff_seconds, failures=status.attempts)
    return _commit(
        bot_status.in_trouble(
            facts,
            BotPhase.STAGING,
            BotReason.BOT_FAILED,
            f"{words.rstrip('.')}. Attempt {status.attempts + 1} of {retry.limit + 1} follows in {pause} s.",
            last_attempt=attempt,
            waiting_since=_waits_on_since(facts, attempt),
            next_attempt_time=_ceil(facts.now + timedelta(seconds=pause)),
        ),
    )


def _backoff(first: int, *, failures: int) -> int:
    """Seconds before the next attempt: doubled with each failure, up to what is still of use in a meeting."""
    doubled = first << min(max(0, failures - 1), _MOST_DOUBLINGS)
    return min(max(first, _LAST_BACKOFF), doubled)


def _wait_for_user(facts: BotFacts, pod: PodState, bot: ContainerState) -> BotPlan:
    status, on_behalf = facts.bot.status, facts.bot.spec.on_behalf
    words = bot.message.strip() or "The bot asks for a new try (exit code 75): its user is not in the meeting yet."
    attempt = _attempt(facts, pod, reason=BotReason.USER_NOT_IN_MEETING, message=words)
    since = _waits_on_since(facts, attempt) or bot_status.whole_seconds(facts.now)
    following = _ceil(facts.now + timedelta(seconds=on_behalf.retry_seconds))
    if following > since + timedelta(seconds=on_behalf.wait_seconds):
        return _commit(bot_status.failed(facts, BotReason.USER_NOT_IN_MEETING, words, last_attempt=attempt))
    return _commit(
        bot_status.in_trouble(
            facts,
            BotPhase.WAITING_FOR_USER,
            BotReason.USER_NOT_IN_MEETING,
            words,
            last_attempt=attempt,
            attempts=max(0, status.attempts - 1),
            waiting_since=since,
            next_attempt_time=following,
        ),
    )


def _commit(told: BotStatus) -> BotPlan:
    return BotPlan(status=told, action=Commit())


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


def _ceil(moment: datetime) -> datetime:
    return bot_status.whole_seconds(moment + timedelta(seconds=0.999999))
