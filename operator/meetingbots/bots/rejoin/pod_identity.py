"""Whose token it is: a Pod's own ServiceAccount token, looked at by the API server (TokenReview) for our audience."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import SecretStr

from meetingbots.bots.manifests.rejoin_access import AUDIENCE
from meetingbots.kube.client import Kube
from meetingbots.kube.resources import TOKEN_REVIEWS

_KEPT_SECONDS: Final = 10.0
_MOST_KEPT: Final = 1000
_AT_ONCE: Final = 8
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
    """Asks for TokenReviews, few at once; what was good is remembered for some seconds, by its digest."""

    def __init__(self, *, kube: Kube, monotonic: Callable[[], float]) -> None:
        self._kube = kube
        self._monotonic = monotonic
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._kept: dict[bytes, tuple[PodIdentity, float]] = {}

    async def of(self, token: SecretStr) -> PodIdentity | None:
        """The Pod whose valid token this is; None for any other token. Raises `KubeError`."""
        digest = hashlib.sha256(token.get_secret_value().encode()).digest()
        kept = self._kept.get(digest)
        if kept is not None and self._monotonic() < kept[1]:
            return kept[0]
        async with self._turns:
            found = await self._review(token)
        if found is not None:
            self._keep(digest, found)
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

    def _keep(self, digest: bytes, found: PodIdentity) -> None:
        now = self._monotonic()
        if len(self._kept) >= _MOST_KEPT:
            self._kept = {key: value for key, value in self._kept.items() if now < value[1]}
        if len(self._kept) < _MOST_KEPT:
            self._kept[digest] = (found, now + _KEPT_SECONDS)


def identity(status: Mapping[str, Any]) -> PodIdentity | None:
    """The Pod in a TokenReview's status, if the token is valid, for our audience, and bound to a Pod."""
    user = status.get("user") or {}
    username, extra = str(user.get("username", "")), user.get("extra") or {}
    names: list[str] = extra.get(_POD_NAME) or []
    uids: list[str] = extra.get(_POD_UID) or []
    # An API server that looks at no audiences leaves them out: then the token may be meant for anybody.
    if status.get("authenticated") is not True or AUDIENCE not in (status.get("audiences") or ()):
        return None
    if not username.startswith(_SERVICE_ACCOUNT) or len(names) != 1 or len(uids) != 1:
        return None
    return PodIdentity(namespace=username.removeprefix(_SERVICE_ACCOUNT).partition(":")[0], name=names[0], uid=uids[0])
