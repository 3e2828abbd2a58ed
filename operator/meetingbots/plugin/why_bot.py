"""Explains a MeetingBot: its meeting, mapping, credentials, token, Pod and progress, then the cause and the remedy."""

from __future__ import annotations

from collections.abc import Iterator

from meetingbots.models.bot import BotPhase, BotReason, MeetingBot
from meetingbots.models.conditions import Condition, ConditionStatus, ConditionType, find
from meetingbots.plugin.answer import Answer, Line
from meetingbots.plugin.facts import BotStory
from meetingbots.plugin.remedies import OF_BOTS, OF_PHASES


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
        words = f": {last.message.strip()}" if last.message.strip() else ""
        yield Line(
            f"The last attempt, Pod {last.pod_name}, ended ({last.reason or 'no reason'}{code}){words}", last.end_time
        )
    if bot.status.next_attempt_time is not None:
        yield Line("The next attempt starts.", bot.status.next_attempt_time)
    if bot.status.completion_time is not None:
        yield Line("The bot has finished.", bot.status.completion_time)
