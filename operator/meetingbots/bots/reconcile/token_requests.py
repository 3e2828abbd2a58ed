"""Requests all tokens of a bot with one credential, at the last moment: a join token lives two minutes (Zoom)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from pydantic import SecretStr

from meetingbots.bots.decide.facts import MeetingRef
from meetingbots.bots.decide.tokens import Refusal, refusal_of
from meetingbots.bots.reconcile.credentials import CredentialReader, WantedTokens, on_behalf_key, speaks_for_account
from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.credentials.sessions.zoom_session import NoAccessTokenError, ZoomSession, ZoomSessions
from meetingbots.models.bot import BotReason, MeetingBot, MeetingKind, TokenKind, TokenPolicy
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.errors import Cause, ZoomError
from meetingbots.zoom.oauth import Environment
from meetingbots.zoom.resources import JoinTokenKind

_JOIN_KINDS: Final[Mapping[TokenKind, JoinTokenKind]] = {
    TokenKind.LOCAL_RECORDING: JoinTokenKind.LOCAL_RECORDING,
    TokenKind.LIVE_STREAMING: JoinTokenKind.LIVE_STREAMING,
    TokenKind.LOCAL_ARCHIVING: JoinTokenKind.LOCAL_ARCHIVING,
}
T = TypeVar("T")


@dataclass(frozen=True)
class BotTokenRequest:
    """What a bot asks for.

    `absent`: its on-behalf user is not in the meeting, so no on-behalf token is requested. `settle`: the wait for
    transient failures is over, so some of the tokens suffice.
    """

    bot: MeetingBot
    meeting: MeetingRef
    absent: bool
    settle: bool


@dataclass(frozen=True)
class CredentialTokens:
    """The tokens that one credential got. `deliverable` is False where the missing ones are worth another try.

    `untried`: without the on-behalf token the others were not requested; they may be available. `environment` is the
    credential's, where it is known.
    """

    tokens: Mapping[TokenKind, SecretStr] = field(repr=False)
    refusals: tuple[Refusal, ...] = ()
    issued_at: datetime | None = None
    deliverable: bool = False
    untried: bool = False
    environment: Environment | None = None


@dataclass(frozen=True)
class FreshToken:
    """A new token. `sent_at` is when its request left, after the wait for its turn in the rate limit."""

    token: SecretStr = field(repr=False)
    sent_at: datetime


class TokenRequests:
    """Requests tokens from Zoom."""

    def __init__(
        self,
        *,
        sessions: ZoomSessions,
        access_tokens: AccessTokens,
        credentials: CredentialReader,
        wanted: WantedTokens,
        clock: Callable[[], datetime],
    ) -> None:
        self._sessions = sessions
        self._access_tokens = access_tokens
        self._credentials = credentials
        self._wanted = wanted
        self._clock = clock

    async def send(self, request: BotTokenRequest, name: str) -> CredentialTokens:
        """Request the tokens with the credential `name`. Raises only `KubeError`."""
        key = Key(request.bot.namespace, name)
        try:
            session = await self._sessions.session(key)
        except NoAccessTokenError as error:
            refusal = Refusal(name, BotReason.CREDENTIAL_NOT_READY, str(error), transient=True)
            environment = error.not_ready.environment or await self.environment(key)
            return CredentialTokens({}, (refusal,), environment=environment)
        return replace(await self._send(request, key, session), environment=session.access.environment)

    async def _send(self, request: BotTokenRequest, key: Key, session: ZoomSession) -> CredentialTokens:
        name = key.name
        kinds = await self._wanted.kinds(request.bot, key, meeting_account=session.access.account_id)
        batch = _Batch(request)
        others = [kind for kind in kinds if kind is not TokenKind.ON_BEHALF]
        if TokenKind.ON_BEHALF in kinds:
            # Without this token the bot does not get in, and the others would expire unused.
            batch.add(TokenKind.ON_BEHALF, await self.on_behalf(request, name))
            if batch.misses_needed:
                return CredentialTokens({}, tuple(batch.refusals), untried=bool(others))
        answers = await asyncio.gather(*(self._one(request, key, session, kind) for kind in others))
        for kind, answer in zip(others, answers, strict=True):
            batch.add(kind, answer)
        return batch.result(kinds)

    async def prepare(self, bot: MeetingBot, name: str) -> None:
        """Load into memory what `send` needs before it calls Zoom, without waiting for a renewal."""
        key, on_behalf = Key(bot.namespace, name), on_behalf_key(bot)
        access = await self._access_tokens.prefetch(key)
        if access is None:
            return
        kinds = await self._wanted.kinds(bot, key, meeting_account=access.account_id)
        if TokenKind.ON_BEHALF in kinds and on_behalf is not None:
            await self._access_tokens.prefetch(on_behalf)

    async def environment(self, key: Key) -> Environment | None:
        """The environment of a credential's app; None if it is unknown. Raises `KubeError`."""
        return await self._wanted.environment(key)

    async def on_behalf(self, request: BotTokenRequest, name: str) -> FreshToken | Refusal:
        """Request the on-behalf token, with the spec's own credential for it, or else with `name`.

        While Zoom says that a user is not in the meeting, the next one of onBehalf.credentialRefs is tried.
        """
        bot, kind = request.bot, TokenKind.ON_BEHALF
        first = on_behalf_key(bot) or Key(bot.namespace, name)
        if request.absent:
            message = f"{kind}: the user of this credential is not in the meeting"
            return Refusal(first.name, BotReason.USER_NOT_IN_MEETING, message, transient=False, kind=kind)
        answer = await self._on_behalf(request, first)
        for reference in bot.spec.on_behalf.credential_refs or ():
            if not isinstance(answer, Refusal) or answer.reason is not BotReason.USER_NOT_IN_MEETING:
                break
            answer = await self._on_behalf(request, Key(bot.namespace, reference.name))
        return answer

    async def _on_behalf(self, request: BotTokenRequest, key: Key) -> FreshToken | Refusal:
        kind = TokenKind.ON_BEHALF
        try:
            session = await self._sessions.session(key)
        except NoAccessTokenError as error:
            return Refusal(key.name, BotReason.CREDENTIAL_NOT_READY, f"{kind}: {error}", transient=True, kind=kind)
        return await self._one(request, key, session, kind)

    async def _one(
        self, request: BotTokenRequest, key: Key, session: ZoomSession, kind: TokenKind
    ) -> FreshToken | Refusal:
        try:
            match kind:
                case TokenKind.ZAK:
                    return await self._zak(request.meeting, key, session)
                case TokenKind.ON_BEHALF:
                    meeting_id = request.meeting.meeting_id
                    token = await session.call(lambda api, access: api.on_behalf_token(access, meeting_id=meeting_id))
                    return FreshToken(token, self._clock())
                case _:
                    return await self._join_token(request, session, _JOIN_KINDS[kind])
        except ZoomError as error:
            return refusal_of(key.name, kind, error, now=self._clock())

    async def _join_token(self, request: BotTokenRequest, session: ZoomSession, kind: JoinTokenKind) -> FreshToken:
        answer = await _at_right_path(
            request.meeting.kind,
            lambda webinar: session.call(
                lambda api, access: api.join_token(
                    access,
                    meeting_id=request.meeting.meeting_id,
                    kind=kind,
                    webinar=webinar,
                    bypass_waiting_room=request.bot.spec.bypass_waiting_room,
                )
            ),
        )
        return FreshToken(answer.token, self._clock() - timedelta(seconds=answer.asked_seconds))

    async def _zak(self, meeting: MeetingRef, key: Key, session: ZoomSession) -> FreshToken:
        """The ZAK of the credential's user; an account-level credential gets that of the meeting's host."""
        credential, user = self._credentials.get(key), "me"
        if credential is not None and speaks_for_account(credential):
            found = await _at_right_path(
                meeting.kind,
                lambda webinar: session.call(
                    lambda api, access: api.meeting(access, meeting_id=meeting.meeting_id, webinar=webinar)
                ),
            )
            user = found.host_id
        return FreshToken(await session.call(lambda api, access: api.zak(access, user_id=user)), self._clock())


async def _at_right_path(kind: MeetingKind, ask: Callable[[bool], Awaitable[T]]) -> T:
    """The result of `ask(webinar)`. Where Zoom says that the kind is wrong, `ask` runs again with the other one."""
    webinar = kind is MeetingKind.WEBINAR
    try:
        return await ask(webinar)
    except ZoomError as error:
        if error.kind is not (Cause.IS_MEETING if webinar else Cause.IS_WEBINAR):
            raise
        return await ask(not webinar)


@dataclass
class _Batch:
    """The tokens and refusals of one request."""

    request: BotTokenRequest
    tokens: dict[TokenKind, FreshToken] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)

    def add(self, kind: TokenKind, answer: FreshToken | Refusal) -> None:
        if isinstance(answer, Refusal):
            self.refusals.append(answer)
        else:
            self.tokens[kind] = answer

    @property
    def misses_needed(self) -> bool:
        """Whether a refused token is required, or may still be issued."""
        required = self.request.bot.spec.token_policy is TokenPolicy.REQUIRED
        return any(required or self._may_come(refusal) for refusal in self.refusals)

    def _may_come(self, refusal: Refusal) -> bool:
        # The wait for a user outlasts the wait for Zoom.
        return refusal.transient and (not self.request.settle or refusal.reason is BotReason.USER_NOT_IN_MEETING)

    def result(self, kinds: Sequence[TokenKind]) -> CredentialTokens:
        ordered = {kind: self.tokens[kind].token for kind in kinds if kind in self.tokens}
        issued_at = min((fresh.sent_at for fresh in self.tokens.values()), default=None)
        # Without any token of the meeting's own, another credential is tried.
        of_meeting = [kind for kind in kinds if kind is not TokenKind.ON_BEHALF]
        none_of_meeting = bool(of_meeting) and not any(kind in ordered for kind in of_meeting)
        deliverable = bool(ordered) and not self.misses_needed and not (none_of_meeting and not self.request.settle)
        return CredentialTokens(ordered, tuple(self.refusals), issued_at=issued_at, deliverable=deliverable)
