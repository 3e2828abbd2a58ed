"""On whose behalf a bot comes, and whether that user is in the meeting, as far as events have told."""

from __future__ import annotations

import contextlib

from meetingbots.bots.decide.candidates import Candidates, candidates
from meetingbots.bots.decide.tokens import OnBehalfUser, person_in, wanted_tokens
from meetingbots.models.base import ModelError
from meetingbots.models.bot import MeetingBot, TokenKind
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MeetingMapping
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key


class OnBehalfUsers:
    """Finds them in the caches, and asks for an app's Secret at most once."""

    def __init__(self, *, services: OperatorContext) -> None:
        self._services = services

    async def of(self, bot: MeetingBot, mapping: MeetingMapping | None) -> OnBehalfUser | None:
        """The user; None if the bot comes on nobody's behalf, or it is not known on whose. Raises `KubeError`."""
        if TokenKind.ON_BEHALF not in bot.requested_tokens and not bot.tokens_defaulted:
            return None
        reference, first = bot.spec.on_behalf.credential_ref, self._first(bot, mapping)
        name = reference.name if reference is not None else first
        if name is None or TokenKind.ON_BEHALF not in await self._wanted(bot, first, app_of=name):
            return None
        return person_in(mapping, credential=name)

    async def _wanted(self, bot: MeetingBot, first: str | None, *, app_of: str) -> tuple[TokenKind, ...]:
        if not bot.tokens_defaulted:
            return bot.requested_tokens
        meeting_side = self._credential(Key(bot.namespace, first)) if first is not None else None
        bot_side = self._credential(Key(bot.namespace, app_of))
        if meeting_side is None or bot_side is None or not meeting_side.status.account_id:
            return bot.requested_tokens
        app = Key(bot.namespace, bot_side.spec.app_secret_ref.name)
        account = await self._services.app_accounts.of(self._services.kube, app)
        return wanted_tokens(bot, meeting_account=meeting_side.status.account_id, app_account=account)

    def _first(self, bot: MeetingBot, mapping: MeetingMapping | None) -> str | None:
        if bot.spec.credential_ref is not None and bot.spec.credential_selector is None:
            return bot.spec.credential_ref.name
        known = self._all(bot.namespace) if bot.spec.credential_selector is not None else ()
        found = candidates(bot, mapping=mapping, credentials=known)
        return found.names[0] if isinstance(found, Candidates) else None

    def _all(self, namespace: str) -> list[ZoomCredential]:
        keys = [key for key in self._services.caches.credentials if key.namespace == namespace]
        return [credential for key in keys if (credential := self._credential(key)) is not None]

    def _credential(self, key: Key) -> ZoomCredential | None:
        item = self._services.caches.credentials.get(key)
        with contextlib.suppress(ModelError):
            return ZoomCredential.from_object(item) if item is not None else None
        return None
