"""The moments of a bot's life: when its Pod is made, when it joins, by when it must have started.

Any joinAt that Kubernetes takes is dealt with, the years 1 and 9999 too.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta

from meetingbots.decide.bot_facts import BotFacts
from meetingbots.models.bot import MeetingBot

_FIRST = datetime.min.replace(tzinfo=UTC)
_PREPARE_SECONDS = 4.0
_PREPARE_SPREAD_SECONDS = 8.0
_LAST = datetime.max.replace(tzinfo=UTC)


def shifted(moment: datetime, *, seconds: float) -> datetime:
    """`moment` plus so many seconds (may be negative), within what a calendar can hold."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return _LAST if seconds > 0 else _FIRST


def lead_time(bot: MeetingBot) -> datetime:
    """When the bot's Pod is created."""
    return shifted(bot.join_at, seconds=-bot.spec.lead_seconds)


def prepare_time(bot: MeetingBot) -> datetime:
    """From when on what the tokens are asked with is read ahead; spread, as many bots join at the full hour."""
    spread = zlib.crc32(bot.metadata.uid.encode()) / 2**32 * _PREPARE_SPREAD_SECONDS
    return shifted(bot.join_at, seconds=-_PREPARE_SECONDS - spread)


def attempt_due(bot: MeetingBot) -> datetime:
    """When the present attempt is to start: at joinAt, or when a replacement was due."""
    return max(bot.join_at, bot.status.next_attempt_time or bot.join_at)


def start_deadline(bot: MeetingBot) -> datetime:
    """Until when the present attempt must have started; a replacement has its own deadline."""
    return shifted(attempt_due(bot), seconds=bot.spec.start_deadline_seconds)


def deletion_time(bot: MeetingBot, *, completed: datetime) -> datetime | None:
    """When a bot that is over is deleted by its time to live; None if it stays.

    Never before one that Git has created again with the same spec would be Expired: it would join a second time.
    """
    ttl = bot.spec.ttl_seconds_after_finished
    if ttl is None:
        return None
    # A creation is stored in whole seconds, and only one after the deadline is too late.
    expired = shifted(bot.join_at, seconds=bot.spec.start_deadline_seconds + 1)
    return max(shifted(completed, seconds=ttl), expired)


def until(facts: BotFacts, moment: datetime, *, at_most: float = 86_400.0) -> float:
    """How many seconds there are to `moment`, at most a day."""
    return min(at_most, max(0.0, (moment - facts.now).total_seconds()))
