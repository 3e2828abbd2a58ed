"""Reads which meeting a MeetingBot joins: from its spec, from the Secrets that it names, or behind a personal link."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr

from meetingbots.bots.decide.meeting import MeetingRef, Problem, SdkApp, meeting_link, meeting_ref
from meetingbots.bots.manifests.template import is_text
from meetingbots.bots.reconcile.memory import BotMemory
from meetingbots.bots.reconcile.personal_links import PersonalLinks
from meetingbots.kube.client import Kube
from meetingbots.kube.secrets import SecretValueError, read_secret, secret_value, value_of
from meetingbots.models.bot import BotReason, MeetingBot
from meetingbots.models.metadata import SecretKeyReference

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
