"""When a meeting needs no watching any more: the operator alone takes its mapping's label off, once nobody is in it.

The label of running meetings stays behind a meeting's end until the bots that were in it have left; so a bot learns of
the end also from a process that was not there when it was told.
"""

from __future__ import annotations

from collections.abc import Iterable

from meetingbots.bots.decide.leave import meeting_end
from meetingbots.bots.decide.status import is_finished
from meetingbots.models.bot import MeetingBot
from meetingbots.models.mapping import MappingPhase, MeetingMapping


def is_dealt_with(mapping: MeetingMapping, bots: Iterable[MeetingBot]) -> bool:
    """Whether the meeting is over and none of its `bots` has still to hear of that."""
    if mapping.status.phase is MappingPhase.LIVE:
        return False
    return not any(meeting_end(bot, mapping) is not None and not is_finished(bot.status) for bot in bots)
