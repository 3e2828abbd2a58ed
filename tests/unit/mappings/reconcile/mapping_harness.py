"""The reconcilers of mappings, as the operator builds them but without randomness."""

from __future__ import annotations

import asyncio

from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.credentials.sessions.zoom_session import ZoomSessions
from meetingbots.credentials.status_writer import CredentialStatusWriter
from meetingbots.mappings.recently_deleted import RecentlyDeletedMappings
from meetingbots.mappings.reconcile.compaction import MappingCompaction
from meetingbots.mappings.reconcile.meeting_sync import MeetingSyncRun
from meetingbots.mappings.reconcile.stale_check import StaleMeetingCheck
from meetingbots.mappings.reconcile.sweeper import MappingSweeper, Reactivation, SweeperClients
from meetingbots.mappings.reconcile.sync_reconciler import MeetingSyncReconciler, PersonalMeetingIds
from meetingbots.mappings.store import MappingWriter
from meetingbots.models.credential import ZoomCredential
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key


class NobodyRemoved:
    """No user was removed."""

    async def look(self, key: Key, credential: ZoomCredential) -> float | None:
        return None


def sessions_of(context: OperatorContext, tokens: AccessTokens) -> ZoomSessions:
    return ZoomSessions(access_tokens=tokens, api_factory=context.zoom_api)


def writer_of(context: OperatorContext) -> MappingWriter:
    return MappingWriter(kube=context.kube, clock=asyncio.get_running_loop().time)


def sync_of(
    context: OperatorContext, *, tokens: AccessTokens, personal_ids: PersonalMeetingIds
) -> MeetingSyncReconciler:
    credentials = context.caches.credentials
    return MeetingSyncReconciler(
        credentials=credentials,
        sync=MeetingSyncRun(
            kube=context.kube,
            writer=writer_of(context),
            credentials=credentials,
            open_session=sessions_of(context, tokens).session,
        ),
        status_writer=CredentialStatusWriter(kube=context.kube, cache=credentials),
        clock=context.clock,
        personal_ids=personal_ids,
        jitter=lambda: 0.5,
    )


def sweeper_of(
    context: OperatorContext,
    *,
    sessions: ZoomSessions,
    reactivation: Reactivation | None = None,
    recently_deleted: RecentlyDeletedMappings | None = None,
    compaction: MappingCompaction | None = None,
) -> MappingSweeper:
    return MappingSweeper(
        clients=SweeperClients(
            kube=context.kube,
            writer=writer_of(context),
            compaction=compaction or MappingCompaction(writer=writer_of(context)),
            credentials=context.caches.credentials,
            recently_deleted=recently_deleted or RecentlyDeletedMappings(clock=lambda: context.clock().timestamp()),
            reactivation=reactivation or NobodyRemoved(),
        ),
        stale_check=StaleMeetingCheck(sessions=sessions),
        clock=context.clock,
        jitter=lambda: 0.5,
    )
