"""Identifies the Pod that a ServiceAccount token belongs to, by a TokenReview for our audience."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cachetools import TTLCache
from pydantic import SecretStr

from meetingbots.bots.manifests.rejoin_access import AUDIENCE
from meetingbots.bots.rejoin.rate_limit import CallerLimit, RateLimiter
from meetingbots.bots.rejoin.rules import TooOften, Unknown
from meetingbots.kube.client import Kube
from meetingbots.kube.resources import TOKEN_REVIEWS

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
