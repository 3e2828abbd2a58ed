"""Finds the MeetingBot of the Pod that calls the token endpoint, and limits how often each caller may call."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cachetools import TTLCache
from pydantic import SecretStr

from meetingbots.bots.decide.pod_state import PodState
from meetingbots.bots.manifests.environment import AUDIENCE, has_endpoint
from meetingbots.bots.manifests.pod_status import belongs_to, pod_state
from meetingbots.bots.rejoin.rules import RejoinDenied, TooOften, Unknown
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import BOTS, PODS, TOKEN_REVIEWS, Resource
from meetingbots.models import names
from meetingbots.models.base import ModelError
from meetingbots.models.bot import MeetingBot
from meetingbots.runtime.context import ObjectCaches
from meetingbots.runtime.object_cache import Key, ObjectCache

_MAX_CALLERS: Final = 10_000


@dataclass(frozen=True)
class CallerLimit:
    """`burst` requests at once, and then one per `seconds_each`."""

    burst: int
    seconds_each: float


@dataclass(frozen=True)
class Allowance:
    """The number of requests that a caller had left at the time `at` (monotonic seconds)."""

    left: float
    at: float


def refilled(known: Allowance | None, *, limit: CallerLimit, now: float) -> Allowance:
    """The allowance at the time `now`. A clock that goes back grants nothing."""
    if known is None:
        return Allowance(left=limit.burst, at=now)
    grown = known.left + max(0.0, now - known.at) / limit.seconds_each
    return Allowance(left=min(float(limit.burst), grown), at=now)


class RateLimiter:
    """The allowances of all callers. A caller that is forgotten has its full allowance again."""

    def __init__(self, limit: CallerLimit, *, monotonic: Callable[[], float]) -> None:
        self._limit = limit
        self._monotonic = monotonic
        self._known: TTLCache[str, Allowance] = TTLCache(
            _MAX_CALLERS, ttl=limit.burst * limit.seconds_each, timer=monotonic
        )

    def wait(self, caller: str) -> float:
        """The seconds until the caller may send its next request; 0 if it may now."""
        return max(0.0, 1 - self._allowance(caller).left) * self._limit.seconds_each

    def take(self, caller: str) -> float:
        """Count a request, unless it is refused: then return the seconds to wait, else 0."""
        wait = self.wait(caller)
        if wait <= 0:
            allowance = self._allowance(caller)
            self._known[caller] = Allowance(left=allowance.left - 1, at=allowance.at)
        return wait

    def _allowance(self, caller: str) -> Allowance:
        return refilled(self._known.get(caller), limit=self._limit, now=self._monotonic())


@dataclass(frozen=True)
class Caller:
    """A MeetingBot, its Pod that calls, and whether this Pod was created with access to the endpoint."""

    bot: MeetingBot
    item: Object
    pod: PodState
    has_access: bool


class Callers:
    """Looks callers up in the caches, and in the API server where the watch lags behind.

    `namespaces` are those that this operator serves; empty: all.
    """

    def __init__(
        self, *, kube: Kube, caches: ObjectCaches, namespaces: Collection[str], identities: PodIdentities
    ) -> None:
        self._kube = kube
        self._caches = caches
        self._namespaces = namespaces
        self._identities = identities

    async def identify(self, token: SecretStr, *, peer: str) -> PodIdentity | Unknown | TooOften:
        """The Pod of a ServiceAccount token that came from the address `peer`. Raises `KubeError`."""
        return await self._identities.identify(token, peer=peer)

    async def find(self, identity: PodIdentity) -> Caller | RejoinDenied:
        """The caller, if the Pod belongs to a MeetingBot. Raises `KubeError`."""
        namespace = identity.namespace
        if self._namespaces and namespace not in self._namespaces:
            return RejoinDenied("This namespace is not served.")
        pod = await self._find(PODS, self._caches.pods, Key(namespace, identity.name), uid=identity.uid)
        name = (pod["metadata"].get("labels") or {}).get(names.BOT_LABEL, "") if pod is not None else ""
        item = await self._find(BOTS, self._caches.bots, Key(namespace, name)) if name else None
        if pod is None or item is None:
            return RejoinDenied("This is not the Pod of a MeetingBot.")
        try:
            bot = MeetingBot.from_object(item)
        except ModelError as error:
            return RejoinDenied(str(error))
        if not belongs_to(pod, bot):
            return RejoinDenied("This is not the Pod of a MeetingBot.")
        return Caller(bot=bot, item=item, pod=pod_state(pod), has_access=has_endpoint(pod))

    async def _find(self, resource: Resource, cache: ObjectCache, key: Key, *, uid: str | None = None) -> Object | None:
        item = cache.get(key)
        if item is None or (uid is not None and item["metadata"]["uid"] != uid):
            try:
                item = await self._kube.get(resource, namespace=key.namespace, name=key.name)
            except NotFoundError:
                return None
        return item if uid is None or item["metadata"]["uid"] == uid else None


_KEPT_SECONDS: Final = 10.0
_UNKNOWN_KEPT_SECONDS: Final = 60.0
_FAILURES_PER_PEER: Final = CallerLimit(burst=10, seconds_each=6.0)
_MAX_KEPT: Final = 1000
_MAX_CONCURRENT: Final = 8
_SERVICE_ACCOUNT: Final = "system:serviceaccount:"
_POD_NAME: Final = "authentication.kubernetes.io/pod-name"
_POD_UID: Final = "authentication.kubernetes.io/pod-uid"


@dataclass(frozen=True)
class PodIdentity:
    """The Pod that a token is bound to."""

    namespace: str
    name: str
    uid: str


class PodIdentities:
    """Sends few TokenReviews at once, and keeps their answers for some seconds, by the token's digest.

    A peer that presents unknown tokens gets few TokenReviews, so that it cannot keep the API server or other Pods busy.
    """

    def __init__(self, *, kube: Kube, monotonic: Callable[[], float]) -> None:
        self._kube = kube
        self._turns = asyncio.Semaphore(_MAX_CONCURRENT)
        self._known: TTLCache[bytes, PodIdentity] = TTLCache(_MAX_KEPT, ttl=_KEPT_SECONDS, timer=monotonic)
        self._unknown: TTLCache[bytes, bool] = TTLCache(_MAX_KEPT, ttl=_UNKNOWN_KEPT_SECONDS, timer=monotonic)
        self._failures = RateLimiter(_FAILURES_PER_PEER, monotonic=monotonic)

    async def identify(self, token: SecretStr, *, peer: str) -> PodIdentity | Unknown | TooOften:
        """The Pod of a valid token that came from the address `peer`. Raises `KubeError`."""
        digest = hashlib.sha256(token.get_secret_value().encode()).digest()
        known = self._known.get(digest)
        if known is not None:
            return known
        if digest in self._unknown:
            return Unknown()
        wait = self._failures.wait(peer)
        if wait > 0:
            return TooOften(retry_after=wait)
        async with self._turns:
            found = await self._review(token)
        if found is None:
            self._unknown[digest] = True
            self._failures.take(peer)
            return Unknown()
        self._known[digest] = found
        return found

    async def _review(self, token: SecretStr) -> PodIdentity | None:
        answer = await self._kube.create(
            TOKEN_REVIEWS,
            namespace=None,
            body={
                "apiVersion": TOKEN_REVIEWS.api_version,
                "kind": TOKEN_REVIEWS.kind,
                "spec": {"token": token.get_secret_value(), "audiences": [AUDIENCE]},
            },
        )
        return identity(answer.get("status") or {})


def identity(status: Mapping[str, Any]) -> PodIdentity | None:
    """The Pod in a TokenReview's status, if the token is valid for our audience and bound to a Pod."""
    user = status.get("user") or {}
    username, extra = str(user.get("username", "")), user.get("extra") or {}
    names: list[str] = extra.get(_POD_NAME) or []
    uids: list[str] = extra.get(_POD_UID) or []
    # An API server that does not check audiences returns none: then the token may be meant for another service.
    if status.get("authenticated") is not True or AUDIENCE not in (status.get("audiences") or ()):
        return None
    if not username.startswith(_SERVICE_ACCOUNT) or len(names) != 1 or len(uids) != 1:
        return None
    return PodIdentity(namespace=username.removeprefix(_SERVICE_ACCOUNT).partition(":")[0], name=names[0], uid=uids[0])
