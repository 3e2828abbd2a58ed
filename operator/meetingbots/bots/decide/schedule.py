"""The moments of a bot's life: when its Pod is made, when it joins, by when it must have started.

Any joinAt that Kubernetes takes is dealt with, the years 1 and 9999 too.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta

from meetingbots.bots.decide.facts import BotFacts
from meetingbots.models.bot import MeetingBot

WITHDRAWN = "Withdrawn"
"""Reason of an attempt that its author took back."""
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


def join_time(bot: MeetingBot) -> datetime:
    """When the bot joins: its joinAt. Once it was in its meeting, a later joinAt is ignored, also by a replacement.

    One that was told to leave by its author (suspended) may be moved.
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
    """From when on what the tokens are asked with is read ahead; spread, as many bots join at the full hour."""
    spread = zlib.crc32(bot.metadata.uid.encode()) / 2**32 * _PREPARE_SPREAD_SECONDS
    return shifted(join_time(bot), seconds=-_PREPARE_SECONDS - spread)


def attempt_due(bot: MeetingBot) -> datetime:
    """When the present attempt is to start: at joinAt, or when a replacement was due."""
    due = join_time(bot)
    return max(due, bot.status.next_attempt_time or due)


def start_deadline(bot: MeetingBot) -> datetime:
    """Until when the present attempt must have started; a replacement has its own deadline."""
    return shifted(attempt_due(bot), seconds=bot.spec.start_deadline_seconds)


def until(facts: BotFacts, moment: datetime, *, at_most: float = 86_400.0) -> float:
    """How many seconds there are to `moment`, at most a day."""
    return min(at_most, max(0.0, (moment - facts.now).total_seconds()))
