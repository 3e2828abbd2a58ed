"""Finds the MeetingBot whose Pod calls the token endpoint."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pydantic import SecretStr

from meetingbots.bots.decide.pod_state import PodState
from meetingbots.bots.manifests import rejoin_access
from meetingbots.bots.manifests.pod_status import belongs_to, pod_state
from meetingbots.bots.rejoin.pod_identity import PodIdentities, PodIdentity
from meetingbots.bots.rejoin.rules import RejoinDenied, TooOften, Unknown
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import BOTS, PODS, Resource
from meetingbots.models import names
from meetingbots.models.base import ModelError
from meetingbots.models.bot import MeetingBot
from meetingbots.runtime.context import ObjectCaches
from meetingbots.runtime.object_cache import Key, ObjectCache


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
        return Caller(bot=bot, item=item, pod=pod_state(pod), has_access=rejoin_access.is_given(pod))

    async def _find(self, resource: Resource, cache: ObjectCache, key: Key, *, uid: str | None = None) -> Object | None:
        item = cache.get(key)
        if item is None or (uid is not None and item["metadata"]["uid"] != uid):
            try:
                item = await self._kube.get(resource, namespace=key.namespace, name=key.name)
            except NotFoundError:
                return None
        return item if uid is None or item["metadata"]["uid"] == uid else None
