"""Reads which meeting a MeetingBot joins: from its spec, from the Secrets that it names, or behind a personal link."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr

from meetingbots.bots.decide.meeting import MeetingRef, Problem, meeting_link, meeting_ref
from meetingbots.bots.reconcile.memory import BotMemory
from meetingbots.bots.reconcile.personal_links import PersonalLinks
from meetingbots.kube.client import Kube
from meetingbots.kube.secret_values import SecretValueError, secret_value
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
            from_secret = bot.spec.meeting.url_secret_key_ref or bot.spec.meeting.passcode_secret_key_ref
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
        except SecretValueError as error:
            return Problem(BotReason.CONFIG_ERROR, str(error), recoverable=True)
        link = meeting_link(bot, url=url)
        if isinstance(link, Problem):
            return link
        personal_id = await self._personal_links.meeting_id(bot, link) if link.vanity else None
        return meeting_ref(bot, link, passcode=passcode, personal_id=personal_id)

    async def _referenced(self, bot: MeetingBot, reference: SecretKeyReference | None) -> SecretStr | None:
        if reference is None:
            return None
        return await secret_value(self._kube, namespace=bot.namespace, name=reference.name, key=reference.key)
