"""Getting a bot's tokens from Zoom: candidate after candidate, until one of their credentials may."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import SecretStr

from meetingbots.decide.candidates import Candidates, candidates
from meetingbots.decide.meeting_ref import MeetingRef, Problem
from meetingbots.decide.token_failures import Refusal, explain, refusal_of
from meetingbots.models.base import ModelError
from meetingbots.models.bot import BotReason, MeetingBot, MeetingKind, TokenKind, TokenPolicy
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MeetingMapping
from meetingbots.reconcile.access_tokens import AccessToken, AccessTokens, NotReady
from meetingbots.reconcile.cache import Key
from meetingbots.reconcile.services import Services
from meetingbots.zoom.api import JoinTokenKind
from meetingbots.zoom.errors import Cause, ZoomError

_JOIN_KINDS: Mapping[TokenKind, JoinTokenKind] = {
    TokenKind.LOCAL_RECORDING: JoinTokenKind.LOCAL_RECORDING,
    TokenKind.LIVE_STREAMING: JoinTokenKind.LIVE_STREAMING,
    TokenKind.LOCAL_ARCHIVING: JoinTokenKind.LOCAL_ARCHIVING,
}
_MAPPING_MAY_STILL_COME = timedelta(seconds=3)
"""Zoom's webhook for a meeting that was made together with its bot arrives about a second later."""
_LOOK_FOR_MAPPING_SECONDS = 1.0


@dataclass(frozen=True)
class Issued:
    """Tokens fresh from Zoom. `issued_at` is from before the first was asked for; `missing` are kinds not had."""

    tokens: Mapping[TokenKind, SecretStr] = field(repr=False)
    issued_at: datetime | None
    credential: str | None
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class NotIssued:
    """No token: the reason of the first candidate's refusal that decides, and the whole trail in words."""

    reason: BotReason
    message: str
    passing: bool
    retry_after: float | None = None


class TokenIssuer:
    """Gets tokens for bots."""

    def __init__(self, *, services: Services, access_tokens: AccessTokens) -> None:
        self._services = services
        self._access_tokens = access_tokens
        self._started_at = services.clock()

    async def issue(
        self, bot: MeetingBot, *, meeting: MeetingRef, mapping: MeetingMapping | None
    ) -> Issued | NotIssued:
        """Try the candidates in order. Nothing is raised for what Zoom or a credential refuses."""
        kinds = bot.requested_tokens
        if not kinds:
            return Issued(tokens={}, issued_at=None, credential=None)
        # Only a selector asks for the credentials' labels.
        known = self._credentials(bot.namespace) if bot.spec.credential_selector is not None else ()
        found = candidates(bot, mapping=mapping, credentials=known)
        if isinstance(found, Problem):
            waits = self._may_still_come(bot)
            again = _LOOK_FOR_MAPPING_SECONDS if waits else None
            return NotIssued(found.reason, found.message, passing=waits, retry_after=again)
        trail: list[Refusal] = []
        for name in found.names:
            outcome = await self._with_credential(bot, meeting, name, kinds)
            if isinstance(outcome, Issued):
                return outcome
            trail += outcome
        return _not_issued(trail, found, now=self._services.clock())

    async def _with_credential(
        self, bot: MeetingBot, meeting: MeetingRef, name: str, kinds: Sequence[TokenKind]
    ) -> Issued | list[Refusal]:
        key = Key(bot.namespace, name)
        access = await self._access_tokens.get(key)
        if isinstance(access, NotReady):
            return [Refusal(name, BotReason.CREDENTIAL_NOT_READY, access.message, passing=True)]
        tokens: dict[TokenKind, SecretStr] = {}
        refusals: list[Refusal] = []
        issued_at = self._services.clock()
        for kind in kinds:
            try:
                tokens[kind] = await self._ask(key, access, kind, meeting, bypass=bot.spec.bypass_waiting_room)
            except ZoomError as error:
                refusals.append(refusal_of(name, kind, error, now=self._services.clock()))
        # Half of what was asked for is worth having only if nobody insists on all of it.
        if tokens and (not refusals or bot.spec.token_policy is TokenPolicy.PREFERRED):
            return Issued(tokens=tokens, issued_at=issued_at, credential=name, refusals=tuple(refusals))
        return refusals

    async def _ask(
        self, key: Key, access: AccessToken, kind: TokenKind, meeting: MeetingRef, *, bypass: bool
    ) -> SecretStr:
        try:
            return await self._request(access, kind, meeting, bypass=bypass)
        except ZoomError as error:
            if error.kind is not Cause.TOKEN_EXPIRED:
                raise
            # Zoom no longer takes this access token: get a newer one and ask once more.
            self._access_tokens.invalidate(key, access)
            newer = await self._access_tokens.get(key)
            if isinstance(newer, NotReady):
                raise
            return await self._request(newer, kind, meeting, bypass=bypass)

    async def _request(self, access: AccessToken, kind: TokenKind, meeting: MeetingRef, *, bypass: bool) -> SecretStr:
        api = self._services.zoom_api(access.api_url, account=access.account_id)
        if kind is TokenKind.ZAK:
            return await api.zak(access.token)
        if kind is TokenKind.ON_BEHALF:
            return await api.on_behalf_token(access.token, meeting_id=meeting.meeting_id)

        async def ask(*, webinar: bool) -> SecretStr:
            answer = await api.join_token(
                access.token,
                meeting_id=meeting.meeting_id,
                kind=_JOIN_KINDS[kind],
                webinar=webinar,
                bypass_waiting_room=bypass,
            )
            return answer.token

        webinar = meeting.kind is MeetingKind.WEBINAR
        try:
            return await ask(webinar=webinar)
        except ZoomError as error:
            if error.kind is not (Cause.IS_MEETING if webinar else Cause.IS_WEBINAR):
                raise
            # The link did not tell, or told wrong: webinars have their own address.
            return await ask(webinar=not webinar)

    def _may_still_come(self, bot: MeetingBot) -> bool:
        """Whether what belongs to the bot may just not have arrived: it is new, or this process has only begun."""
        created = bot.metadata.creation_timestamp or self._started_at
        return self._services.clock() - max(created, self._started_at) < _MAPPING_MAY_STILL_COME

    def _credentials(self, namespace: str) -> list[ZoomCredential]:
        cache, found = self._services.caches.credentials, []
        for key in cache:
            item = cache.get(key) if key.namespace == namespace else None
            if item is not None:
                # One that cannot be read is told at its own place; it is none of this bot's.
                with contextlib.suppress(ModelError):
                    found.append(ZoomCredential.from_object(item))
        return found


def _not_issued(trail: Sequence[Refusal], found: Candidates, *, now: datetime) -> NotIssued:
    passing = [refusal for refusal in trail if refusal.passing]
    decisive = passing[0] if passing else trail[0]
    waits = [refusal.retry_at for refusal in passing if refusal.retry_at is not None]
    return NotIssued(
        reason=decisive.reason,
        message=explain(trail, origins=found.origins),
        passing=bool(passing),
        retry_after=max(0.0, (min(waits) - now).total_seconds()) if waits else None,
    )
