"""Issues another join token to the Pod of a running bot. The Pod's own token proves its identity.

The join token is part of the answer and is stored nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pydantic import SecretStr

from meetingbots.bots.decide.leave import meeting_end
from meetingbots.bots.decide.meeting import MeetingRef
from meetingbots.bots.reconcile.token_issuer import NotIssued, TokenIssuer
from meetingbots.bots.reconcile.token_requests import TokenRequest
from meetingbots.bots.rejoin.callers import Caller, Callers
from meetingbots.bots.rejoin.pod_identity import PodIdentities, PodIdentity
from meetingbots.bots.rejoin.rules import Denial, NoToken, RejoinAllowance, denial, take
from meetingbots.kube.client import Kube
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.mappings.reader import read_mapping
from meetingbots.models.bot import BotReason, MeetingBot, MeetingKind, TokenKind
from meetingbots.models.metadata import NameReference
from meetingbots.runtime.metrics import Metrics

_log = logging.getLogger(__name__)
_MANY_PODS: Final = 1000


@dataclass(frozen=True)
class Granted:
    """A new join token, for this answer only."""

    token: SecretStr = field(repr=False)


@dataclass(frozen=True)
class Unknown:
    """The presented token is no valid token of a Pod for this audience."""


@dataclass(frozen=True)
class TooOften:
    """The Pod has requested too often, and may again after `retry_after` seconds."""

    retry_after: float


Outcome: TypeAlias = Granted | Unknown | TooOften | Denial


class RejoinService:
    """Issues join tokens. `monotonic` returns seconds, for the rate limit of each Pod."""

    def __init__(
        self,
        *,
        identities: PodIdentities,
        callers: Callers,
        issuer: TokenIssuer,
        kube: Kube,
        recorder: EventRecorder,
        metrics: Metrics,
        monotonic: Callable[[], float],
    ) -> None:
        self._identities = identities
        self._callers = callers
        self._issuer = issuer
        self._kube = kube
        self._recorder = recorder
        self._metrics = metrics
        self._monotonic = monotonic
        self._allowances: dict[str, RejoinAllowance] = {}

    async def token(self, presented: SecretStr) -> Outcome:
        """A recording token for the Pod whose ServiceAccount token is `presented`. Raises `KubeError`."""
        pod = await self._identities.identify(presented)
        outcome: Outcome = Unknown() if pod is None else await self._for_pod(pod)
        self._metrics.rejoin_tokens.labels(type(outcome).__name__).inc()
        if pod is not None:
            reason = f" ({outcome.reason})" if isinstance(outcome, NoToken) else ""
            _log.info("token endpoint: Pod %s/%s: %s%s", pod.namespace, pod.name, type(outcome).__name__, reason)
        return outcome

    async def _for_pod(self, pod: PodIdentity) -> Outcome:
        caller = await self._allowed_caller(pod)
        if not isinstance(caller, Caller):
            return caller
        wait = self._take(pod.uid)
        if wait > 0:
            return TooOften(retry_after=wait)
        issued = await self._issue(caller.bot)
        if isinstance(issued, NoToken):
            return issued
        # The bot may have been suspended or deleted during the request to Zoom.
        caller = await self._allowed_caller(pod)
        if not isinstance(caller, Caller):
            return caller
        note = f"Pod {pod.name} asked for a further join token and got one."
        self._recorder.event(caller.item, reason="TokenIssuedAgain", note=note, action="Rejoin")
        return issued

    async def _allowed_caller(self, pod: PodIdentity) -> Caller | Denial:
        caller = await self._callers.find(pod)
        if not isinstance(caller, Caller):
            return caller
        return denial(caller.bot, caller.pod, has_access=caller.has_access) or caller

    def _take(self, uid: str) -> float:
        """Count one request of a Pod; returns how many seconds it has to wait, or 0."""
        now = self._monotonic()
        taken = take(self._allowances.get(uid), now=now)
        if len(self._allowances) >= _MANY_PODS:
            self._allowances = {key: one for key, one in self._allowances.items() if not one.is_full(now=now)}
        self._allowances[uid] = taken.allowance
        return taken.wait

    async def _issue(self, bot: MeetingBot) -> Granted | NoToken:
        meeting_id = bot.status.meeting_id or ""
        mapping = await read_mapping(self._kube, namespace=bot.namespace, meeting_id=meeting_id)
        if meeting_end(bot, mapping) is not None:
            return NoToken(BotReason.MEETING_ENDED, "The meeting has ended.")
        meeting = MeetingRef(meeting_id=meeting_id, kind=bot.spec.meeting.kind or MeetingKind.MEETING)
        request = TokenRequest(bot=_for_recording_only(bot), meeting=meeting, absent=False, settle=False)
        outcome = await self._issuer.issue(request, mapping=mapping)
        if isinstance(outcome, NotIssued):
            return NoToken(outcome.reason, outcome.message, outcome.retry_after if outcome.transient else None)
        return Granted(outcome.tokens[TokenKind.LOCAL_RECORDING])


def _for_recording_only(bot: MeetingBot) -> MeetingBot:
    """The bot with LocalRecording as its only token, and with the credential of its last token as the first choice."""
    changes: dict[str, object] = {"tokens": (TokenKind.LOCAL_RECORDING,)}
    if bot.status.credential_name is not None:
        changes["credential_ref"] = NameReference(name=bot.status.credential_name)
    return bot.model_copy(update={"spec": bot.spec.model_copy(update=changes)})
