"""The meeting ID behind a personal link (zoom.us/my/NAME), which Zoom tells only to the link's own user.

The named, the selected, or else all user-level credentials of the namespace ask for their own user. The answers are
kept in memory for some minutes, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from cachetools import TTLCache

from meetingbots.bots.reconcile.credential_reader import CredentialReader
from meetingbots.credentials.sessions.zoom_session import NoAccessTokenError, ZoomSessions
from meetingbots.models.bot import MeetingBot
from meetingbots.models.credential import Level
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.errors import ZoomError
from meetingbots.zoom.links import MeetingLink

_KEPT_SECONDS: Final = 600.0
_MAX_USERS: Final = 10_000
_MAX_CREDENTIALS: Final = 50
_COMMON_HOST: Final = "zoom.us"


@dataclass(frozen=True)
class _PersonalRoom:
    """A user's personal link and meeting ID; `name` is empty for a user without a link."""

    name: str
    host: str
    meeting_id: str | None

    def fits(self, link: MeetingLink) -> bool:
        """Whether `link` leads here. A company's own host and zoom.us lead to the same user."""
        same_host = self.host == link.host or _COMMON_HOST in (self.host, link.host)
        return bool(self.name) and self.name == (link.vanity or "").lower() and same_host


class PersonalLinks:
    """Finds the meeting ID of a personal link."""

    def __init__(
        self, *, sessions: ZoomSessions, credentials: CredentialReader, monotonic: Callable[[], float]
    ) -> None:
        self._sessions = sessions
        self._credentials = credentials
        self._rooms: TTLCache[Key, _PersonalRoom] = TTLCache(_MAX_USERS, ttl=_KEPT_SECONDS, timer=monotonic)

    async def meeting_id(self, bot: MeetingBot, link: MeetingLink) -> str | None:
        """The ID; None if it belongs to no known user, or to more than one. Raises `KubeError`."""
        rooms = [await self._room(key) for key in self._candidates(bot)]
        found = {room.meeting_id for room in rooms if room is not None and room.meeting_id and room.fits(link)}
        return found.pop() if len(found) == 1 else None

    async def _room(self, key: Key) -> _PersonalRoom | None:
        known = self._rooms.get(key)
        if known is not None:
            return known
        try:
            session = await self._sessions.session(key)
            user = await session.call(lambda api, token: api.me(token))
        except (NoAccessTokenError, ZoomError):
            return None  # The bot's next reconciliation asks again.
        host = urlsplit(user.vanity_url).hostname or _COMMON_HOST
        room = self._rooms[key] = _PersonalRoom(name=user.vanity.lower(), host=host, meeting_id=user.pmi)
        return room

    def _candidates(self, bot: MeetingBot) -> list[Key]:
        reference, selector = bot.spec.credential_ref, bot.spec.credential_selector
        found = [
            Key(bot.namespace, credential.name)
            for credential in self._credentials.all(bot.namespace)
            if credential.spec.level is Level.USER
            and (reference is None or reference.name == credential.name)
            and (selector is None or selector.matches(credential.metadata.labels))
        ]
        return sorted(found)[:_MAX_CREDENTIALS]
