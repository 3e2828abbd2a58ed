"""The tokens that a bot needs, and the user on whose behalf it joins, as far as caches and events tell."""

from __future__ import annotations

from meetingbots.bots.decide.tokens import (
    Candidates,
    OnBehalfUser,
    by_presence,
    candidates,
    on_behalf_names,
    person_in,
    wanted_tokens,
)
from meetingbots.bots.reconcile.credential_reader import CredentialReader
from meetingbots.kube.client import Kube
from meetingbots.models.bot import MeetingBot, TokenKind
from meetingbots.models.mapping import MeetingMapping
from meetingbots.runtime.accounts import AppOwners
from meetingbots.runtime.object_cache import Key


class WantedTokens:
    """Finds the token kinds of a bot; reads an app's Secret at most once."""

    def __init__(self, *, kube: Kube, app_owners: AppOwners, credentials: CredentialReader) -> None:
        self._kube = kube
        self._app_owners = app_owners
        self._credentials = credentials

    async def kinds(self, bot: MeetingBot, credential: Key, *, meeting_account: str) -> tuple[TokenKind, ...]:
        """The token kinds to request with `credential`, which speaks for `meeting_account`. Raises `KubeError`.

        The bot's app is the on-behalf credential's, or else that of `credential`.
        """
        if not bot.tokens_defaulted or not meeting_account:
            return bot.requested_tokens
        on_behalf = self._credentials.get(on_behalf_key(bot) or credential)
        if on_behalf is None:
            return bot.requested_tokens
        app = Key(bot.namespace, on_behalf.spec.app_secret_ref.name)
        app_account = await self._app_owners.of(self._kube, app)
        return wanted_tokens(bot, meeting_account=meeting_account, app_account=app_account)


class OnBehalfUsers:
    """Finds the users on whose behalf a bot can join."""

    def __init__(self, *, credentials: CredentialReader, wanted: WantedTokens) -> None:
        self._credentials = credentials
        self._wanted = wanted

    async def find(self, bot: MeetingBot, mapping: MeetingMapping | None) -> tuple[OnBehalfUser, ...]:
        """The users that can serve, the best one first; empty if there is none or none is known. Raises `KubeError`."""
        if TokenKind.ON_BEHALF not in bot.requested_tokens and not bot.tokens_defaulted:
            return ()
        first = self._first_candidate(bot, mapping)
        selects = bot.spec.on_behalf.credential_selector is not None
        names = on_behalf_names(bot, self._credentials.all(bot.namespace) if selects else ())
        if not names and first is not None:
            names = (first.name,)
        if not names or TokenKind.ON_BEHALF not in await self._kinds(bot, first):
            return ()
        return tuple(by_presence(person_in(mapping, credential=name) for name in names))

    async def _kinds(self, bot: MeetingBot, first: Key | None) -> tuple[TokenKind, ...]:
        credential = self._credentials.get(first) if first is not None else None
        if first is None or credential is None:
            return bot.requested_tokens
        return await self._wanted.kinds(bot, first, meeting_account=credential.status.account_id or "")

    def _first_candidate(self, bot: MeetingBot, mapping: MeetingMapping | None) -> Key | None:
        """The credential that is tried first for the meeting's own tokens."""
        if bot.spec.credential_ref is not None and bot.spec.credential_selector is None:
            return Key(bot.namespace, bot.spec.credential_ref.name)
        known = self._credentials.all(bot.namespace) if bot.spec.credential_selector is not None else ()
        found = candidates(bot, mapping=mapping, credentials=known)
        return Key(bot.namespace, found.names[0]) if isinstance(found, Candidates) else None


def on_behalf_key(bot: MeetingBot) -> Key | None:
    """The credential that the spec names for the on-behalf token."""
    reference = bot.spec.on_behalf.credential_ref
    return Key(bot.namespace, reference.name) if reference is not None else None
