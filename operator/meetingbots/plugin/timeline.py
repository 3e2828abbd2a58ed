"""One line for each event of a MeetingBot, merged from status, Kubernetes Events and mapping, relative to joinAt."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from meetingbots.plugin.answer import Line
from meetingbots.plugin.facts import BotStory


def timeline(story: BotStory) -> list[str]:
    """The lines, the oldest first."""
    lines = sorted(_lines(story), key=lambda line: line.time or story.bot.join_at)
    return [f"{_relative(line.time or story.bot.join_at, story.bot.join_at):>9}  {line.text}" for line in lines]


def _lines(story: BotStory) -> Iterator[Line]:
    status = story.bot.status
    # In order of cause and effect: several may have the same second.
    moments: list[tuple[datetime | None, str]] = [
        (story.bot.metadata.creation_timestamp, "MeetingBot created"),
        (story.bot.join_at, "joinAt"),
    ]
    if status.token is not None:
        moments += [
            (status.token.issued_time, f"tokens issued: {', '.join(status.token.kinds)}"),
            (status.token.delivered_time, "tokens delivered"),
        ]
    moments.append((status.start_time, "container bot started"))
    if status.in_meeting is not None:
        seen = status.in_meeting
        moments += [
            (seen.waiting_room_time, "in the waiting room"),
            (seen.admitted_time, "admitted"),
            (seen.recording_time, "recording"),
            (seen.left_time, "left the meeting"),
        ]
    if status.last_attempt is not None:
        moments.append((status.last_attempt.end_time, f"attempt ended: {status.last_attempt.reason}"))
    moments.append((status.completion_time, f"finished: {status.phase}"))
    yield from (Line(text, time) for time, text in moments if time is not None)
    yield from (Line(f"{event.reason}: {event.message}", event.time) for event in story.events)


def _relative(time: datetime, to: datetime) -> str:
    seconds = round((time - to).total_seconds())
    sign, seconds = ("-" if seconds < 0 else "+"), abs(seconds)
    if seconds < 3600:
        return f"{sign}{seconds // 60:02d}:{seconds % 60:02d}"
    return f"{sign}{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"
