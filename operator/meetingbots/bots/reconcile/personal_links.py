"""Personal links (zoom.us/my/NAME): the meeting ID behind them is known to their user only, who is asked at Zoom.

Asked are the named, the selected, or else all credentials of the namespace, each about its own user; what they say is
kept in memory for some minutes, and nowhere else.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from meetingbots.credentials.sessions.access_tokens import AccessTokens, NotReady
from meetingbots.models.base import ModelError
from meetingbots.models.bot import MeetingBot
from meetingbots.models.credential import Level, ZoomCredential
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.errors import ZoomError
from meetingbots.zoom.links import MeetingLink

_KEPT: Final = timedelta(minutes=10)
_MOST_CREDENTIALS: Final = 50
_COMMON_HOST: Final = "zoom.us"


@dataclass(frozen=True)
class _Known:
    """A user's personal link and meeting ID; `name` is empty for one without a link."""

    name: str
    host: str
    meeting_id: str | None
    until: datetime


class PersonalLinks:
    """Finds the meeting ID of a personal link."""

    def __init__(self, *, services: OperatorContext, access_tokens: AccessTokens) -> None:
        self._services = services
        self._access_tokens = access_tokens
        self._known: dict[Key, _Known] = {}

    async def meeting_id(self, bot: MeetingBot, link: MeetingLink) -> str | None:
        """The ID; None if no user is known, or more than one could be meant. Raises `KubeError`."""
        found = set()
        for key in self._candidates(bot):
            known = await self._of(key)
            if known is not None and known.meeting_id is not None and _fits(known, link):
                found.add(known.meeting_id)
        return found.pop() if len(found) == 1 else None

    async def _of(self, key: Key) -> _Known | None:
        now = self._services.clock()
        known = self._known.get(key)
        if known is not None and now < known.until:
            return known
        access = await self._access_tokens.get(key)
        if isinstance(access, NotReady):
            return None
        api = self._services.zoom_api(access.api_url, account=access.account_id)
        try:
            user = await api.me(access.token)
        except ZoomError:
            return None  # asked again with the bot's next look
        host = urlsplit(user.vanity_url).hostname or _COMMON_HOST
        self._known[key] = _Known(name=user.vanity.lower(), host=host, meeting_id=user.pmi, until=now + _KEPT)
        return self._known[key]

    def _candidates(self, bot: MeetingBot) -> list[Key]:
        reference, selector = bot.spec.credential_ref, bot.spec.credential_selector
        cache, found = self._services.caches.credentials, []
        for key in cache:
            item = cache.get(key) if key.namespace == bot.namespace else None
            if item is None:
                continue
            with contextlib.suppress(ModelError):
                credential = ZoomCredential.from_object(item)
                named = reference is None or reference.name == credential.name
                allowed = selector is None or selector.matches(credential.metadata.labels)
                if named and allowed and credential.spec.level is Level.USER:
                    found.append(key)
        return sorted(found)[:_MOST_CREDENTIALS]


def _fits(known: _Known, link: MeetingLink) -> bool:
    """Whether the link is that user's. A company's own address and zoom.us lead to the same user."""
    same_host = known.host == link.host or _COMMON_HOST in (known.host, link.host)
    return bool(known.name) and known.name == (link.vanity or "").lower() and same_host
