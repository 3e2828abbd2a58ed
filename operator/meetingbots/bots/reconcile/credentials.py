"""The ZoomCredentials that serve a bot: those it joins on behalf of, and the one with its meeting, if no mapping does.

The account of an unknown meeting is found by asking Zoom for the meeting only, never for a token. The result becomes a
mapping, so that each meeting is looked up once.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from cachetools import TTLCache

from meetingbots.bots.decide.facts import OnBehalfUser
from meetingbots.bots.decide.tokens import (
    Candidates,
    Refusal,
    by_presence,
    candidates,
    on_behalf_names,
    person_in,
    refusal_of,
    wanted_tokens,
)
from meetingbots.credentials.decide.granted import effective_level
from meetingbots.credentials.sessions.access_tokens import needs_a_person
from meetingbots.credentials.sessions.zoom_session import NoAccessTokenError, ZoomSessions
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import KubeError
from meetingbots.mappings.decide.listing import with_lookup
from meetingbots.mappings.store import MappingWriter
from meetingbots.models.base import ModelError
from meetingbots.models.bot import BotReason, MeetingBot, TokenKind
from meetingbots.models.credential import Level, ZoomCredential
from meetingbots.models.mapping import MeetingMapping
from meetingbots.runtime.accounts import AppOwners
from meetingbots.runtime.object_cache import Key, ObjectCache
from meetingbots.zoom.errors import Cause, ZoomError
from meetingbots.zoom.oauth import Environment


class CredentialReader:
    """Reads ZoomCredentials."""

    def __init__(self, *, cache: ObjectCache) -> None:
        self._cache = cache

    def get(self, key: Key) -> ZoomCredential | None:
        """The credential, if it is known."""
        item = self._cache.get(key)
        with contextlib.suppress(ModelError):
            return ZoomCredential.from_object(item) if item is not None else None
        return None

    def all(self, namespace: str) -> list[ZoomCredential]:
        """All credentials of a namespace."""
        found = (self.get(key) for key in self._cache if key.namespace == namespace)
        return [credential for credential in found if credential is not None]


def speaks_for_account(credential: ZoomCredential) -> bool:
    """Whether the credential acts for a whole account.

    Before its first consent the granted scopes are unknown, and the spec counts: the bot may wait for the consent.
    """
    if not credential.status.granted_scopes:
        return credential.spec.level is Level.ACCOUNT
    return effective_level(credential) is Level.ACCOUNT


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
        origin = await self._app_owners.of(self._kube, app)
        return wanted_tokens(bot, meeting_account=meeting_account, app_account=origin.account)

    async def environment(self, credential: Key) -> Environment | None:
        """The environment of a credential's app; None if it is unknown. Raises `KubeError`."""
        found = self._credentials.get(credential)
        if found is None:
            return None
        origin = await self._app_owners.of(self._kube, Key(credential.namespace, found.spec.app_secret_ref.name))
        return origin.environment


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


_log = logging.getLogger(__name__)
_ABSENCE_SECONDS: Final = 60.0
_MAX_ABSENCES: Final = 10_000
_MAX_ACCOUNTS: Final = 16


class MeetingLookup:
    """Asks accounts for a meeting, and remembers for a minute which accounts do not have it."""

    def __init__(
        self,
        *,
        sessions: ZoomSessions,
        credentials: CredentialReader,
        mappings: MappingWriter,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._sessions = sessions
        self._credentials = credentials
        self._mappings = mappings
        self._clock = clock
        self._absent: TTLCache[tuple[Key, str], bool] = TTLCache(_MAX_ABSENCES, ttl=_ABSENCE_SECONDS, timer=monotonic)

    async def find(self, bot: MeetingBot, meeting_id: str, *, tried: Sequence[str]) -> str | tuple[Refusal, ...]:
        """The account-level credential whose account has the meeting, or the refusals of accounts that did not answer.

        Credentials in `tried`, and those that the bot's selector excludes, are left out. Raises `KubeError`.
        """
        refusals: list[Refusal] = []
        for credential in self._candidates(bot, tried):
            answer = await self._has(Key(bot.namespace, credential.name), meeting_id)
            if answer is True:
                return credential.name
            if isinstance(answer, Refusal):
                refusals.append(answer)
        return tuple(refusals)

    async def record(self, *, namespace: str, meeting_id: str, credential: str) -> None:
        """Store in the meeting's mapping that this credential can make its tokens.

        A failure is logged; the next bot for the meeting tries again.
        """
        known = self._credentials.get(Key(namespace, credential))
        try:
            await self._mappings.write(
                namespace=namespace,
                meeting_id=meeting_id,
                decide=partial(with_lookup, credential=credential),
                uids={credential: known.metadata.uid} if known is not None and known.metadata.uid else {},
            )
        except (KubeError, ModelError) as error:
            _log.warning("MeetingMapping %s/%s is not written: %s", namespace, meeting_id, error)

    def _candidates(self, bot: MeetingBot, tried: Sequence[str]) -> list[ZoomCredential]:
        """One credential per account, usable ones first. An unknown account counts as an account of its own."""
        accounts: dict[str, ZoomCredential] = {}
        selector = bot.spec.credential_selector
        known = self._credentials.all(bot.namespace)
        for credential in sorted(known, key=lambda one: (needs_a_person(one), one.name)):
            allowed = selector is None or selector.matches(credential.metadata.labels)
            usable = speaks_for_account(credential) and not credential.spec.suspend
            if allowed and usable and credential.name not in tried:
                accounts.setdefault(credential.status.account_id or credential.name, credential)
        return list(accounts.values())[:_MAX_ACCOUNTS]

    async def _has(self, key: Key, meeting_id: str) -> bool | Refusal:
        if (key, meeting_id) in self._absent:
            return False
        try:
            session = await self._sessions.session(key)
            await session.call(lambda api, token: api.meeting(token, meeting_id=meeting_id))
        except NoAccessTokenError as error:
            # A credential that waits for a person does not delay bots for meetings that may be anybody's.
            transient = not error.not_ready.needs_a_person
            return Refusal(key.name, BotReason.CREDENTIAL_NOT_READY, error.not_ready.message, transient=transient)
        except ZoomError as error:
            if error.kind is Cause.IS_WEBINAR:
                return True
            refusal = refusal_of(key.name, TokenKind.LOCAL_RECORDING, error, now=self._clock())
            if refusal.transient:
                return refusal
            self._absent[key, meeting_id] = True
            return False
        return True
