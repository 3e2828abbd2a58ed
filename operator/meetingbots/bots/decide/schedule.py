"""The times of a bot: when its Pod is created, when it joins, and by when it must have started.

Any joinAt that Kubernetes accepts works, including the years 1 and 9999.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta

from meetingbots.bots.decide.facts import BotFacts
from meetingbots.models.bot import MeetingBot

WITHDRAWN = "Withdrawn"
"""Reason of an attempt that its author took back."""
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
_PREPARE_SECONDS = 4.0
_PREPARE_SPREAD_SECONDS = 8.0
_LAST_TRY_SECONDS = 5.0
"""Time for the last token request after the wait for the user and for transient failures."""


def shifted(moment: datetime, *, seconds: float) -> datetime:
    """`moment` plus `seconds`, which may be negative, within the range of a datetime."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return _LAST if seconds > 0 else _FIRST


def join_time(bot: MeetingBot) -> datetime:
    """When the bot joins.

    Once it was in its meeting, a later joinAt is ignored, also by a replacement, unless its author suspended it.
    """
    status = bot.status
    last = status.last_attempt
    if status.start_time is None or status.scheduled_time is None or last is None or last.reason == WITHDRAWN:
        return bot.join_at
    return min(bot.join_at, status.scheduled_time)


def lead_time(bot: MeetingBot) -> datetime:
    """When the bot's Pod is created."""
    return shifted(join_time(bot), seconds=-bot.spec.lead_seconds)


def prepare_time(bot: MeetingBot) -> datetime:
    """When to read ahead what the token requests need; spread, because many bots join at the full hour."""
    spread = zlib.crc32(bot.metadata.uid.encode()) / 2**32 * _PREPARE_SPREAD_SECONDS
    return shifted(join_time(bot), seconds=-_PREPARE_SECONDS - spread)


def attempt_due(bot: MeetingBot) -> datetime:
    """When the current attempt starts: at joinAt, or when a replacement is due."""
    due = join_time(bot)
    return max(due, bot.status.next_attempt_time or due)


def start_deadline(bot: MeetingBot) -> datetime:
    """By when the current attempt must have started; each replacement has its own deadline."""
    return shifted(attempt_due(bot), seconds=bot.spec.start_deadline_seconds)


def waits_since(bot: MeetingBot) -> datetime | None:
    """Since when the bot has waited for its user, across its Pods, at its current joinAt; None if it has not."""
    since = bot.status.waiting_since
    return None if since is None else max(since, join_time(bot))


def user_deadline(bot: MeetingBot) -> datetime:
    """Until when the bot waits for its user."""
    return shifted(waits_since(bot) or attempt_due(bot), seconds=bot.spec.on_behalf.wait_seconds)


def gate_deadline(facts: BotFacts) -> datetime:
    """Until when the Pod may wait at its gate: `startDeadlineSeconds`, or as long as the bot waits for its user."""
    bot, failure = facts.bot, facts.token_failure
    limit = start_deadline(bot)
    if facts.on_behalf_user is None and not (failure is not None and failure.user_absent):
        return limit
    return max(limit, shifted(user_deadline(bot), seconds=bot.spec.token_wait_seconds + _LAST_TRY_SECONDS))


def until(facts: BotFacts, moment: datetime, *, at_most: float = 86_400.0) -> float:
    """The seconds from `facts.now` to `moment`, between 0 and `at_most`."""
    return min(at_most, max(0.0, (moment - facts.now).total_seconds()))
