"""A further join token for a bot that runs: who asks is known by the Pod's own token, and gets its own meeting's only.

Nothing is written: the token goes to the Pod in the answer and is not kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pydantic import SecretStr

from meetingbots.bots.decide.leave import meeting_end
from meetingbots.bots.decide.meeting import MeetingRef
from meetingbots.bots.manifests import rejoin_access
from meetingbots.bots.manifests.pod_status import pod_state
from meetingbots.bots.reconcile.gather import owned
from meetingbots.bots.reconcile.token_issuer import NotIssued, TokenIssuer
from meetingbots.bots.rejoin.pod_identity import PodIdentities, PodIdentity
from meetingbots.bots.rejoin.rules import Allowance, Denial, NotAllowed, NoToken, denial, take
from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.kube.client import Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import BOTS, PODS, Resource
from meetingbots.mappings.reader import read_mapping
from meetingbots.models import names
from meetingbots.models.base import ModelError
from meetingbots.models.bot import BotReason, MeetingBot, MeetingKind, TokenKind
from meetingbots.models.metadata import NameReference
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key, ObjectCache

_log = logging.getLogger(__name__)
_MANY_PODS: Final = 1000


@dataclass(frozen=True)
class Granted:
    """A join token fresh from Zoom, which is for this one answer."""

    token: SecretStr = field(repr=False)


@dataclass(frozen=True)
class Unknown:
    """The presented token is not a Pod's valid token for us."""


@dataclass(frozen=True)
class TooOften:
    """The Pod has asked too often; it may again after `retry_after` seconds."""

    retry_after: float


Outcome: TypeAlias = Granted | Unknown | TooOften | Denial


@dataclass(frozen=True)
class _Caller:
    """The bot whose Pod asks: as a model, and as the API server gave it."""

    bot: MeetingBot
    item: Object


class RejoinService:
    """Gives further join tokens to the Pods of bots that run. `monotonic` gives seconds for the limit of each Pod."""

    def __init__(
        self, *, services: OperatorContext, access_tokens: AccessTokens, monotonic: Callable[[], float]
    ) -> None:
        self._services = services
        self._issuer = TokenIssuer(services=services, access_tokens=access_tokens)
        self._identities = PodIdentities(kube=services.kube, monotonic=monotonic)
        self._monotonic = monotonic
        self._allowances: dict[str, Allowance] = {}

    async def token(self, presented: SecretStr) -> Outcome:
        """A recording token for the Pod whose ServiceAccount token is `presented`. Raises `KubeError`."""
        pod = await self._identities.of(presented)
        outcome: Outcome = Unknown() if pod is None else await self._for_pod(pod)
        self._services.metrics.rejoin_tokens.labels(type(outcome).__name__).inc()
        if pod is not None:
            words = f" ({outcome.reason})" if isinstance(outcome, NoToken) else ""
            _log.info("token endpoint: Pod %s/%s: %s%s", pod.namespace, pod.name, type(outcome).__name__, words)
        return outcome

    async def _for_pod(self, pod: PodIdentity) -> Outcome:
        caller = await self._caller(pod)
        if not isinstance(caller, _Caller):
            return caller
        wait = self._take(pod.uid)
        if wait > 0:
            return TooOften(retry_after=wait)
        issued = await self._issue(caller.bot)
        if isinstance(issued, NoToken):
            return issued
        # Zoom may have taken its time, and the bot may have been told to leave meanwhile.
        now = await self._caller(pod)
        if not isinstance(now, _Caller):
            return now
        note = f"Pod {pod.name} asked for a further join token and got one."
        self._services.recorder.event(caller.item, reason="TokenIssuedAgain", note=note, action="Rejoin")
        return issued

    async def _caller(self, identity: PodIdentity) -> _Caller | Denial:
        served = self._services.settings.namespace
        caches, namespace = self._services.caches, identity.namespace
        if served and namespace not in served:
            return NotAllowed("This namespace is not served.")
        pod = await self._find(PODS, caches.pods, Key(namespace, identity.name), uid=identity.uid)
        name = pod["metadata"].get("labels", {}).get(names.BOT_LABEL, "") if pod is not None else ""
        item = await self._find(BOTS, caches.bots, Key(namespace, name)) if name else None
        if pod is None or item is None:
            return NotAllowed("This is not the Pod of a MeetingBot.")
        try:
            bot = MeetingBot.from_object(item)
        except ModelError as error:
            return NotAllowed(str(error))
        if not owned(pod, bot):
            return NotAllowed("This is not the Pod of a MeetingBot.")
        state = pod_state(pod)
        return denial(bot, state, has_access=rejoin_access.is_given(pod)) or _Caller(bot, item)

    async def _find(self, resource: Resource, cache: ObjectCache, key: Key, *, uid: str | None = None) -> Object | None:
        item = cache.get(key)
        if item is None or (uid is not None and item["metadata"]["uid"] != uid):
            # The watch may lag behind.
            try:
                item = await self._services.kube.get(resource, namespace=key.namespace, name=key.name)
            except NotFoundError:
                return None
        return item if uid is None or item["metadata"]["uid"] == uid else None

    def _take(self, uid: str) -> float:
        now = self._monotonic()
        taken = take(self._allowances.get(uid), now=now)
        if len(self._allowances) >= _MANY_PODS:
            self._allowances = {key: one for key, one in self._allowances.items() if not one.is_full(now=now)}
        self._allowances[uid] = taken.allowance
        return taken.wait

    async def _issue(self, bot: MeetingBot) -> Granted | NoToken:
        meeting_id = bot.status.meeting_id or ""
        mapping = await read_mapping(self._services.kube, namespace=bot.namespace, meeting_id=meeting_id)
        if meeting_end(bot, mapping) is not None:
            return NoToken(BotReason.MEETING_ENDED, "The meeting has ended.")
        meeting = MeetingRef(meeting_id=meeting_id, kind=bot.spec.meeting.kind or MeetingKind.MEETING)
        outcome = await self._issuer.issue(_asking_once_more(bot), meeting=meeting, mapping=mapping)
        if isinstance(outcome, NotIssued):
            return NoToken(outcome.reason, outcome.message, outcome.retry_after if outcome.transient else None)
        return Granted(outcome.tokens[TokenKind.LOCAL_RECORDING])


def _asking_once_more(bot: MeetingBot) -> MeetingBot:
    """The bot as if it asked for a recording token only, first by the credential that gave it the one before."""
    changes: dict[str, object] = {"tokens": (TokenKind.LOCAL_RECORDING,)}
    if bot.status.credential_name is not None:
        changes["credential_ref"] = NameReference(name=bot.status.credential_name)
    return bot.model_copy(update={"spec": bot.spec.model_copy(update=changes)})
