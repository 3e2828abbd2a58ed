"""All tokens of a bot with one credential, made together at the last moment, as join tokens live two minutes only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import SecretStr

from meetingbots.bots.decide.meeting import MeetingRef
from meetingbots.bots.decide.token_errors import Refusal, refusal_of
from meetingbots.bots.decide.tokens import wanted_tokens
from meetingbots.bots.reconcile.meeting_lookup import MeetingLookup
from meetingbots.credentials.sessions.access_tokens import AccessToken, AccessTokens, NotReady
from meetingbots.models.base import ModelError
from meetingbots.models.bot import BotReason, MeetingBot, MeetingKind, TokenKind, TokenPolicy
from meetingbots.models.credential import Level, ZoomCredential
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.api import JoinTokenKind
from meetingbots.zoom.errors import Cause, ZoomError

_JOIN_KINDS: Mapping[TokenKind, JoinTokenKind] = {
    TokenKind.LOCAL_RECORDING: JoinTokenKind.LOCAL_RECORDING,
    TokenKind.LIVE_STREAMING: JoinTokenKind.LIVE_STREAMING,
    TokenKind.LOCAL_ARCHIVING: JoinTokenKind.LOCAL_ARCHIVING,
}


@dataclass(frozen=True)
class Minted:
    """What one credential gave; `given_up` says that it is not to be delivered, as what is missing is missed.

    `untried`: others were not asked for, as the on-behalf token did not come; they may be had when that is given up.
    """

    tokens: Mapping[TokenKind, SecretStr] = field(repr=False)
    refusals: tuple[Refusal, ...] = ()
    issued_at: datetime | None = None
    given_up: bool = True
    untried: bool = False


@dataclass(frozen=True)
class Fresh:
    """A token fresh from Zoom; `sent_at` is when it was asked for, which is not before its turn in the rate limit."""

    token: SecretStr = field(repr=False)
    sent_at: datetime


class TokenMint:
    """Asks Zoom for tokens."""

    def __init__(self, *, services: OperatorContext, access_tokens: AccessTokens, lookup: MeetingLookup) -> None:
        self._services = services
        self._access_tokens = access_tokens
        self._lookup = lookup

    async def mint(
        self, bot: MeetingBot, meeting: MeetingRef, name: str, *, absent: bool = False, settle: bool = False
    ) -> Minted:
        """Ask with the credential `name`. Raises `KubeError` only.

        `absent`: no on-behalf token is asked for, its user is not there. `settle`: half is better than waiting on.
        """
        key = Key(bot.namespace, name)
        access = await self._access_tokens.get(key)
        if isinstance(access, NotReady):
            return Minted({}, (Refusal(name, BotReason.CREDENTIAL_NOT_READY, access.message, transient=True),))
        kinds = await self._kinds(bot, key, access)
        batch = _Batch(bot=bot, settle=settle)
        others = [kind for kind in kinds if kind is not TokenKind.ON_BEHALF]
        if TokenKind.ON_BEHALF in kinds:
            # First of all: without it the others would be made in vain.
            batch.add(TokenKind.ON_BEHALF, await self._on_behalf(bot, meeting, key, absent=absent))
            if batch.in_vain:
                return Minted({}, tuple(batch.refusals), untried=bool(others))
        for kind, answer in zip(
            others, await asyncio.gather(*(self._one(bot, meeting, key, access, kind) for kind in others)), strict=True
        ):
            batch.add(kind, answer)
        return batch.minted(kinds)

    async def prepare(self, bot: MeetingBot, name: str) -> None:
        """Have in memory what `mint` reads before it asks Zoom; what is not there is not waited for."""
        key, reference = Key(bot.namespace, name), bot.spec.on_behalf.credential_ref
        access = await self._access_tokens.prefetch(key)
        if access is None:
            return
        kinds = await self._kinds(bot, key, access)
        if TokenKind.ON_BEHALF in kinds and reference is not None:
            await self._access_tokens.prefetch(Key(bot.namespace, reference.name))

    async def on_behalf_alone(self, bot: MeetingBot, meeting: MeetingRef, name: str) -> Fresh | Refusal:
        """The on-behalf token only, with its own credential `name`, where the meeting's are of no use."""
        return await self._on_behalf(bot, meeting, Key(bot.namespace, name), absent=False)

    async def _kinds(self, bot: MeetingBot, key: Key, access: AccessToken) -> tuple[TokenKind, ...]:
        if not bot.tokens_defaulted:
            return bot.requested_tokens
        account = await self.app_account(bot, key)
        return wanted_tokens(bot, meeting_account=access.account_id, app_account=account)

    async def app_account(self, bot: MeetingBot, key: Key) -> str:
        """The account of the owner of the app with which the bot comes; empty if it is not known."""
        reference = bot.spec.on_behalf.credential_ref
        place = Key(key.namespace, reference.name) if reference is not None else key
        credential = self._credential(place)
        if credential is None:
            return ""
        app = Key(place.namespace, credential.spec.app_secret_ref.name)
        return await self._services.app_accounts.of(self._services.kube, app)

    async def _on_behalf(self, bot: MeetingBot, meeting: MeetingRef, key: Key, *, absent: bool) -> Fresh | Refusal:
        reference = bot.spec.on_behalf.credential_ref
        place = Key(key.namespace, reference.name) if reference is not None else key
        kind = TokenKind.ON_BEHALF
        if absent:
            words = f"{kind}: the user of this credential is not in the meeting"
            return Refusal(place.name, BotReason.USER_NOT_IN_MEETING, words, transient=False, kind=kind)
        access = await self._access_tokens.get(place)
        if isinstance(access, NotReady):
            words = f"{kind}: {access.message}"
            return Refusal(place.name, BotReason.CREDENTIAL_NOT_READY, words, transient=True, kind=kind)
        return await self._one(bot, meeting, place, access, kind)

    async def _one(
        self, bot: MeetingBot, meeting: MeetingRef, key: Key, access: AccessToken, kind: TokenKind
    ) -> Fresh | Refusal:
        try:
            return await self._ask(key, access, kind, meeting, bypass=bot.spec.bypass_waiting_room)
        except ZoomError as error:
            return refusal_of(key.name, kind, error, now=self._services.clock())

    async def _ask(self, key: Key, access: AccessToken, kind: TokenKind, meeting: MeetingRef, *, bypass: bool) -> Fresh:
        try:
            return await self._request(key, access, kind, meeting, bypass=bypass)
        except ZoomError as error:
            if error.kind is not Cause.TOKEN_EXPIRED:
                raise
            # Zoom no longer takes this access token: get a newer one and ask once more.
            self._access_tokens.invalidate(key, access)
            newer = await self._access_tokens.get(key)
            if isinstance(newer, NotReady):
                raise
            return await self._request(key, newer, kind, meeting, bypass=bypass)

    async def _request(
        self, key: Key, access: AccessToken, kind: TokenKind, meeting: MeetingRef, *, bypass: bool
    ) -> Fresh:
        api = self._services.zoom_api(access.api_url, account=access.account_id)
        if kind is TokenKind.ZAK:
            return self._fresh(await api.zak(access.token, user_id=await self._host(key, meeting)))
        if kind is TokenKind.ON_BEHALF:
            return self._fresh(await api.on_behalf_token(access.token, meeting_id=meeting.meeting_id))

        async def ask(*, webinar: bool) -> Fresh:
            answer = await api.join_token(
                access.token,
                meeting_id=meeting.meeting_id,
                kind=_JOIN_KINDS[kind],
                webinar=webinar,
                bypass_waiting_room=bypass,
            )
            return self._fresh(answer.token, asked_seconds=answer.asked_seconds)

        webinar = meeting.kind is MeetingKind.WEBINAR
        try:
            return await ask(webinar=webinar)
        except ZoomError as error:
            if error.kind is not (Cause.IS_MEETING if webinar else Cause.IS_WEBINAR):
                raise
            # The link did not tell, or told wrong: webinars have their own address.
            return await ask(webinar=not webinar)

    def _fresh(self, token: SecretStr, *, asked_seconds: float = 0.0) -> Fresh:
        return Fresh(token, self._services.clock() - timedelta(seconds=asked_seconds))

    async def _host(self, key: Key, meeting: MeetingRef) -> str:
        """Whose ZAK is wanted: the credential's user's, or the host's where it speaks for a whole account."""
        credential = self._credential(key)
        if credential is None or credential.spec.level is not Level.ACCOUNT:
            return "me"
        webinar = meeting.kind is MeetingKind.WEBINAR
        try:
            found = await self._lookup.describe(key, meeting.meeting_id, webinar=webinar)
        except ZoomError as error:
            if error.kind is not (Cause.IS_MEETING if webinar else Cause.IS_WEBINAR):
                raise
            found = await self._lookup.describe(key, meeting.meeting_id, webinar=not webinar)
        return found.host_id

    def _credential(self, key: Key) -> ZoomCredential | None:
        item = self._services.caches.credentials.get(key)
        try:
            return ZoomCredential.from_object(item) if item is not None else None
        except ModelError:
            return None


@dataclass
class _Batch:
    """The tokens of one try, and what was refused."""

    bot: MeetingBot
    settle: bool
    tokens: dict[TokenKind, Fresh] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)

    def add(self, kind: TokenKind, answer: Fresh | Refusal) -> None:
        if isinstance(answer, Refusal):
            self.refusals.append(answer)
        else:
            self.tokens[kind] = answer

    @property
    def in_vain(self) -> bool:
        """Whether what was refused so far is insisted on, or may still come."""
        required = self.bot.spec.token_policy is TokenPolicy.REQUIRED
        return any(required or self._may_come(refusal) for refusal in self.refusals)

    def _may_come(self, refusal: Refusal) -> bool:
        # A user who is not there is waited for longer than Zoom.
        return refusal.transient and (not self.settle or refusal.reason is BotReason.USER_NOT_IN_MEETING)

    def minted(self, kinds: Sequence[TokenKind]) -> Minted:
        ordered = {kind: self.tokens[kind].token for kind in kinds if kind in self.tokens}
        issued_at = min((fresh.sent_at for fresh in self.tokens.values()), default=None)
        # With nothing of the meeting's own credential, another one's turn comes.
        of_meeting = [kind for kind in kinds if kind is not TokenKind.ON_BEHALF]
        nothing = bool(of_meeting) and not any(kind in ordered for kind in of_meeting)
        given_up = not ordered or self.in_vain or (nothing and not self.settle)
        return Minted(ordered, tuple(self.refusals), issued_at=issued_at, given_up=given_up)
