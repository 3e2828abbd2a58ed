"""A credential's sync: its meetings and personal meeting IDs, as Zoom lists them now, into mappings.

Webhooks tell what changes; the sync tells what there was before the first webhook, and repairs what got lost. Nothing
is written before Zoom's whole list was read, so that a list that breaks off removes nothing; and only differences are
written: 300 meetings of which three changed are three writes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meetingbots.kube.client import Object
from meetingbots.kube.resources import MAPPINGS
from meetingbots.mappings.decide.listing import REMOVE, Listed, Reader, Remove, listed, no_longer_listed
from meetingbots.mappings.decide.retention import is_over
from meetingbots.mappings.manifests.mapping import credential_label, owner_uids, owners_patch
from meetingbots.mappings.reconcile.zoom_lists import MeetingLists, TokenSource
from meetingbots.mappings.writer import Decide, MappingWriter, unchanged
from meetingbots.models.credential import Level, SyncProgress, ZoomCredential
from meetingbots.models.mapping import MappingStatus, MeetingMapping
from meetingbots.runtime.context import OperatorContext

_log = logging.getLogger(__name__)
_AT_ONCE: Final = 8
"""Writes under way at a time: a first sync must not crowd out the bots' calls."""


@dataclass(frozen=True, kw_only=True)
class SyncResult:
    """What a complete sync found and did."""

    count: int
    """Meetings of the user (level Account: of all users), the personal meeting IDs among them."""
    finished: datetime
    pmi: str | None
    """The personal meeting ID, as it is now, of the user who consented."""
    written: int
    removed: int
    adopted: int = 0
    """How many mappings were another object's of the same name: the credential was deleted, and made anew."""


async def sync_meetings(
    *,
    services: OperatorContext,
    credential: ZoomCredential,
    tokens: TokenSource,
    now: datetime,
    progress: Callable[[SyncProgress], Awaitable[None]],
) -> SyncResult:
    """Read the meetings that a credential speaks for, and bring the mappings of its namespace up to date.

    `now` is the sync's own start: what events told after it stands. `tokens` are asked for one again and
    again, however long it takes; `progress` is told after each page of Zoom's. Can be broken off anywhere and begun
    again.
    Raises `ZoomError` before anything was written, and `KubeError` when the API server did not take something; then
    nothing that comes after it is done, and removals come last. What `progress` raises goes through.
    """
    lists = MeetingLists(services=services, tokens=tokens, progress=progress, start=now)
    pmi = await (lists.read_account() if credential.spec.level is Level.ACCOUNT else lists.read_own())
    sync = _Sync(services=services, credential=credential, start=now)
    differences = await sync.compare(lists.found)
    written = await sync.add(lists.found, differences)
    removed = await sync.remove(differences.leftovers)
    _log.info(
        "ZoomCredential %s/%s: %d meetings, %d mappings written, %d removed",
        credential.namespace,
        credential.name,
        len(lists.found),
        written,
        removed,
    )
    return SyncResult(
        count=len(lists.found),
        finished=services.clock(),
        pmi=pmi,
        written=written,
        removed=removed,
        adopted=differences.adopted,
    )


@dataclass(frozen=True)
class _Differences:
    """Names of mappings: to look at again because they differ, not there (as ours) yet, and not listed any more.

    `strays` are not listed (instant meetings, say) and as they should be but for their owners; `adopted` counts those
    whose owner is an earlier object of the credential's name.
    """

    repairs: tuple[str, ...]
    missing: tuple[str, ...]
    leftovers: tuple[str, ...]
    strays: tuple[str, ...] = ()
    adopted: int = 0


class _Sync:
    """One credential's differences between Zoom's list and the mappings, found and then written."""

    def __init__(self, *, services: OperatorContext, credential: ZoomCredential, start: datetime) -> None:
        self._kube = services.kube
        self._credential = credential
        self._reader = Reader(
            name=credential.name,
            app=credential.spec.app_secret_ref.name,
            start=start,
            users=_others(services, credential),
        )
        self._uids = {credential.name: credential.metadata.uid}
        self._writer = MappingWriter(kube=services.kube, clock=asyncio.get_running_loop().time)

    async def compare(self, wanted: Mapping[str, Listed]) -> _Differences:
        """Look at the mappings that have the credential's label, page by page; only names are kept."""
        repairs, leftovers, strays, seen, adopted = [], [], [], set(), 0
        async for item in self._kube.list(
            MAPPINGS,
            namespace=self._credential.namespace,
            label_selector=credential_label(self._credential.name),
        ):
            mapping = MeetingMapping.from_object(item)
            adopted += self._is_an_earlier_ones(item)
            found = wanted.get(mapping.name)
            if found is not None:
                seen.add(mapping.name)
                if self._addition(found)(mapping) is not None or self._has_wrong_owners(item, mapping):
                    repairs.append(mapping.name)
            elif self._removal(mapping) is not None:
                leftovers.append(mapping.name)
            elif self._has_wrong_owners(item, mapping):
                strays.append(mapping.name)
        return _Differences(
            repairs=tuple(repairs),
            missing=tuple(name for name in wanted if name not in seen),
            leftovers=tuple(leftovers),
            strays=tuple(strays),
            adopted=adopted,
        )

    def _is_an_earlier_ones(self, item: Object) -> bool:
        known = owner_uids(item).get(self._credential.name)
        return known is not None and known != self._credential.metadata.uid

    def _has_wrong_owners(self, item: Object, mapping: MeetingMapping) -> bool:
        return bool(owners_patch(item, status=mapping.status, uids=self._uids))

    async def add(self, wanted: Mapping[str, Listed], differences: _Differences) -> int:
        """Write what is listed and not so; how many writes that took."""
        # First what is there and may be taken away by the garbage collector, its owner being gone.
        strays = await self._each(differences.strays, lambda name: self._write(name, unchanged, probably_new=False))
        repaired = await self._each(
            differences.repairs, lambda name: self._write(name, self._addition(wanted[name]), probably_new=False)
        )
        return (
            strays
            + repaired
            + await self._each(
                differences.missing, lambda name: self._write(name, self._addition(wanted[name]), probably_new=True)
            )
        )

    async def remove(self, leftovers: Sequence[str]) -> int:
        """Take out what Zoom does not list any more, and what is over; how many writes that took."""
        return await self._each(leftovers, lambda name: self._write(name, self._removal, probably_new=False))

    def _addition(self, found: Listed) -> Decide:
        def decide(mapping: MeetingMapping | None) -> MappingStatus | None:
            return listed(mapping.status if mapping else None, reader=self._reader, found=found)

        return decide

    def _removal(self, mapping: MeetingMapping | None) -> MappingStatus | Remove | None:
        if mapping is None:
            return None
        if is_over(mapping, now=self._reader.start):
            return REMOVE
        return no_longer_listed(mapping, reader=self._reader)

    async def _write(self, name: str, decide: Decide, *, probably_new: bool) -> bool:
        return await self._writer.write(
            namespace=self._credential.namespace,
            meeting_id=name,
            decide=decide,
            uids=self._uids,
            probably_new=probably_new,
        )

    async def _each(self, names: Sequence[str], work: Callable[[str], Awaitable[bool]]) -> int:
        """Do the work for all names, a few at once; how many of them wrote. Ends with the first few that failed."""
        done = 0
        for first in range(0, len(names), _AT_ONCE):
            results = await asyncio.gather(*map(work, names[first : first + _AT_ONCE]), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
                done += result
        return done


def _others(services: OperatorContext, credential: ZoomCredential) -> dict[str, str]:
    """The other credentials of the app and account in the namespace that speak for one user, with the users' ids."""
    found, cache = {}, services.caches.credentials
    for key in cache:
        item = cache.get(key) if key.namespace == credential.namespace and key.name != credential.name else None
        spec, status = (item or {}).get("spec") or {}, (item or {}).get("status") or {}
        same_app = (spec.get("appSecretRef") or {}).get("name") == credential.spec.app_secret_ref.name
        same_account = status.get("accountId") and status.get("accountId") == credential.status.account_id
        if same_app and same_account and spec.get("level") != Level.ACCOUNT and status.get("userId"):
            found[key.name] = status["userId"]
    return found
