"""What the sweep needs to know about the credentials that mappings name, from the cache or the API server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from meetingbots.credentials.decide.revocation import consent_end
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.mappings.decide.retention import OwnerFacts
from meetingbots.models.base import ModelError
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MeetingMapping
from meetingbots.runtime.object_cache import Key, Object, ObjectCache


@dataclass(frozen=True)
class _Owner:
    """A credential: whether it or its consent is gone, when its meetings were last read, and its uid if known."""

    gone: bool
    read: datetime | None = None
    uid: str = ""


class OwnerLookup:
    """Looks up each credential once; make a new one for each sweep."""

    def __init__(self, *, kube: Kube, credentials: ObjectCache) -> None:
        self._kube = kube
        self._credentials = credentials
        self._found: dict[Key, _Owner] = {}

    async def facts(self, mapping: MeetingMapping) -> OwnerFacts:
        """Return what is known about the credentials in the mapping's status. Raises `KubeError`."""
        owners: dict[str, _Owner] = {}
        for one in mapping.status.credentials:
            key = Key(mapping.namespace, one.name)
            if key not in self._found:
                self._found[key] = await self._look_up(key)
            owners[one.name] = self._found[key]
        return OwnerFacts(
            gone=frozenset(name for name, one in owners.items() if one.gone),
            read={name: one.read for name, one in owners.items() if one.read is not None},
        )

    def uids(self, mapping: MeetingMapping) -> dict[str, str]:
        """Return the uids of the credentials that `facts` has looked up."""
        named = {one.name: self._found.get(Key(mapping.namespace, one.name)) for one in mapping.status.credentials}
        return {name: one.uid for name, one in named.items() if one is not None and one.uid}

    async def _look_up(self, key: Key) -> _Owner:
        item = self._credentials.get(key)
        if item is None:
            return _Owner(gone=not await credential_exists(self._kube, key))
        credential, uid = readable(item), item["metadata"].get("uid", "")
        if credential is None:
            return _Owner(gone=False, uid=uid)
        meetings = credential.status.meetings if credential.sync_enabled else None
        read = meetings.last_sync_time if meetings is not None else None
        return _Owner(gone=consent_end(credential) is not None, read=read, uid=uid)


async def credential_exists(kube: Kube, key: Key) -> bool:
    """Return whether the API server has the credential: a cache proves no absence. Raises `KubeError`."""
    try:
        await kube.get(CREDENTIALS, namespace=key.namespace, name=key.name)
    except NotFoundError:
        return False
    return True


def readable(item: Object) -> ZoomCredential | None:
    """Return the credential; None when it is invalid, which its own reconciliation reports."""
    try:
        return ZoomCredential.from_object(item)
    except ModelError:
        return None
