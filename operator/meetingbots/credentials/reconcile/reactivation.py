"""Asks Zoom whether a user that the status reports as removed (deactivated, deleted, left the account) is removed.

The report alone proves nothing: the receiver, which faces the internet, writes it. Zoom's answer decides whether the
credential is Ready. Working tokens prove nothing either, because Zoom may go on refreshing them. When the user is
active, the report is deleted from the status and the meetings are read again.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meetingbots.credentials.decide.revocation import checked, is_withdrawn
from meetingbots.credentials.reconcile.memory import CredentialMemories
from meetingbots.credentials.sessions.zoom_session import NoAccessTokenError, ZoomSessions
from meetingbots.credentials.status_writer import CredentialStatusWriter, StatusTarget
from meetingbots.kube.errors import ConflictError
from meetingbots.models.credential import ZoomCredential
from meetingbots.runtime.object_cache import Key, ObjectCache
from meetingbots.runtime.work_queue import WorkQueue
from meetingbots.zoom.errors import Cause, ZoomError

_log = logging.getLogger(__name__)
_ACTIVE: Final = frozenset({"active", ""})
_REMOVED: Final = frozenset({Cause.USER_INACTIVE, Cause.USER_NOT_FOUND})


@dataclass(frozen=True, kw_only=True)
class RemovalQueues:
    """Queues of work that follows from an answer: credentials and their meeting syncs."""

    credentials: WorkQueue[Key]
    syncs: WorkQueue[Key]


@dataclass(frozen=True, kw_only=True)
class UserReactivation:
    """Checks removed users, and notes the answers in `memories`."""

    credentials: ObjectCache
    sessions: ZoomSessions
    status: CredentialStatusWriter
    memories: CredentialMemories
    queues: RemovalQueues
    clock: Callable[[], datetime]

    async def look(self, key: Key, credential: ZoomCredential) -> float | None:
        """Ask Zoom if that is due; return the seconds until the next time (None: no removal). Raises `KubeError`."""
        memory = self.memories.of(key)
        check = memory.removal_check(credential.status)
        if check is None:
            memory.removal = None
            return None
        if check.asked_at is None or check.wait_seconds(self.clock()) <= 0:
            answer = await self._is_removed(key)
            before, check = check, checked(check, removed=answer, now=self.clock())
            if is_withdrawn(check):
                memory.removal = None
                await self._withdraw(key)
                return None
            memory.removal = check
            if before.confirmed != check.confirmed:
                self.queues.credentials.add(key)
        return check.wait_seconds(self.clock())

    async def _is_removed(self, key: Key) -> bool | None:
        """Return Zoom's answer; None without a clear one."""
        try:
            session = await self.sessions.session(key)
            user = await session.call(lambda api, token: api.me(token))
        except NoAccessTokenError:
            return None
        except ZoomError as error:
            _log.info("ZoomCredential %s: Zoom does not say whether the user is active: %s", key, error)
            return True if error.kind in _REMOVED else None
        access = session.access
        same = access.user_id in ("", user.id) and access.account_id in ("", user.account_id)
        return not same or user.status not in _ACTIVE

    async def _withdraw(self, key: Key) -> None:
        item = self.credentials.get(key)
        if item is None:
            return
        credential = ZoomCredential.from_object(item)
        next_sync = self.clock() if credential.status.meetings is not None else None
        with contextlib.suppress(ConflictError):
            if await self.status.clear_user_removal(StatusTarget.of(credential, unchanged=True), next_sync=next_sync):
                self.queues.syncs.add(key)
                _log.info("ZoomCredential %s: the user is active", key)
