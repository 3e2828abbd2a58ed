"""Users of whom Zoom told that they were deactivated or left: Zoom is asked whether they are users again.

Their tokens are no proof, for Zoom may go on renewing those. Once a user is active again, the word of the removal is
taken out of the credential's status, and the meetings are read anew.
"""

from __future__ import annotations

import contextlib
import logging
from datetime import timedelta
from typing import Final

from meetingbots.credentials.sessions.access_tokens import AccessTokens, NotReady
from meetingbots.credentials.status_writer import CredentialStatusWriter, StatusTarget
from meetingbots.kube.errors import ConflictError
from meetingbots.models.credential import ZoomCredential
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.errors import Cause, ZoomError

_log = logging.getLogger(__name__)
_FIRST_LOOK: Final = timedelta(seconds=60)
"""Zoom's own answers may lag behind its events."""
_LAST_PAUSE_SECONDS: Final = 600.0
_SHARE: Final = 0.1
_ACTIVE: Final = frozenset({"active", ""})


class UserReactivation:
    """Looks whether a removed user is back: often at first, every ten minutes in the end."""

    def __init__(self, *, services: OperatorContext, access_tokens: AccessTokens) -> None:
        self._services = services
        self._access_tokens = access_tokens
        self._status = CredentialStatusWriter(kube=services.kube, cache=services.caches.credentials)

    async def look(self, key: Key, credential: ZoomCredential) -> float | None:
        """Ask Zoom if it is time; in how many seconds again (None: nobody was removed). Raises `KubeError`."""
        removal, now = credential.status.user_removal, self._services.clock()
        if removal is None or removal.time is None:
            return None
        passed = now - removal.time
        if passed < _FIRST_LOOK:
            return (_FIRST_LOOK - passed).total_seconds()
        if await self._is_active(key):
            await self._take_back(key)
            return None
        return min(max(passed.total_seconds() * _SHARE, _FIRST_LOOK.total_seconds()), _LAST_PAUSE_SECONDS)

    async def _is_active(self, key: Key) -> bool:
        access = await self._access_tokens.get(key)
        if isinstance(access, NotReady):
            return False
        try:
            user = await self._services.zoom_api(access.api_url, account=access.account_id).me(access.token)
        except ZoomError as error:
            if error.kind is Cause.TOKEN_EXPIRED:
                # The renewal that this brings about tells the credential how it stands.
                self._access_tokens.invalidate(key, access)
            _log.info("ZoomCredential %s: the user is not known to be back: %s", key, error)
            return False
        return user.status in _ACTIVE and user.id == access.user_id

    async def _take_back(self, key: Key) -> None:
        item = self._services.caches.credentials.get(key)
        if item is None:
            return
        credential = ZoomCredential.from_object(item)
        next_sync = self._services.clock() if credential.status.meetings is not None else None
        with contextlib.suppress(ConflictError):
            if await self._status.clear_user_removal(StatusTarget.of(credential, unchanged=True), next_sync=next_sync):
                self._services.queues.syncs.add(key)
                _log.info("ZoomCredential %s: Zoom says that its user is active", key)
