"""Reads which meeting a MeetingBot joins: from its spec, from the Secrets that it names, or behind a personal link.

Zoom reveals the meeting ID of a personal link (zoom.us/my/NAME) only to the link's own user. The named, the selected,
or else all user-level credentials of the namespace ask for their own user. The answers are kept in memory for some
minutes, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cachetools import TTLCache
from pydantic import SecretStr

from meetingbots.bots.decide.facts import MeetingRef, Problem, SdkApp
from meetingbots.bots.manifests.template import is_text
from meetingbots.bots.reconcile.credentials import CredentialReader, speaks_for_account
from meetingbots.bots.reconcile.memory import BotMemory
from meetingbots.credentials.sessions.zoom_session import NoAccessTokenError, ZoomSessions
from meetingbots.kube.client import Kube
from meetingbots.kube.secrets import SecretValueError, read_secret, secret_value, value_of
from meetingbots.models.bot import BotReason, MeetingBot, MeetingKind
from meetingbots.models.metadata import SecretKeyReference
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.errors import ZoomError
from meetingbots.zoom.links import InvalidLink, MeetingLink, parse_meeting

_SECRET_LIFE: Final = timedelta(seconds=150)
_PROBLEM_LIFE: Final = timedelta(seconds=20)


class MeetingReader:
    """Reads meetings, and keeps each for a while in its bot's memory."""

    def __init__(self, *, kube: Kube, personal_links: PersonalLinks) -> None:
        self._kube = kube
        self._personal_links = personal_links

    async def read(self, bot: MeetingBot, memory: BotMemory, *, now: datetime) -> MeetingRef | Problem:
        """The meeting, or why there is none. Raises `KubeError`."""
        known, read_at = memory.meeting, memory.meeting_read_at
        if known is not None and read_at is not None and memory.meeting_generation == bot.metadata.generation:
            meeting = bot.spec.meeting
            from_secret = meeting.url_secret_key_ref or meeting.passcode_secret_key_ref or bot.spec.sdk_secret_ref
            may_change = from_secret or (isinstance(known, Problem) and known.recoverable)
            life = _PROBLEM_LIFE if isinstance(known, Problem) else _SECRET_LIFE
            if not may_change or now - read_at < life:
                return known
        memory.meeting = await self._read(bot)
        memory.meeting_read_at, memory.meeting_generation = now, bot.metadata.generation
        return memory.meeting

    async def _read(self, bot: MeetingBot) -> MeetingRef | Problem:
        meeting = bot.spec.meeting
        try:
            url = await self._referenced(bot, meeting.url_secret_key_ref)
            passcode = await self._referenced(bot, meeting.passcode_secret_key_ref)
            sdk_app = await self.sdk_app(bot)
        except SecretValueError as error:
            return Problem(BotReason.CONFIG_ERROR, str(error), recoverable=True)
        link = meeting_link(bot, url=url)
        if isinstance(link, Problem):
            return link
        personal_id = await self._personal_links.meeting_id(bot, link) if link.vanity else None
        found = meeting_ref(bot, link, passcode=passcode, personal_id=personal_id, sdk_app=sdk_app)
        return _unusable(bot, found) or found

    async def sdk_app(self, bot: MeetingBot) -> SdkApp | None:
        """The app in spec.sdkSecretRef. Raises `SecretValueError` and `KubeError`."""
        reference = bot.spec.sdk_secret_ref
        if reference is None:
            return None
        secret = await read_secret(self._kube, namespace=bot.namespace, name=reference.name)
        return SdkApp(client_id=value_of(secret, key="client_id"), client_secret=value_of(secret, key="client_secret"))

    async def _referenced(self, bot: MeetingBot, reference: SecretKeyReference | None) -> SecretStr | None:
        if reference is None:
            return None
        return await secret_value(self._kube, namespace=bot.namespace, name=reference.name, key=reference.key)


def _unusable(bot: MeetingBot, found: MeetingRef | Problem) -> Problem | None:
    """Why no container can get the values: they would only fail after the tokens were made."""
    if isinstance(found, Problem):
        return None
    values = {
        "displayName": bot.spec.display_name,
        "the meeting's passcode": found.passcode and found.passcode.get_secret_value(),
        "the link's tk": found.registrant_token and found.registrant_token.get_secret_value(),
    }
    for field, value in values.items():
        if value and not is_text(value):
            message = f"Remove the NUL or the half of a surrogate pair from {field}: no container can get it."
            return Problem(BotReason.INVALID_MEETING, message, recoverable=True)
    return None


def meeting_link(bot: MeetingBot, *, url: SecretStr | None) -> MeetingLink | Problem:
    """The parsed link or ID of the bot's meeting; `url` is the value of its urlSecretKeyRef, if it has one."""
    meeting = bot.spec.meeting
    text = (url.get_secret_value() if url else None) or meeting.url or meeting.id or ""
    try:
        return parse_meeting(text)
    except InvalidLink as error:
        words = str(error)
        in_secret = meeting.url_secret_key_ref is not None
        return Problem(BotReason.INVALID_MEETING, f"{words[:1].upper()}{words[1:]}.", recoverable=in_secret)


def meeting_ref(
    bot: MeetingBot,
    link: MeetingLink,
    *,
    passcode: SecretStr | None,
    personal_id: str | None = None,
    sdk_app: SdkApp | None = None,
) -> MeetingRef | Problem:
    """The meeting of `link`.

    `passcode` is the value of the bot's passcodeSecretKeyRef, `personal_id` the meeting ID of a personal link.
    """
    meeting = bot.spec.meeting
    meeting_id = link.meeting_id or personal_id
    if meeting_id is None:
        return Problem(
            BotReason.VANITY_LINK,
            "A personal link (zoom.us/my/…) contains no meeting ID, and none of the bot's ZoomCredentials belongs to "
            "its user; set the meeting's ID or its full link.",
            recoverable=True,
        )
    given = passcode or (SecretStr(meeting.passcode) if meeting.passcode else None)
    kind = meeting.kind or (MeetingKind(link.kind.value) if link.kind else MeetingKind.MEETING)
    return MeetingRef(
        meeting_id=meeting_id,
        kind=kind,
        host=link.zoom_host,
        passcode=given or link.passcode,
        registrant_token=link.registrant_token,
        url=link.join_url(meeting_id=meeting_id, passcode=given),
        sdk_app=sdk_app,
        host_given=link.host_given,
    )


_KEPT_SECONDS: Final = 600.0
_CURRENT_SECONDS: Final = 45.0
"""How old the answers may be that decide: the one that fits a link, and all of them while none fits."""
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
        # Users may have changed their links: first ask the one who had this link, then the others.
        while outdated := [key for key in keys if self._is_outdated(key, link, missed=not found)]:
            if not [key for key in outdated if await self._read(key) is not None]:
                break
            found = await self._find(keys, link)
        return found.pop() if len(found) == 1 else None

    async def _find(self, keys: list[Key], link: MeetingLink) -> set[str]:
        rooms = [await self._room(key) for key in keys]
        own = [room for room in rooms if room is not None and link.is_personal_link_of(room.vanity_url)]
        return {room.meeting_id for room in own if room.meeting_id}

    def _is_outdated(self, key: Key, link: MeetingLink, *, missed: bool) -> bool:
        known = self._rooms.get(key)
        if known is None or self._monotonic() - known.read_at < _CURRENT_SECONDS:
            return False
        return missed or link.is_personal_link_of(known.vanity_url)

    async def _room(self, key: Key) -> _PersonalRoom | None:
        return self._rooms.get(key) or await self._read(key)

    async def _read(self, key: Key) -> _PersonalRoom | None:
        """Ask Zoom for the user; while that fails, the earlier answer counts."""
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
