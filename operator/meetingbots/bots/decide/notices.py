"""Which notices about a bot are due.

They follow from its status alone, so that a restart loses and repeats none: the status keeps the time of every fact,
and lists the notices that the webhook has accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from meetingbots.bots.decide.pod_state import attempt_of
from meetingbots.models.bot import BotNotification, BotPhase, BotReason, BotStatus, MeetingBot
from meetingbots.models.conditions import ConditionStatus, ConditionType, find

GIVE_UP: Final = timedelta(days=1)
"""A fact that is older is not noticed."""
_BEFORE_THE_WEBHOOK: Final = timedelta(minutes=5)
"""How much older than the webhook a fact may be: both may have been created together."""
HOLD: Final = timedelta(minutes=2)
"""How long the deletion of a finished bot waits for its notices."""


class BotNoticeType(StrEnum):
    """The types of notices, in the usual order."""

    SCHEDULED = "bot.scheduled"
    JOINING = "bot.joining"
    WAITING = "bot.waiting"
    ADMITTED = "bot.admitted"
    RECORDING = "bot.recording"
    DONE = "bot.done"
    FAILED = "bot.failed"


_RANK: Final = {kind: rank for rank, kind in enumerate(BotNoticeType)}
_REPEATED: Final = frozenset({BotNoticeType.JOINING, BotNoticeType.WAITING})
"""A later attempt joins, and may wait, again. Every other fact is noticed once."""


@dataclass(frozen=True, kw_only=True)
class BotNotice:
    """Something that happened to a bot at a time."""

    type: BotNoticeType
    at: datetime
    reason: str
    message: str = ""

    @property
    def repeats(self) -> bool:
        """Whether a bot may have several notices of this type."""
        return self.type in _REPEATED


def due_notices(bot: MeetingBot, *, now: datetime, webhook_created_at: datetime | None = None) -> list[BotNotice]:
    """The notices that the webhook has not accepted yet, in order.

    Facts from before the webhook, and those too old to be of use, are left out.
    """
    oldest = now - GIVE_UP
    if webhook_created_at is not None:
        oldest = max(oldest, webhook_created_at - _BEFORE_THE_WEBHOOK)
    sent = {one.type: one for one in bot.status.notifications}
    due = [one for one in _notices(bot) if one.at >= oldest and _is_news(one, sent.get(one.type))]
    return sorted(due, key=lambda one: (_stage(one, bot.status), one.at, _RANK[one.type]))


def with_accepted(known: list[BotNotification], notice: BotNotice, *, now: datetime) -> list[BotNotification]:
    """The accepted notices with one more; a type occurs once, with its latest."""
    accepted = BotNotification(type=notice.type, event_time=notice.at, time=now.replace(microsecond=0))
    return [*(one for one in known if one.type != notice.type), accepted]


def _is_news(notice: BotNotice, sent: BotNotification | None) -> bool:
    if sent is None:
        return True
    return notice.repeats and (sent.event_time is None or notice.at > sent.event_time)


def _stage(notice: BotNotice, status: BotStatus) -> int:
    """The part of a bot's life that a notice belongs to; Zoom's clock and ours order only what is within one part."""
    if notice.type is BotNoticeType.SCHEDULED:
        return 0
    if notice.type in (BotNoticeType.DONE, BotNoticeType.FAILED):
        return 3
    first = status.pod_name is None or attempt_of(status.pod_name) == 1
    before_meeting = notice.type is BotNoticeType.JOINING or notice.reason == BotReason.USER_NOT_IN_MEETING
    return 1 if before_meeting and first else 2


def _notices(bot: MeetingBot) -> Iterator[BotNotice]:
    """Everything noticeable that the status shows."""
    status = bot.status
    yield from _before_joining(bot)
    token, seen = status.token, status.in_meeting
    if token is not None and token.delivered_time is not None:
        issued = find(status.conditions, ConditionType.TOKEN_ISSUED)
        yield BotNotice(
            type=BotNoticeType.JOINING,
            at=token.delivered_time,
            reason=token.reason or "Joining",
            message=issued.message if issued is not None else "",
        )
    if seen is not None:
        for kind, time, reason in (
            (BotNoticeType.WAITING, seen.waiting_room_time, "InWaitingRoom"),
            (BotNoticeType.ADMITTED, seen.admitted_time, "Admitted"),
            (BotNoticeType.RECORDING, seen.recording_time, "Recording"),
        ):
            if time is not None:
                yield BotNotice(type=kind, at=time, reason=reason)
    ready = status.ready
    if status.finished and status.completion_time is not None and ready is not None:
        kind = BotNoticeType.FAILED if status.phase is BotPhase.FAILED else BotNoticeType.DONE
        yield BotNotice(type=kind, at=status.completion_time, reason=ready.reason, message=ready.message)


def _before_joining(bot: MeetingBot) -> Iterator[BotNotice]:
    status = bot.status
    created_at = bot.metadata.creation_timestamp
    accepted = status.phase not in (None, BotPhase.PENDING) and status.meeting_id is not None
    if accepted and created_at is not None:
        # A bot that was suspended, or that had an invalid link, is scheduled when it becomes ready.
        ready = status.ready
        waits = status.phase is BotPhase.SCHEDULED and ready is not None and ready.status is ConditionStatus.TRUE
        at = ready.last_transition_time if waits and ready is not None else created_at
        yield BotNotice(type=BotNoticeType.SCHEDULED, at=at, reason="Scheduled")
    if status.waiting_since is not None and status.phase is BotPhase.WAITING_FOR_USER:
        yield BotNotice(type=BotNoticeType.WAITING, at=status.waiting_since, reason=BotReason.USER_NOT_IN_MEETING)
