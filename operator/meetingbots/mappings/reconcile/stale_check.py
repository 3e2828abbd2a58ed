"""Asks Zoom whether meetings still exist that no list answers for.

These are meetings that only webhooks or lookups reported, when a newer list does not contain them or no event has
arrived for a month.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from meetingbots.credentials.sessions.zoom_session import NoAccessTokenError, ZoomSessions
from meetingbots.mappings.decide.listing import Remove
from meetingbots.mappings.decide.retention import OwnerFacts, after_check, in_doubt
from meetingbots.mappings.writer import Decide
from meetingbots.models.mapping import MappingStatus, MeetingMapping
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.errors import Cause, ZoomError

_log = logging.getLogger(__name__)
MAX_QUESTIONS: Final = 100
_MISSING: Final = frozenset({Cause.MEETING_NOT_FOUND, Cause.USER_NOT_FOUND})


class StaleMeetingCheck:
    """Asks Zoom at most `MAX_QUESTIONS` times in a sweep."""

    def __init__(self, *, sessions: ZoomSessions) -> None:
        self._sessions = sessions
        self._questions = 0

    def begin(self) -> None:
        """Begin a sweep."""
        self._questions = 0

    async def check(self, mapping: MeetingMapping, *, owners: OwnerFacts, now: datetime) -> Decide | None:
        """Return the change to a mapping; None when there is no doubt or no answer. Raises `KubeError`."""
        exists, missing = set[str](), set[str]()
        for name in in_doubt(mapping, owners=owners, now=now):
            answer = await self._exists(Key(mapping.namespace, name), mapping.name)
            if answer is not None:
                (exists if answer else missing).add(name)
        if not exists and not missing:
            return None

        def decide(found: MeetingMapping | None) -> MappingStatus | Remove | None:
            # An event may have arrived in between.
            doubtful = in_doubt(found, owners=owners, now=now) if found is not None else frozenset()
            if found is None or not doubtful >= exists | missing:
                return None
            return after_check(found, missing=missing, now=now)

        return decide

    async def _exists(self, credential: Key, meeting_id: str) -> bool | None:
        if self._questions >= MAX_QUESTIONS:
            return None
        try:
            session = await self._sessions.session(credential)
        except NoAccessTokenError:
            return None
        self._questions += 1
        try:
            await session.call(lambda api, token: api.meeting(token, meeting_id=meeting_id))
        except ZoomError as error:
            if error.kind is Cause.IS_WEBINAR:
                return True
            if error.kind in _MISSING:
                return False
            _log.info("ZoomCredential %s: Zoom did not answer whether a meeting exists: %s", credential, error)
            return None
        return True
