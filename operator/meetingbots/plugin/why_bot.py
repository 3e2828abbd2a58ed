"""Explains a MeetingBot: its meeting, mapping, credentials, token, Pod and progress, then the cause and the remedy.

The timeline merges status, Kubernetes Events and mapping, relative to joinAt.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from meetingbots.models.bot import BotPhase, BotReason, MeetingBot
from meetingbots.models.conditions import Condition, ConditionStatus, ConditionType, find
from meetingbots.plugin.answer import OF_BOTS, OF_PHASES, Answer, Line
from meetingbots.plugin.reader import BotStory


def timeline(story: BotStory) -> list[str]:
    """The lines, the oldest first."""
    lines = sorted(_events(story), key=lambda line: line.time or story.bot.join_at)
    return [f"{_relative(line.time or story.bot.join_at, story.bot.join_at):>9}  {line.text}" for line in lines]


def _events(story: BotStory) -> Iterator[Line]:
    status = story.bot.status
    # In order of cause and effect: several may have the same second.
    moments: list[tuple[datetime | None, str]] = [
        (story.bot.metadata.creation_timestamp, "MeetingBot created"),
        (story.bot.join_at, "joinAt"),
    ]
    if status.token is not None:
        kinds = ", ".join(status.token.kinds)
        delivered = "tokens delivered" if kinds else ": ".join(filter(None, ("no token", status.token.reason)))
        moments += [(status.token.issued_time, f"tokens issued: {kinds}"), (status.token.delivered_time, delivered)]
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


def explain(story: BotStory) -> Answer:
    """The answer to `why BOT`."""
    bot = story.bot
    ready = find(bot.status.conditions, ConditionType.READY)
    phase = bot.status.phase or BotPhase.PENDING
    return Answer(
        subject=f"MeetingBot {bot.name}: {phase}",
        story=(*_meeting(story), *_token(bot), *_pod(story), *_progress(bot), *_end(bot)),
        cause=ready.message if ready is not None and ready.message else "The operator has not processed it yet.",
        remedy=_remedy(bot, ready),
        well=ready is not None and ready.status is ConditionStatus.TRUE,
        unread=story.unread,
    )


def _remedy(bot: MeetingBot, ready: Condition | None) -> str:
    phase = bot.status.phase or BotPhase.PENDING
    if ready is not None and ready.reason in set(BotReason):
        remedy = OF_BOTS[BotReason(ready.reason)]
        return remedy.replace("POD", bot.status.last_attempt.pod_name) if bot.status.last_attempt else remedy
    return OF_PHASES[phase]


def _meeting(story: BotStory) -> Iterator[Line]:
    bot, meeting = story.bot, story.bot.spec.meeting
    if meeting.id is not None:
        source = "spec.meeting.id"
    elif meeting.url is not None:
        source = "the link in spec.meeting.url"
    else:
        source = "the link in a Secret"
    if bot.status.meeting_id:
        yield Line(f"The meeting is {bot.status.meeting_id}, from {source}.")
    else:
        yield Line(f"The meeting is not known yet; it comes from {source}.")
    yield Line("The bot joins at this time.", bot.join_at)
    mapping = story.mapping
    if mapping is None:
        if bot.status.meeting_id:
            yield Line("No MeetingMapping is known for this meeting.")
        return
    entries = [f"{entry.name} (entered by people)" for entry in mapping.spec.credentials]
    entries += [f"{entry.name} ({entry.role}, found by {entry.source})" for entry in mapping.status.credentials]
    yield Line(f"The MeetingMapping names {', '.join(entries) or 'no credential'}.")
    for credential in story.credentials:
        ready = find(credential.status.conditions, ConditionType.READY)
        state = f"{ready.reason}: {ready.message}" if ready is not None else "not processed yet"
        yield Line(f"ZoomCredential {credential.name} is {state}")


def _token(bot: MeetingBot) -> Iterator[Line]:
    issued, token = find(bot.status.conditions, ConditionType.TOKEN_ISSUED), bot.status.token
    if issued is not None:
        yield Line(
            issued.message or f"TokenIssued is {issued.status} ({issued.reason}).",
            token.issued_time if token is not None else None,
        )
    if token is not None and token.kinds and token.delivered_time is not None:
        yield Line(f"The tokens ({', '.join(token.kinds)}) were delivered to the Pod.", token.delivered_time)


def _pod(story: BotStory) -> Iterator[Line]:
    status, pod = story.bot.status, story.pod
    if status.infrastructure_restarts:
        yield Line(f"{status.infrastructure_restarts} Pods were replaced after infrastructure losses.")
    if pod is not None:
        where = f" on node {pod.node}" if pod.node else ""
        yield Line(f"Pod {pod.name}{where} is {pod.phase}{f': {pod.message}' if pod.message else ''}.")
        if pod.unschedulable:
            yield Line(f"No node fits: {pod.unschedulable}")
        if pod.bot is not None and pod.bot.message and not pod.bot.terminated and pod.bot.started_at is None:
            yield Line(f"Container bot waits: {pod.bot.message}")
    elif status.pod_name and not story.unread:
        yield Line(f"Pod {status.pod_name} does not exist any longer.")
    if status.start_time is not None:
        delay = round((status.start_time - story.bot.join_at).total_seconds())
        yield Line(f"Container bot started, {delay} s after joinAt.", status.start_time)


def _progress(bot: MeetingBot) -> Iterator[Line]:
    for kind in (ConditionType.ADMITTED, ConditionType.RECORDING):
        known = find(bot.status.conditions, kind)
        if known is not None:
            yield Line(f"{kind} is {known.status} ({known.reason}). {known.message}".strip())


def _end(bot: MeetingBot) -> Iterator[Line]:
    last = bot.status.last_attempt
    if last is not None:
        code = f", exit code {last.exit_code}" if last.exit_code is not None else ""
        words = f": {last.message.strip()}" if last.message.strip() else "."
        yield Line(
            f"The last attempt, Pod {last.pod_name}, ended ({last.reason or 'no reason'}{code}){words}", last.end_time
        )
    if bot.status.next_attempt_time is not None:
        yield Line("The next attempt starts.", bot.status.next_attempt_time)
    if bot.status.completion_time is not None:
        yield Line("The bot has finished.", bot.status.completion_time)
