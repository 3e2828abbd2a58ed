"""Meetings that may not be there any more: Zoom is asked.

Where meetings are read by a sync, its list tells. This is for those that only webhooks or look-ups found: when a list
that was read since does not have one, or when nothing was heard of it for a month.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from meetingbots.credentials.sessions.access_tokens import AccessTokens, NotReady
from meetingbots.mappings.decide.listing import FROM_LISTS, Remove
from meetingbots.mappings.decide.retention import Known, is_idle, still_there, unlisted
from meetingbots.mappings.writer import Decide
from meetingbots.models.mapping import MappingStatus, MeetingMapping
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.errors import Cause, ZoomError

_log = logging.getLogger(__name__)
_MOST_IN_A_SWEEP: Final = 100
_FORGOTTEN: Final = frozenset({Cause.MEETING_NOT_FOUND, Cause.USER_NOT_FOUND})


class StaleMeetingCheck:
    """Asks Zoom, a few times in each sweep."""

    def __init__(self, *, services: OperatorContext, access_tokens: AccessTokens) -> None:
        self._services = services
        self._access_tokens = access_tokens
        self._asked = 0

    def begin(self) -> None:
        """A new sweep: questions may be asked again."""
        self._asked = 0

    async def ask(self, mapping: MeetingMapping, *, known: Known, now: datetime) -> Decide | None:
        """What is to be done about a mapping; None: nothing, for there is no doubt or no answer. Raises `KubeError`."""
        there, forgotten = set[str](), set[str]()
        for name in _doubtful(mapping, known=known, now=now):
            answer = await self._is_there(Key(mapping.namespace, name), mapping.name)
            if answer is not None:
                (there if answer else forgotten).add(name)
        if not there and not forgotten:
            return None

        def decide(found: MeetingMapping | None) -> MappingStatus | Remove | None:
            # Something may have been heard meanwhile.
            doubtful = _doubtful(found, known=known, now=now) if found is not None else frozenset()
            if found is None or not doubtful >= there | forgotten:
                return None
            return still_there(found, forgotten=forgotten, now=now)

        return decide

    async def _is_there(self, credential: Key, meeting_id: str) -> bool | None:
        if self._asked >= _MOST_IN_A_SWEEP:
            return None
        access = await self._access_tokens.get(credential)
        if isinstance(access, NotReady):
            return None
        self._asked += 1
        api = self._services.zoom_api(access.api_url, account=access.account_id)
        try:
            await api.meeting(access.token, meeting_id=meeting_id)
        except ZoomError as error:
            if error.kind is Cause.IS_WEBINAR:
                return True
            if error.kind in _FORGOTTEN:
                return False
            _log.info("ZoomCredential %s: Zoom does not say whether a meeting is still there: %s", credential, error)
            return None
        return True


def _doubtful(mapping: MeetingMapping, *, known: Known, now: datetime) -> frozenset[str]:
    if not is_idle(mapping, now=now):
        return unlisted(mapping, known=known)
    # What a list has told, the next list will.
    return frozenset(
        one.name for one in mapping.status.credentials if one.source not in FROM_LISTS or one.name not in known.read
    )
