"""A credential's sync: its user's meetings and personal meeting ID, as Zoom lists them now, into mappings.

Webhooks tell what changes; the sync tells what there was before the first webhook, and repairs what got lost. Nothing
is written before Zoom's whole list was read, so that a list that breaks off removes nothing; and only differences are
written: 300 meetings of which three changed are three writes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meetingbots.build.mapping import credential_label
from meetingbots.decide.mapping_sync import REMOVE, Remove, is_over, listed, no_longer_listed
from meetingbots.kube.resources import MAPPINGS
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MappingStatus, MeetingMapping, Source
from meetingbots.reconcile.access_tokens import AccessToken
from meetingbots.reconcile.mapping_writer import Decide, MappingWriter
from meetingbots.reconcile.services import Services
from meetingbots.zoom.api import ZoomAPI
from meetingbots.zoom.errors import Cause, ZoomError

_log = logging.getLogger(__name__)
_AT_ONCE: Final = 8
"""Writes under way at a time: a first sync must not crowd out the bots' calls."""


@dataclass(frozen=True, kw_only=True)
class SyncResult:
    """What a complete sync found and did."""

    count: int
    """Meetings of the user, the personal meeting ID among them."""
    finished: datetime
    pmi: str | None
    """The user's personal meeting ID, as it is now."""
    written: int
    removed: int


async def sync_meetings(
    *, services: Services, credential: ZoomCredential, access: AccessToken, now: datetime
) -> SyncResult:
    """Read the user's meetings and bring the mappings of the credential's namespace up to date.

    `now` is the sync's own start: what events told after it stands. Can be broken off anywhere and begun again.
    Raises `ZoomError` before anything was written, and `KubeError` when the API server did not take something; then
    nothing that comes after it is done, and removals come last.
    """
    wanted, pmi = await _wanted(services, access)
    sync = _Sync(services=services, credential=credential, start=now)
    differences = await sync.compare(wanted)
    written = await sync.add(wanted, differences)
    removed = await sync.remove(differences.leftovers)
    _log.info(
        "ZoomCredential %s/%s: %d meetings, %d mappings written, %d removed",
        credential.namespace,
        credential.name,
        len(wanted),
        written,
        removed,
    )
    return SyncResult(count=len(wanted), finished=services.clock(), pmi=pmi, written=written, removed=removed)


async def _wanted(services: Services, access: AccessToken) -> tuple[dict[str, Source], str | None]:
    """Zoom's truth: meeting IDs of the user and how they were found, and the personal meeting ID."""
    api = services.zoom_api(access.api_url)
    user = await api.me(access.token)
    try:
        wanted = await _listed_by_zoom(api, access, host_id=user.id)
    except ZoomError as error:
        if error.kind is not Cause.PAGE_EXPIRED:
            raise
        wanted = await _listed_by_zoom(api, access, host_id=user.id)
    if user.pmi:
        wanted[user.pmi] = Source.PMI
    return wanted, user.pmi


async def _listed_by_zoom(api: ZoomAPI, access: AccessToken, *, host_id: str) -> dict[str, Source]:
    return {meeting.id: Source.SYNC async for meeting in api.meetings(access.token) if meeting.host_id in ("", host_id)}


@dataclass(frozen=True)
class _Differences:
    """Names of mappings: to look at again because they differ, not there (as ours) yet, and not listed any more."""

    repairs: tuple[str, ...]
    missing: tuple[str, ...]
    leftovers: tuple[str, ...]


class _Sync:
    """One credential's differences between Zoom's list and the mappings, found and then written."""

    def __init__(self, *, services: Services, credential: ZoomCredential, start: datetime) -> None:
        self._kube = services.kube
        self._credential = credential
        self._start = start
        self._uids = {credential.name: credential.metadata.uid}
        self._writer = MappingWriter(kube=services.kube, clock=asyncio.get_running_loop().time)

    async def compare(self, wanted: dict[str, Source]) -> _Differences:
        """Look at the mappings that have the credential's label, page by page; only names are kept."""
        repairs, leftovers, seen = [], [], set()
        async for item in self._kube.list(
            MAPPINGS,
            namespace=self._credential.namespace,
            label_selector=credential_label(self._credential.name),
        ):
            mapping = MeetingMapping.from_object(item)
            source = wanted.get(mapping.name)
            if source is None:
                if self._removal(mapping) is not None:
                    leftovers.append(mapping.name)
                continue
            seen.add(mapping.name)
            if self._addition(source)(mapping) is not None:
                repairs.append(mapping.name)
        missing = tuple(name for name in wanted if name not in seen)
        return _Differences(repairs=tuple(repairs), missing=missing, leftovers=tuple(leftovers))

    async def add(self, wanted: dict[str, Source], differences: _Differences) -> int:
        """Write what is listed and not so; how many writes that took."""
        repaired = await self._each(
            differences.repairs, lambda name: self._write(name, self._addition(wanted[name]), probably_new=False)
        )
        return repaired + await self._each(
            differences.missing, lambda name: self._write(name, self._addition(wanted[name]), probably_new=True)
        )

    async def remove(self, leftovers: Sequence[str]) -> int:
        """Take out what Zoom does not list any more, and what is over; how many writes that took."""
        return await self._each(leftovers, lambda name: self._write(name, self._removal, probably_new=False))

    def _addition(self, source: Source) -> Decide:
        def decide(mapping: MeetingMapping | None) -> MappingStatus | None:
            status = mapping.status if mapping else None
            return listed(status, name=self._credential.name, source=source, start=self._start)

        return decide

    def _removal(self, mapping: MeetingMapping | None) -> MappingStatus | Remove | None:
        if mapping is None:
            return None
        if is_over(mapping, now=self._start):
            return REMOVE
        return no_longer_listed(mapping, name=self._credential.name, start=self._start)

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
