"""The meeting ID behind a personal link (zoom.us/my/NAME), which Zoom reveals only to the link's own user.

The named, the selected, or else all user-level credentials of the namespace ask for their own user. The answers are
kept in memory for some minutes, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cachetools import TTLCache

from meetingbots.bots.reconcile.credential_reader import CredentialReader, speaks_for_account
from meetingbots.credentials.sessions.zoom_session import NoAccessTokenError, ZoomSessions
from meetingbots.models.bot import MeetingBot
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.errors import ZoomError
from meetingbots.zoom.links import MeetingLink

_KEPT_SECONDS: Final = 600.0
_MISS_KEPT_SECONDS: Final = 120.0
"""How old the known links may be while none of them fits."""
_MAX_USERS: Final = 10_000
_MAX_CREDENTIALS: Final = 50


@dataclass(frozen=True)
class _PersonalRoom:
    """A user's personal link, empty without one, and meeting ID."""

    vanity_url: str
    meeting_id: str | None
    read_at: float


class PersonalLinks:
    """Finds the meeting ID of a personal link."""

    def __init__(
        self, *, sessions: ZoomSessions, credentials: CredentialReader, monotonic: Callable[[], float]
    ) -> None:
        self._sessions = sessions
        self._credentials = credentials
        self._monotonic = monotonic
        self._rooms: TTLCache[Key, _PersonalRoom] = TTLCache(_MAX_USERS, ttl=_KEPT_SECONDS, timer=monotonic)

    async def meeting_id(self, bot: MeetingBot, link: MeetingLink) -> str | None:
        """The ID; None if it belongs to no known user, or to more than one. Raises `KubeError`."""
        keys = self._candidates(bot)
        found = await self._find(keys, link)
        outdated = [key for key in keys if self._is_older(key, _MISS_KEPT_SECONDS)]
        if not found and outdated:
            # A user may have changed the link meanwhile.
            for key in outdated:
                self._rooms.pop(key, None)
            found = await self._find(keys, link)
        return found.pop() if len(found) == 1 else None

    async def _find(self, keys: list[Key], link: MeetingLink) -> set[str]:
        rooms = [await self._room(key) for key in keys]
        own = [room for room in rooms if room is not None and link.is_personal_link_of(room.vanity_url)]
        return {room.meeting_id for room in own if room.meeting_id}

    def _is_older(self, key: Key, seconds: float) -> bool:
        known = self._rooms.get(key)
        return known is not None and self._monotonic() - known.read_at >= seconds

    async def _room(self, key: Key) -> _PersonalRoom | None:
        known = self._rooms.get(key)
        if known is not None:
            return known
        try:
            session = await self._sessions.session(key)
            user = await session.call(lambda api, token: api.me(token))
        except (NoAccessTokenError, ZoomError):
            return None  # The bot's next reconciliation asks again.
        room = self._rooms[key] = _PersonalRoom(
            vanity_url=user.vanity_url, meeting_id=user.pmi, read_at=self._monotonic()
        )
        return room

    def _candidates(self, bot: MeetingBot) -> list[Key]:
        reference, selector = bot.spec.credential_ref, bot.spec.credential_selector
        found = [
            Key(bot.namespace, credential.name)
            for credential in self._credentials.all(bot.namespace)
            if not speaks_for_account(credential)
            and (reference is None or reference.name == credential.name)
            and (selector is None or selector.matches(credential.metadata.labels))
        ]
        return sorted(found)[:_MAX_CREDENTIALS]
