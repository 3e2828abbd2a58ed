"""Reads each credential's meetings when that is due, and reports the result in the credential's status.

A failure never changes condition Ready. The sync writes its own part of the status under its own field manager, so it
runs in parallel with token refreshes.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from meetingbots.credentials.sessions.zoom_session import NoAccessTokenError
from meetingbots.credentials.status_writer import CredentialStatusWriter, StatusManager, StatusTarget, differs
from meetingbots.kube.errors import KubeError
from meetingbots.mappings.decide.sync import (
    NOT_READY_SECONDS,
    ReadMeetings,
    SyncFacts,
    SyncStatus,
    completed,
    decide,
    failed,
    in_progress,
    next_after,
    not_ready,
    retry_after,
)
from meetingbots.mappings.reconcile.meeting_sync import MeetingSyncRun, SyncResult
from meetingbots.models.base import ModelError
from meetingbots.models.credential import SyncProgress, ZoomCredential
from meetingbots.runtime.object_cache import Key, ObjectCache
from meetingbots.zoom.errors import Cause, TransientError, ZoomError

_log = logging.getLogger(__name__)
_PROGRESS_INTERVAL: Final = timedelta(seconds=2)


class PersonalMeetingIds(Protocol):
    """Keeps the personal meeting IDs of credentials' users up to date."""

    def note(self, key: Key, pmi: str | None) -> None:
        """The user of a credential has another personal meeting ID now."""


class MeetingSyncReconciler:
    """Reads the meetings of due credentials. `jitter` (0 to 1) spreads the daily reads."""

    def __init__(
        self,
        *,
        credentials: ObjectCache,
        sync: MeetingSyncRun,
        status_writer: CredentialStatusWriter,
        clock: Callable[[], datetime],
        personal_ids: PersonalMeetingIds,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._credentials = credentials
        self._sync = sync
        self._status_writer = status_writer
        self._clock = clock
        self._personal_ids = personal_ids
        self._jitter = jitter
        self._failures: dict[Key, int] = {}
        self._attempted: dict[Key, str] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Read the meetings if that is due; return the seconds until the next reconciliation. Raises `KubeError`."""
        facts = self._gather(key)
        if facts is None:
            return None
        plan = decide(facts)
        if plan.status is not None:
            await self._write_status(facts.credential, plan.status)
        if plan.action is not None:
            return await self._read(key, facts.credential, plan.action)
        return plan.requeue_after

    def _gather(self, key: Key) -> SyncFacts | None:
        """Return the facts; None for a credential that is gone (and is then forgotten) or unreadable."""
        item = self._credentials.get(key)
        if item is None:
            self._failures.pop(key, None)
            self._attempted.pop(key, None)
            return None
        try:
            credential = ZoomCredential.from_object(item)
        except ModelError:
            return None  # reported by the credential's own reconciliation
        return SyncFacts(credential=credential, now=self._clock(), attempted_request=self._attempted.get(key, ""))

    async def _read(self, key: Key, credential: ZoomCredential, action: ReadMeetings) -> float:
        start = self._clock()
        self._attempted[key] = action.request
        reports: list[datetime] = []

        async def report(progress: SyncProgress) -> None:
            now = self._clock()
            users_known = not reports and progress.users_total is not None
            if users_known or now - max(reports, default=start) >= _PROGRESS_INTERVAL:
                reports.append(now)
                await self._write_status(credential, in_progress(credential, progress))

        try:
            result = await self._sync.run(credential, start=start, progress=report)
        except NoAccessTokenError as error:
            await self._write_status(credential, not_ready(credential, str(error)))
            return NOT_READY_SECONDS
        except ZoomError as error:
            return await self._failed(key, credential, error)
        except KubeError as error:
            if error.status in (401, 404):
                raise  # the namespace or our permissions are gone
            lost = TransientError(Cause.UNAVAILABLE, message=f"mappings could not be written (HTTP {error.status})")
            return await self._failed(key, credential, lost)
        return await self._completed(key, credential, result)

    async def _completed(self, key: Key, credential: ZoomCredential, result: SyncResult) -> float:
        self._failures.pop(key, None)
        known = credential.status
        if known.user_id == result.user.id and known.pmi != result.user.pmi:
            self._personal_ids.note(key, result.user.pmi)
        finished = self._clock()
        following = next_after(credential, finished=finished, jitter=self._jitter(), adopted=result.adopted > 0)
        status = completed(
            count=result.count,
            skipped=result.skipped,
            finished=finished,
            following=following,
            request=self._attempted.get(key, ""),
        )
        await self._write_status(credential, status)
        return self._seconds_until(following)

    async def _failed(self, key: Key, credential: ZoomCredential, error: ZoomError) -> float:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        _log.warning("ZoomCredential %s: meetings could not be read: %s", key, error)
        retry = retry_after(error, failures=failures, now=self._clock())
        await self._write_status(credential, failed(credential, error, retry=retry))
        return self._seconds_until(retry)

    async def _write_status(self, credential: ZoomCredential, sync: SyncStatus) -> None:
        """Write what differs from the newest known object, unless the credential was deleted or re-created."""
        item = self._credentials.get(Key(credential.namespace, credential.name))
        if item is None or item["metadata"].get("uid") != credential.metadata.uid:
            return
        known = ZoomCredential.from_object(item).status
        wanted = sync.applied_to(known, generation=credential.metadata.generation, now=self._clock())
        if differs(wanted, known, manager=StatusManager.SYNC):
            await self._status_writer.apply(StatusTarget.of(credential), wanted, manager=StatusManager.SYNC)

    def _seconds_until(self, moment: datetime) -> float:
        return max(0.0, (moment - self._clock()).total_seconds())
