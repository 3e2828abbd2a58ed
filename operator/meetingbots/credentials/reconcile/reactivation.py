"""Asks Zoom whether removed users (deactivated, deleted, or no longer in the account) are active again.

Working tokens prove nothing, because Zoom may go on refreshing them. When a user is active again, the removal is
deleted from the credential's status and the meetings are read again.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from meetingbots.credentials.decide.revocation import CLOCK_SKEW
from meetingbots.credentials.sessions.zoom_session import NoAccessTokenError, ZoomSessions
from meetingbots.credentials.status_writer import CredentialStatusWriter, StatusTarget
from meetingbots.kube.errors import ConflictError
from meetingbots.models.credential import ZoomCredential
from meetingbots.runtime.object_cache import Key, ObjectCache
from meetingbots.runtime.work_queue import WorkQueue
from meetingbots.zoom.errors import ZoomError

_log = logging.getLogger(__name__)
_FIRST_CHECK: Final = timedelta(seconds=60)
"""Zoom's API may lag behind its events."""
_LONGEST_INTERVAL_SECONDS: Final = 600.0
_INTERVAL_SHARE: Final = 0.1
_ACTIVE: Final = frozenset({"active", ""})


class UserReactivation:
    """Checks removed users: every minute at first, every ten minutes in the end."""

    def __init__(
        self,
        *,
        credentials: ObjectCache,
        sessions: ZoomSessions,
        status: CredentialStatusWriter,
        syncs: WorkQueue[Key],
        clock: Callable[[], datetime],
    ) -> None:
        self._credentials = credentials
        self._sessions = sessions
        self._status = status
        self._syncs = syncs
        self._clock = clock

    async def look(self, key: Key, credential: ZoomCredential) -> float | None:
        """Ask Zoom if that is due; return the seconds until the next time (None: no removal). Raises `KubeError`."""
        removal, now = credential.status.user_removal, self._clock()
        if removal is None or removal.time is None:
            return None
        passed = now - removal.time
        if -CLOCK_SKEW <= passed < _FIRST_CHECK:
            return (_FIRST_CHECK - passed).total_seconds()
        if await self._is_active(key):
            await self._withdraw(key)
            return None
        return min(
            max(passed.total_seconds() * _INTERVAL_SHARE, _FIRST_CHECK.total_seconds()), _LONGEST_INTERVAL_SECONDS
        )

    async def _is_active(self, key: Key) -> bool:
        try:
            session = await self._sessions.session(key)
            user = await session.call(lambda api, token: api.me(token))
        except NoAccessTokenError:
            return False
        except ZoomError as error:
            _log.info("ZoomCredential %s: Zoom does not say that the user is active: %s", key, error)
            return False
        return user.status in _ACTIVE and user.id == session.access.user_id

    async def _withdraw(self, key: Key) -> None:
        item = self._credentials.get(key)
        if item is None:
            return
        credential = ZoomCredential.from_object(item)
        next_sync = self._clock() if credential.status.meetings is not None else None
        with contextlib.suppress(ConflictError):
            if await self._status.clear_user_removal(StatusTarget.of(credential, unchanged=True), next_sync=next_sync):
                self._syncs.add(key)
                _log.info("ZoomCredential %s: the user is active again", key)
