"""Meetings of which nothing was heard for a month: Zoom is asked whether they are still there.

Where meetings are read by a sync, its list tells; this is for those that webhooks or look-ups found and no list has.
"""

from __future__ import annotations

import logging
from typing import Final

from meetingbots.decide.mapping_retention import is_idle, still_there
from meetingbots.decide.mapping_sync import FROM_LISTS, Remove
from meetingbots.models.base import ModelError
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MappingStatus, MeetingMapping
from meetingbots.reconcile.access_tokens import AccessTokens, NotReady
from meetingbots.reconcile.cache import Key
from meetingbots.reconcile.mapping_writer import Decide
from meetingbots.reconcile.services import Services
from meetingbots.zoom.errors import Cause, ZoomError

_log = logging.getLogger(__name__)
_MOST_IN_A_SWEEP: Final = 100
_FORGOTTEN: Final = frozenset({Cause.MEETING_NOT_FOUND, Cause.USER_NOT_FOUND})


class IdleMeetings:
    """Asks Zoom, a few times in each sweep."""

    def __init__(self, *, services: Services, access_tokens: AccessTokens) -> None:
        self._services = services
        self._access_tokens = access_tokens
        self._asked = 0

    def begin(self) -> None:
        """A new sweep: questions may be asked again."""
        self._asked = 0

    async def ask(self, mapping: MeetingMapping) -> Decide | None:
        """What is to be done about an idle mapping; None: nothing, for Zoom gave no answer. Raises `KubeError`."""
        forgotten: set[str] = set()
        known: set[str] = set()
        for one in mapping.status.credentials:
            if one.source in FROM_LISTS and self._is_read(Key(mapping.namespace, one.name)):
                continue  # the credential's sync tells
            answer = await self._is_there(Key(mapping.namespace, one.name), mapping.name)
            if answer is not None:
                (known if answer else forgotten).add(one.name)
        if not forgotten and not known:
            return None
        now = self._services.clock()

        def decide(found: MeetingMapping | None) -> MappingStatus | Remove | None:
            # Something may have been heard meanwhile.
            if found is None or not is_idle(found, now=now):
                return None
            return still_there(found, forgotten=forgotten, now=now)

        return decide

    def _is_read(self, credential: Key) -> bool:
        item = self._services.caches.credentials.get(credential)
        try:
            return item is not None and ZoomCredential.from_object(item).sync_enabled
        except ModelError:
            return False

    async def _is_there(self, credential: Key, meeting_id: str) -> bool | None:
        if self._asked >= _MOST_IN_A_SWEEP:
            return None
        access = await self._access_tokens.get(credential)
        if isinstance(access, NotReady):
            return None
        self._asked += 1
        try:
            await self._services.zoom_api(access.api_url, account=access.account_id).meeting(
                access.token, meeting_id=meeting_id
            )
        except ZoomError as error:
            if error.kind is Cause.IS_WEBINAR:
                return True
            if error.kind in _FORGOTTEN:
                return False
            _log.info("ZoomCredential %s: Zoom does not say whether a meeting is still there: %s", credential, error)
            return None
        return True
