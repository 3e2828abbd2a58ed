"""Issues another join token to the Pod of a running bot. The Pod's own token proves its identity.

The join token is part of the answer and is stored nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

from pydantic import SecretStr

from meetingbots.bots.decide.leave import meeting_end
from meetingbots.bots.decide.meeting import MeetingRef
from meetingbots.bots.manifests.sdk_jwt import sdk_jwt
from meetingbots.bots.reconcile.meeting_reader import MeetingReader
from meetingbots.bots.reconcile.token_issuer import NotIssued, TokenIssuer
from meetingbots.bots.reconcile.token_requests import TokenRequest
from meetingbots.bots.rejoin.callers import Caller, Callers
from meetingbots.bots.rejoin.pod_identity import PodIdentity
from meetingbots.bots.rejoin.rate_limit import CallerLimit, RateLimiter
from meetingbots.bots.rejoin.rules import Denial, NoToken, TooOften, Unknown, token_denial
from meetingbots.kube.client import Kube
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.kube.secret_values import SecretValueError
from meetingbots.mappings.reader import read_mapping
from meetingbots.models.bot import BotReason, MeetingBot, MeetingKind, TokenKind
from meetingbots.models.metadata import NameReference
from meetingbots.runtime.metrics import Metrics

_log = logging.getLogger(__name__)
_LIMIT: Final = CallerLimit(burst=3, seconds_each=10.0)
"""Per Pod."""


@dataclass(frozen=True)
class Granted:
    """A new join token, for this answer only; `sdk_jwt` is set with spec.sdkSecretRef."""

    token: SecretStr = field(repr=False)
    sdk_jwt: SecretStr | None = field(default=None, repr=False)


Outcome: TypeAlias = Granted | Unknown | TooOften | Denial


class RejoinService:
    """Issues join tokens."""

    def __init__(
        self,
        *,
        callers: Callers,
        issuer: TokenIssuer,
        kube: Kube,
        recorder: EventRecorder,
        metrics: Metrics,
        meetings: MeetingReader,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._callers = callers
        self._issuer = issuer
        self._kube = kube
        self._recorder = recorder
        self._metrics = metrics
        self._meetings = meetings
        self._clock = clock
        self._limiter = RateLimiter(_LIMIT, monotonic=monotonic)

    async def token(self, presented: SecretStr, *, peer: str) -> Outcome:
        """A recording token for the Pod of the ServiceAccount token `presented`. Raises `KubeError`."""
        pod = await self._callers.identify(presented, peer=peer)
        outcome: Outcome = await self._for_pod(pod) if isinstance(pod, PodIdentity) else pod
        self._metrics.rejoin_tokens.labels(type(outcome).__name__).inc()
        if isinstance(pod, PodIdentity):
            reason = f" ({outcome.reason})" if isinstance(outcome, NoToken) else ""
            _log.info("token endpoint: Pod %s/%s: %s%s", pod.namespace, pod.name, type(outcome).__name__, reason)
        return outcome

    async def _for_pod(self, pod: PodIdentity) -> Outcome:
        caller = await self._allowed_caller(pod)
        if not isinstance(caller, Caller):
            return caller
        wait = self._limiter.take(pod.uid)
        if wait > 0:
            return TooOften(retry_after=wait)
        issued = await self._issue(caller.bot)
        # The bot may have been suspended or deleted during the request to Zoom.
        caller = await self._allowed_caller(pod)
        if not isinstance(caller, Caller):
            return caller
        if isinstance(issued, Granted):
            note = f"Pod {pod.name} requested a further join token and got one."
            self._recorder.event(caller.item, reason="TokenIssuedAgain", note=note, action="Rejoin")
        return issued

    async def _allowed_caller(self, pod: PodIdentity) -> Caller | Denial:
        caller = await self._callers.find(pod)
        if not isinstance(caller, Caller):
            return caller
        return token_denial(caller.bot, caller.pod, has_access=caller.has_access) or caller

    async def _issue(self, bot: MeetingBot) -> Granted | NoToken:
        meeting_id = bot.status.meeting_id or ""
        mapping = await read_mapping(self._kube, namespace=bot.namespace, meeting_id=meeting_id)
        if meeting_end(bot, mapping) is not None:
            return NoToken(BotReason.MEETING_ENDED, "The meeting has ended.")
        meeting = MeetingRef(meeting_id=meeting_id, kind=bot.spec.meeting.kind or MeetingKind.MEETING)
        request = TokenRequest(bot=_for_recording_only(bot), meeting=meeting, absent=False, settle=False)
        outcome = await self._issuer.issue(request, mapping=mapping)
        jwt = await self._sdk_jwt(bot)
        if isinstance(outcome, NotIssued):
            retry_after = outcome.retry_after if outcome.transient else None
            return NoToken(outcome.reason, outcome.message, retry_after, sdk_jwt=jwt)
        return Granted(outcome.tokens[TokenKind.LOCAL_RECORDING], sdk_jwt=jwt)

    async def _sdk_jwt(self, bot: MeetingBot) -> SecretStr | None:
        try:
            app = await self._meetings.sdk_app(bot)
        except SecretValueError as error:
            _log.warning("token endpoint: MeetingBot %s/%s gets no SDK JWT: %s", bot.namespace, bot.name, error)
            return None
        if app is None:
            return None
        return sdk_jwt(app, now=self._clock(), max_duration_seconds=bot.spec.max_duration_seconds)


def _for_recording_only(bot: MeetingBot) -> MeetingBot:
    """The bot with LocalRecording as its only token, and with the credential of its last token as the first choice."""
    changes: dict[str, object] = {"tokens": (TokenKind.LOCAL_RECORDING,)}
    if bot.status.credential_name is not None:
        changes["credential_ref"] = NameReference(name=bot.status.credential_name)
    return bot.model_copy(update={"spec": bot.spec.model_copy(update=changes)})
