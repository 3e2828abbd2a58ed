"""Issues another join token to the Pod of a running bot. The Pod's own token proves its identity.

The join token is part of the answer and is stored nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

from pydantic import SecretStr

from meetingbots.bots.decide.facts import MeetingRef
from meetingbots.bots.decide.schedule import meeting_end
from meetingbots.bots.decide.tokens import serving
from meetingbots.bots.manifests.environment import sdk_jwt
from meetingbots.bots.reconcile.credentials import OnBehalfUsers
from meetingbots.bots.reconcile.meeting import MeetingReader
from meetingbots.bots.reconcile.observer import BotObserver
from meetingbots.bots.reconcile.token_issuer import Issued, NotIssued, TokenIssuer
from meetingbots.bots.reconcile.token_requests import BotTokenRequest
from meetingbots.bots.rejoin.callers import Caller, CallerLimit, Callers, PodIdentity, RateLimiter
from meetingbots.bots.rejoin.rules import Denial, Extras, NoToken, TooOften, Unknown, token_denial
from meetingbots.kube.client import Kube
from meetingbots.kube.secrets import SecretValueError
from meetingbots.mappings.store import read_mapping
from meetingbots.models.bot import BotReason, MeetingBot, MeetingKind, TokenKind
from meetingbots.models.mapping import MeetingMapping
from meetingbots.models.metadata import NameReference

_log = logging.getLogger(__name__)
_LIMIT: Final = CallerLimit(burst=3, seconds_each=10.0)
"""Per Pod."""


@dataclass(frozen=True)
class Granted:
    """A new join token, for this answer only. `extras` may have more that the bot needs for a join."""

    token: SecretStr = field(repr=False)
    extras: Extras = field(default_factory=Extras)


Outcome: TypeAlias = Granted | Unknown | TooOften | Denial


class RejoinService:
    """Issues join tokens."""

    def __init__(
        self,
        *,
        callers: Callers,
        issuer: TokenIssuer,
        kube: Kube,
        observer: BotObserver,
        on_behalf_users: OnBehalfUsers,
        meetings: MeetingReader,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._callers = callers
        self._issuer = issuer
        self._kube = kube
        self._observer = observer
        self._on_behalf_users = on_behalf_users
        self._meetings = meetings
        self._clock = clock
        self._limiter = RateLimiter(_LIMIT, monotonic=monotonic)

    async def token(self, presented: SecretStr, *, peer: str, with_extras: bool) -> Outcome:
        """A recording token for the Pod of the ServiceAccount token `presented`. Raises `KubeError`."""
        pod = await self._callers.identify(presented, peer=peer)
        outcome: Outcome = await self._for_pod(pod, with_extras) if isinstance(pod, PodIdentity) else pod
        self._observer.answered(type(outcome).__name__)
        if isinstance(pod, PodIdentity):
            reason = f" ({outcome.reason})" if isinstance(outcome, NoToken) else ""
            _log.info("token endpoint: Pod %s/%s: %s%s", pod.namespace, pod.name, type(outcome).__name__, reason)
        return outcome

    async def _for_pod(self, pod: PodIdentity, with_extras: bool) -> Outcome:
        caller = await self._allowed_caller(pod)
        if not isinstance(caller, Caller):
            return caller
        wait = self._limiter.take(pod.uid)
        if wait > 0:
            return TooOften(retry_after=wait)
        issued = await self._issue(caller.bot, with_extras)
        # The bot may have been suspended or deleted during the request to Zoom.
        caller = await self._allowed_caller(pod)
        if not isinstance(caller, Caller):
            return caller
        if isinstance(issued, Granted):
            self._observer.token_issued_again(caller.item, pod.name)
        return issued

    async def _allowed_caller(self, pod: PodIdentity) -> Caller | Denial:
        caller = await self._callers.find(pod)
        if not isinstance(caller, Caller):
            return caller
        return token_denial(caller.bot, caller.pod, has_access=caller.has_access) or caller

    async def _issue(self, bot: MeetingBot, with_extras: bool) -> Granted | NoToken:
        meeting_id = bot.status.meeting_id or ""
        mapping = await read_mapping(self._kube, namespace=bot.namespace, meeting_id=meeting_id)
        if meeting_end(bot, mapping) is not None:
            return NoToken(BotReason.MEETING_ENDED, "The meeting has ended.")
        meeting = MeetingRef(meeting_id=meeting_id, kind=bot.spec.meeting.kind or MeetingKind.MEETING)
        request = BotTokenRequest(
            bot=_for_one_token(bot, TokenKind.LOCAL_RECORDING), meeting=meeting, absent=False, settle=False
        )
        outcome = await self._issuer.issue(request, mapping=mapping)
        extras = Extras()
        if with_extras:
            on_behalf = await self._on_behalf(bot, meeting, mapping)
            extras = Extras(sdk_jwt=await self._sdk_jwt(bot), on_behalf=on_behalf)
        if isinstance(outcome, NotIssued):
            retry_after = outcome.retry_after if outcome.transient else None
            return NoToken(outcome.reason, outcome.message, retry_after, extras)
        return Granted(outcome.tokens[TokenKind.LOCAL_RECORDING], extras)

    async def _on_behalf(
        self, bot: MeetingBot, meeting: MeetingRef, mapping: MeetingMapping | None
    ) -> SecretStr | None:
        """The on-behalf token of a user who is in the meeting now, who may be another one than before."""
        delivered = bot.status.token.kinds if bot.status.token is not None else ()
        if TokenKind.ON_BEHALF not in (*bot.requested_tokens, *delivered):
            return None
        served = serving(bot, await self._on_behalf_users.find(bot, mapping))
        request = BotTokenRequest(
            bot=_for_one_token(served, TokenKind.ON_BEHALF), meeting=meeting, absent=False, settle=True
        )
        outcome = await self._issuer.issue(request, mapping=mapping)
        return outcome.tokens.get(TokenKind.ON_BEHALF) if isinstance(outcome, Issued) else None

    async def _sdk_jwt(self, bot: MeetingBot) -> SecretStr | None:
        try:
            app = await self._meetings.sdk_app(bot)
        except SecretValueError as error:
            _log.warning("token endpoint: MeetingBot %s/%s gets no SDK JWT: %s", bot.namespace, bot.name, error)
            return None
        if app is None:
            return None
        return sdk_jwt(app, now=self._clock(), max_duration_seconds=bot.spec.max_duration_seconds)


def _for_one_token(bot: MeetingBot, kind: TokenKind) -> MeetingBot:
    """The bot with `kind` as its only token, and with the credential of its last token as the first choice."""
    changes: dict[str, object] = {"tokens": (kind,)}
    if bot.status.credential_name is not None:
        changes["credential_ref"] = NameReference(name=bot.status.credential_name)
    return bot.model_copy(update={"spec": bot.spec.model_copy(update=changes)})
