"""Builds the classes that serve MeetingMappings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from meetingbots.credentials.sessions.zoom_session import ZoomSessions
from meetingbots.credentials.status_writer import CredentialStatusWriter
from meetingbots.mappings.recently_deleted import RecentlyDeletedMappings
from meetingbots.mappings.reconcile.compaction import MappingCompaction
from meetingbots.mappings.reconcile.manual_entries import ManualEntries
from meetingbots.mappings.reconcile.meeting_sync import MeetingSyncRun
from meetingbots.mappings.reconcile.stale_check import StaleMeetingCheck
from meetingbots.mappings.reconcile.sweeper import MappingSweeper, Reactivation, SweeperClients
from meetingbots.mappings.reconcile.sync_reconciler import MeetingSyncReconciler, PersonalMeetingIds
from meetingbots.mappings.store import MappingWriter
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key
from meetingbots.runtime.workers import Controller

_FIRST_SWEEP_SECONDS: Final = 20.0


@dataclass(frozen=True, kw_only=True)
class CredentialPorts:
    """What the credentials slice provides: sessions at Zoom, and where to report and ask about a credential's user."""

    sessions: ZoomSessions
    personal_ids: PersonalMeetingIds
    reactivation: Reactivation


@dataclass(frozen=True, kw_only=True)
class MappingSlice:
    """The controllers of mappings, and background tasks that run until they are cancelled."""

    controllers: tuple[Controller[Key], ...]
    background: tuple[Callable[[], Awaitable[None]], ...]


def assemble(
    context: OperatorContext, *, ports: CredentialPorts, recently_deleted: RecentlyDeletedMappings
) -> MappingSlice:
    """The slice of one operator process; plans the first sweep of each namespace."""
    writer = MappingWriter(kube=context.kube, clock=asyncio.get_running_loop().time)
    compaction = MappingCompaction(writer=writer)
    clients = SweeperClients(
        kube=context.kube,
        writer=writer,
        compaction=compaction,
        credentials=context.caches.credentials,
        recently_deleted=recently_deleted,
        reactivation=ports.reactivation,
    )
    namespaces = context.settings.namespaces
    for namespace in namespaces:
        context.queues.tidying.add(Key(namespace or "", ""), after=_FIRST_SWEEP_SECONDS)
    return MappingSlice(
        controllers=(
            Controller(
                kind="MeetingSync",
                queue=context.queues.syncs,
                reconcile=sync_reconciler(context, ports=ports, writer=writer).reconcile,
                workers=16,
                share=4,
                interruptible=True,
            ),
            Controller(
                kind="Tidying",
                queue=context.queues.tidying,
                reconcile=sweeper(context, ports=ports, clients=clients).reconcile,
                workers=2,
                interruptible=True,
            ),
        ),
        background=(
            *(ManualEntries(kube=context.kube, writer=writer, namespace=namespace).run for namespace in namespaces),
            compaction.run,
        ),
    )


def sync_reconciler(
    context: OperatorContext, *, ports: CredentialPorts, writer: MappingWriter
) -> MeetingSyncReconciler:
    """The reconciler that reads credentials' meetings."""
    kube, credentials = context.kube, context.caches.credentials
    sync = MeetingSyncRun(kube=kube, writer=writer, credentials=credentials, open_session=ports.sessions.session)
    return MeetingSyncReconciler(
        credentials=credentials,
        sync=sync,
        status_writer=CredentialStatusWriter(kube=kube, cache=credentials),
        clock=context.clock,
        personal_ids=ports.personal_ids,
    )


def sweeper(context: OperatorContext, *, ports: CredentialPorts, clients: SweeperClients) -> MappingSweeper:
    """The reconciler that cleans mappings up."""
    return MappingSweeper(clients=clients, stale_check=StaleMeetingCheck(sessions=ports.sessions), clock=context.clock)
