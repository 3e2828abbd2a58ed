"""Takes the reports of running bots about their progress in the meeting into the MeetingBots' status.

A report costs a TokenReview, which is kept for some seconds, and one write. A repeated report is not written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, TypeAlias

import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from meetingbots.bots.decide.in_meeting import Report, reported
from meetingbots.bots.decide.pod_texts import without_secrets
from meetingbots.bots.reconcile.meeting import MeetingReader
from meetingbots.bots.reconcile.memory import BotMemories
from meetingbots.bots.reconcile.observer import BotObserver
from meetingbots.bots.rejoin.callers import Caller, CallerLimit, Callers, PodIdentity, RateLimiter
from meetingbots.bots.rejoin.rules import Outdated, RejoinDenied, TooOften, Unknown, report_denial
from meetingbots.kube.client import Kube, Object, merge_patch
from meetingbots.kube.errors import ConflictError, retry_on_conflict
from meetingbots.kube.resources import BOTS
from meetingbots.models.bot import BotStatus, InMeetingSource, InMeetingState
from meetingbots.runtime.object_cache import ObjectCache, key_of

_log = logging.getLogger(__name__)
_LIMIT: Final = CallerLimit(burst=20, seconds_each=1.0)
"""Per Pod."""
MAX_BODY_BYTES: Final = 4096
_MAX_MESSAGE: Final = 1024


@dataclass(frozen=True)
class Accepted:
    """The report counts, or says nothing new."""


@dataclass(frozen=True)
class BadReport:
    """The body is no report."""

    message: str


ReportOutcome: TypeAlias = Accepted | BadReport | Unknown | TooOften | RejoinDenied | Outdated


class _Body(BaseModel):
    """The JSON of a report."""

    model_config = ConfigDict(strict=True, extra="ignore")

    state: Annotated[InMeetingState, Field(strict=False)]
    code: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None
    message: str | None = None


class ReportService:
    """Takes reports. `bots` is the cache of MeetingBots."""

    def __init__(
        self,
        *,
        callers: Callers,
        kube: Kube,
        bots: ObjectCache,
        memories: BotMemories,
        meetings: MeetingReader,
        observer: BotObserver,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._callers = callers
        self._kube = kube
        self._bots = bots
        self._memories = memories
        self._meetings = meetings
        self._observer = observer
        self._clock = clock
        self._limiter = RateLimiter(_LIMIT, monotonic=monotonic)

    async def identify(self, presented: SecretStr, *, peer: str) -> PodIdentity | Unknown | TooOften:
        """The Pod of the ServiceAccount token `presented`, within its rate limit. Raises `KubeError`."""
        pod = await self._callers.identify(presented, peer=peer)
        if not isinstance(pod, PodIdentity):
            return pod
        wait = self._limiter.take(pod.uid)
        return TooOften(retry_after=wait) if wait > 0 else pod

    async def report(self, pod: PodIdentity, body: bytes) -> ReportOutcome:
        """Take a report of `pod`. Raises `KubeError`; the same report may be sent again then."""
        content = _parse(body)
        if isinstance(content, BadReport):
            return content
        at = self._clock()

        async def attempt() -> ReportOutcome:
            caller = await self._callers.find(pod)
            if not isinstance(caller, Caller):
                return caller
            denied = report_denial(caller.bot, caller.pod, has_access=caller.has_access)
            if denied is not None:
                return denied
            message = await self._redacted(caller, content.message or "", now=at)
            report = Report(content.state, InMeetingSource.BOT, at, code=content.code, message=message)
            try:
                await self._write(caller, reported(caller.bot, report))
            except ConflictError:
                # The cache lags behind another writer.
                self._bots.put(await self._kube.get(BOTS, namespace=caller.bot.namespace, name=caller.bot.name))
                raise
            return Accepted()

        return await retry_on_conflict(attempt, what=f"the MeetingBot of Pod {pod.namespace}/{pod.name}")

    async def _redacted(self, caller: Caller, message: str, *, now: datetime) -> str:
        """The message without the meeting's secrets and the Pod's tokens."""
        if not message:
            return ""
        memory = self._memories.of(key_of(caller.item), caller.bot.metadata.uid)
        if memory.meeting is None:
            await self._meetings.read(caller.bot, memory, now=now)
        printable = "".join(character if character.isprintable() else " " for character in message)
        return without_secrets(printable, known=memory.secrets)[:_MAX_MESSAGE]

    async def _write(self, caller: Caller, status: BotStatus) -> None:
        bot = caller.bot
        if status is bot.status:
            return
        answer: Object = await self._kube.patch(
            BOTS,
            namespace=bot.namespace,
            name=bot.name,
            subresource="status",
            patch={"status": merge_patch(bot.status.to_dict(), status.to_dict())},
            resource_version=bot.metadata.resource_version,
        )
        self._bots.put(answer)
        self._observer.written(caller.item, bot, status)
        _log.info("MeetingBot %s reports %s", key_of(caller.item), status.in_meeting and status.in_meeting.state)


def _parse(body: bytes) -> _Body | BadReport:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return BadReport("The body must be JSON.")
    try:
        return _Body.model_validate(found)
    except ValidationError as error:
        fields = ", ".join(sorted({str(one["loc"][0]) if one["loc"] else "the body" for one in error.errors()}))
        states = ", ".join(InMeetingState)
        return BadReport(f"Wrong: {fields}. state must be one of {states}; code an integer; message a string.")
