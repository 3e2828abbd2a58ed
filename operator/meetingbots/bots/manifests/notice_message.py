"""Encodes a notice about a bot as a message for the namespace's webhook."""

from __future__ import annotations

from typing import Any

from meetingbots.bots.decide.notices import BotNotice
from meetingbots.models.base import format_time
from meetingbots.models.bot import MeetingBot
from meetingbots.runtime.standard_webhooks import WebhookMessage, message_body, message_id


def notice_message(notice: BotNotice, *, bot: MeetingBot) -> WebhookMessage:
    """Return the message, with the times that are known when it is sent. It holds no passcode, link or token."""
    status, seen = bot.status, bot.status.in_meeting
    times = {
        "joinAt": status.scheduled_time,
        "startTime": status.start_time,
        "waitingRoomTime": seen.waiting_room_time if seen is not None else None,
        "admittedTime": seen.admitted_time if seen is not None else None,
        "recordingTime": seen.recording_time if seen is not None else None,
        "leftTime": seen.left_time if seen is not None else None,
        "completionTime": status.completion_time,
    }
    data: dict[str, Any] = {
        "namespace": bot.namespace,
        "name": bot.name,
        "uid": bot.metadata.uid,
        "labels": dict(bot.metadata.labels),
        "meetingId": status.meeting_id or "",
        "phase": status.phase or "",
        "reason": notice.reason,
        "message": notice.message,
        "attempts": status.attempts,
        "tokens": list(status.token.kinds) if status.token is not None else [],
        **{name: format_time(time) for name, time in times.items() if time is not None},
    }
    return WebhookMessage(
        id=message_id(bot.metadata.uid, notice.type, format_time(notice.at) if notice.repeats else ""),
        body=message_body(notice.type, at=notice.at, data=data),
    )
