"""A credential's turn for reading its meetings: is it time, with which token, and what came of it, in the status.

A failure here never makes the credential less Ready. The status fields and the condition are this part's own, written
under its own field manager, so that it can run beside the renewal of tokens.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from meetingbots.credentials.reconcile.memory import CredentialMemories
from meetingbots.credentials.sessions.access_tokens import AccessToken, AccessTokens, NotReady
from meetingbots.kube.errors import KubeError, NotFoundError
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.mappings.decide.sync_schedule import (
    SyncVerdict,
    due_at,
    failed,
    may_read,
    next_after,
    pending_request,
    retry_after,
    stopped,
    under_way,
)
from meetingbots.mappings.reconcile.sync_diff import SyncResult, sync_meetings
from meetingbots.models.base import ModelError
from meetingbots.models.conditions import ConditionType, set_condition
from meetingbots.models.credential import MeetingsStatus, SyncProgress, SyncReason, ZoomCredential
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.errors import Cause, TransientError, ZoomError
from meetingbots.zoom.resources import User

_log = logging.getLogger(__name__)
FIELD_MANAGER: Final = "meetingbots-operator-sync"
_FIELDS: Final = ("meetings", "lastHandledSyncRequest")
_NOT_READY_SECONDS: Final = 30.0
_PROGRESS_EVERY: Final = timedelta(seconds=2)
"""How often the progress of a long read is told; a short one is done before it is worth a word."""


class CredentialTokens:
    """A credential's access tokens for a read that may outlast several of them; `first` is the one at hand."""

    def __init__(self, *, key: Key, access_tokens: AccessTokens, first: AccessToken) -> None:
        self._key = key
        self._access_tokens = access_tokens
        self._first: AccessToken | None = first

    async def get(self) -> AccessToken:
        """A usable token. Raises `Passing` when there is none now, and `KubeError`."""
        first, self._first = self._first, None
        access = first or await self._access_tokens.get(self._key)
        if isinstance(access, NotReady):
            raise TransientError(Cause.UNAVAILABLE, message=access.message)
        return access

    def refuse(self, access: AccessToken) -> None:
        """Zoom does not take this one any more: a newer one is asked for."""
        self._access_tokens.invalidate(self._key, access)


class MeetingSyncReconciler:
    """Reads meetings when it is time. `jitter` (0 to 1) spreads the daily reads."""

    def __init__(
        self,
        *,
        services: OperatorContext,
        access_tokens: AccessTokens,
        memory: CredentialMemories,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._services = services
        self._access_tokens = access_tokens
        self._memory = memory
        self._jitter = jitter
        self._failures: dict[Key, int] = {}
        self._tried: dict[Key, str] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Read the meetings if it is time; in how many seconds it may be again. Raises `KubeError`."""
        item = self._services.caches.credentials.get(key)
        if item is None:
            return None
        try:
            credential = ZoomCredential.from_object(item)
        except ModelError:
            return None  # told by the credential's own reconciliation
        why_not = stopped(credential)
        if why_not is not None:
            await self._tell(key, credential, why_not, meetings=_without_progress(credential))
            return None
        now = self._services.clock()
        due = due_at(credential, now=now, tried_request=self._tried.get(key, ""))
        if due > now:
            return (due - now).total_seconds()
        return await self._turn(key, credential)

    def forget(self, key: Key) -> None:
        """The credential is gone."""
        self._failures.pop(key, None)
        self._tried.pop(key, None)

    async def _turn(self, key: Key, credential: ZoomCredential) -> float:
        why_not = may_read(credential)
        access = await self._access_tokens.get(key) if why_not is None else None
        if isinstance(access, NotReady):
            why_not = SyncVerdict(False, SyncReason.CREDENTIAL_NOT_READY, access.message)
        if why_not is not None or not isinstance(access, AccessToken):
            if why_not is not None:
                await self._tell(key, credential, why_not, meetings=_without_progress(credential))
            return _NOT_READY_SECONDS
        start = self._services.clock()
        self._tried[key] = pending_request(credential)
        tokens = CredentialTokens(key=key, access_tokens=self._access_tokens, first=access)
        told: list[datetime] = []

        async def progress(made: SyncProgress) -> None:
            now = self._services.clock()
            walk_begins = not told and made.users_total is not None
            if walk_begins or now - max(told, default=start) >= _PROGRESS_EVERY:
                told.append(now)
                await self._progress(key, credential, made)

        try:
            result = await sync_meetings(
                services=self._services, credential=credential, tokens=tokens, now=start, progress=progress
            )
        except ZoomError as error:
            return await self._failed(key, credential, access, error)
        except KubeError as error:
            if error.status in (401, 404):
                raise  # the namespace or our rights went: not about meetings
            lost = TransientError(Cause.UNAVAILABLE, message=f"mappings could not be written (HTTP {error.status})")
            return await self._failed(key, credential, access, lost)
        return await self._done(key, credential, result)

    async def _done(self, key: Key, credential: ZoomCredential, result: SyncResult) -> float:
        self._failures.pop(key, None)
        self._remember_pmi(key, credential, result)
        following = next_after(credential, finished=result.finished, jitter=self._jitter(), adopted=result.adopted > 0)
        verdict = SyncVerdict(True, SyncReason.SYNCED, f"{result.count} meetings were read from Zoom.")
        meetings = MeetingsStatus(count=result.count, last_sync_time=result.finished, next_sync_time=following)
        await self._tell(key, credential, verdict, meetings=meetings, handled=self._tried.get(key, ""))
        return self._until(following)

    async def _failed(self, key: Key, credential: ZoomCredential, access: AccessToken, error: ZoomError) -> float:
        if error.kind is Cause.TOKEN_EXPIRED:
            self._access_tokens.invalidate(key, access)
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        _log.warning("meetings of %s were not read: %s", key, error)
        again = retry_after(error, failures=failures, now=self._services.clock())
        known = credential.status.meetings or MeetingsStatus()
        meetings = known.model_copy(update={"next_sync_time": again, "progress": None})
        await self._tell(key, credential, failed(error), meetings=meetings)
        return self._until(again)

    async def _progress(self, key: Key, credential: ZoomCredential, made: SyncProgress) -> None:
        known = credential.status.meetings or MeetingsStatus()
        await self._tell(key, credential, under_way(credential), meetings=known.model_copy(update={"progress": made}))

    def _until(self, moment: datetime) -> float:
        return max(0.0, (moment - self._services.clock()).total_seconds())

    def _remember_pmi(self, key: Key, credential: ZoomCredential, result: SyncResult) -> None:
        status = credential.status
        if status.user_id and status.pmi != result.pmi:
            self._memory.of(key).user = User(
                id=status.user_id,
                account_id=status.account_id or "",
                email=status.email or "",
                pmi=result.pmi,
                status="",
                type=None,
                vanity_url="",
            )

    async def _tell(
        self,
        key: Key,
        credential: ZoomCredential,
        verdict: SyncVerdict,
        *,
        meetings: MeetingsStatus | None,
        handled: str = "",
    ) -> None:
        """Write this part of the status where it is not so."""
        # As it is now: a read may have taken long.
        item = self._services.caches.credentials.get(key)
        if item is None or item["metadata"].get("uid") != credential.metadata.uid:
            return
        present = item.get("status") or {}
        status = ZoomCredential.from_object(item).status
        condition = set_condition(
            [known for known in status.conditions if known.type == ConditionType.MEETINGS_SYNCED],
            type=ConditionType.MEETINGS_SYNCED,
            status=verdict.synced,
            reason=verdict.reason,
            message=verdict.message,
            generation=credential.metadata.generation,
            now=self._services.clock(),
        )[0].to_dict()
        request = handled or status.last_handled_sync_request
        wanted = {
            "meetings": meetings.to_dict() if meetings is not None else None,
            "lastHandledSyncRequest": request,
        }
        wanted = {field: value for field, value in wanted.items() if value is not None}
        owned = {field: present[field] for field in _FIELDS if field in present}
        if wanted == owned and condition in present.get("conditions", ()):
            return
        try:
            written = await self._services.kube.apply(
                CREDENTIALS,
                namespace=key.namespace,
                name=key.name,
                body={
                    "metadata": {"uid": credential.metadata.uid},
                    "status": {**wanted, "conditions": [condition]},
                },
                manager=FIELD_MANAGER,
                subresource="status",
            )
        except NotFoundError:
            return
        known = self._services.caches.credentials.get(key)
        if known is not None and known["metadata"].get("uid") == credential.metadata.uid:
            self._services.caches.credentials.put(written)


def _without_progress(credential: ZoomCredential) -> MeetingsStatus | None:
    meetings = credential.status.meetings
    return meetings.model_copy(update={"progress": None}) if meetings is not None else None
