"""Gets a bot's tokens: tries the candidates in order until one credential gets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr

from meetingbots.bots.decide.facts import Problem
from meetingbots.bots.decide.tokens import Candidates, Refusal, candidates, explain, webhook_doubt
from meetingbots.bots.reconcile.credentials import CredentialReader, MeetingLookup
from meetingbots.bots.reconcile.token_requests import BotTokenRequest, CredentialTokens, TokenRequests
from meetingbots.mappings.decide.listing import lists
from meetingbots.models.bot import BotReason, MeetingBot, TokenKind, TokenPolicy
from meetingbots.models.mapping import MeetingMapping
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.oauth import Environment

_MAPPING_DELAY: Final = timedelta(seconds=3)
"""How long a mapping may lag: Zoom's webhook for a meeting created together with its bot takes about a second."""
_MAPPING_RETRY_SECONDS: Final = 1.0
_BY_LOOKUP: Final = frozenset({"credentialRef", "credentialSelector", "Lookup"})


@dataclass(frozen=True)
class Issued:
    """Tokens from Zoom. `issued_at` is when the first was requested; `refusals` concern the kinds that are missing.

    `trail` names the credentials that were tried before, and why they failed. `by_lookup`: no mapping lists this
    credential yet.
    """

    tokens: Mapping[TokenKind, SecretStr] = field(repr=False)
    issued_at: datetime | None
    credential: str | None
    refusals: tuple[Refusal, ...] = ()
    trail: str = ""
    by_lookup: bool = False
    environment: Environment | None = None


@dataclass(frozen=True)
class NotIssued:
    """No tokens: the reason of the decisive refusal, and a message that names every candidate.

    `partial`: some of the tokens are available, and are delivered once the bot gives up the others.
    """

    reason: BotReason
    message: str
    transient: bool
    retry_after: float | None = None
    partial: bool = False
    environment: Environment | None = None
    """Of the first candidate with a known environment."""


class TokenIssuer:
    """Gets tokens for bots."""

    def __init__(
        self,
        *,
        requests: TokenRequests,
        lookup: MeetingLookup,
        credentials: CredentialReader,
        clock: Callable[[], datetime],
    ) -> None:
        self._requests = requests
        self._lookup = lookup
        self._credentials = credentials
        self._clock = clock
        self._started_at = clock()

    async def issue(self, request: BotTokenRequest, *, mapping: MeetingMapping | None) -> Issued | NotIssued:
        """Try the candidates in order. Refusals by Zoom or a credential are results, not errors. Raises `KubeError`."""
        if not request.bot.requested_tokens:
            environment = await self._environment(request, mapping)
            return Issued(tokens={}, issued_at=None, credential=None, environment=environment)
        search = _Search(request=request, mapping=mapping)
        await self._run(search)
        outcome = search.outcome(now=self._clock(), mapping_may_come=self._mapping_may_come(request.bot))
        if isinstance(outcome, NotIssued) and search.separate_on_behalf is not None:
            return await self._only_on_behalf(search, outcome, search.separate_on_behalf)
        return outcome

    async def _environment(self, request: BotTokenRequest, mapping: MeetingMapping | None) -> Environment | None:
        """Where a lone meeting ID belongs, by the first candidate's app; None for a link or an unknown app."""
        found = None if request.meeting.host_given else self._candidates(request.bot, mapping)
        if not isinstance(found, Candidates):
            return None
        return await self._requests.environment(Key(request.bot.namespace, found.names[0]))

    async def prepare(self, bot: MeetingBot, *, mapping: MeetingMapping | None) -> None:
        """Load what the first candidate's request needs. Raises `KubeError`."""
        found = self._candidates(bot, mapping)
        if isinstance(found, Candidates):
            await self._requests.prepare(bot, found.names[0])

    async def record(self, bot: MeetingBot, *, meeting_id: str, credential: str) -> None:
        """Store which credential got the tokens of a meeting that no mapping knew."""
        await self._lookup.record(namespace=bot.namespace, meeting_id=meeting_id, credential=credential)

    async def _run(self, search: _Search) -> None:
        """Try candidates until one gets the tokens; for an unknown meeting, also the account that has it."""
        request = search.request
        if search.on_behalf_only is not None:
            await self._try(search, search.on_behalf_only, origin="onBehalf")
            return
        found = self._candidates(request.bot, search.mapping)
        names = found.names if isinstance(found, Candidates) else ()
        origins = dict(found.origins) if isinstance(found, Candidates) else {}
        for name in names:
            if await self._try(search, name, origin=origins[name]):
                return
        search.problem = self._with_doubt(found, request.bot) if isinstance(found, Problem) else None
        if search.mapping is None or search.problem is not None:
            await self._look_up(search, tried=names)

    def _candidates(self, bot: MeetingBot, mapping: MeetingMapping | None) -> Candidates | Problem:
        # Only a selector needs the credentials' labels.
        known = self._credentials.all(bot.namespace) if bot.spec.credential_selector is not None else ()
        return candidates(bot, mapping=mapping, credentials=known)

    def _with_doubt(self, problem: Problem, bot: MeetingBot) -> Problem:
        """The problem of a meeting without a mapping, with the credentials that receive no webhooks."""
        if bot.spec.credential_selector is not None:
            return problem
        doubt = webhook_doubt(self._credentials.all(bot.namespace))
        return replace(problem, message=f"{problem.message}{doubt}")

    async def _try(self, search: _Search, name: str, *, origin: str) -> bool:
        """Try one credential; whether the search is over."""
        return search.add(name, await self._requests.send(search.request, name), origin=origin)

    async def _look_up(self, search: _Search, *, tried: Sequence[str]) -> None:
        found = await self._lookup.find(search.request.bot, search.request.meeting.meeting_id, tried=tried)
        if isinstance(found, str):
            await self._try(search, found, origin="Lookup")
            return
        for refusal in found:
            search.add_unanswered_lookup(refusal)

    async def _only_on_behalf(self, search: _Search, outcome: NotIssued, name: str) -> Issued | NotIssued:
        """For a meeting of another account: with an on-behalf token the bot gets in, and asks the host to record."""
        if not search.request.settle:
            return replace(outcome, partial=True)
        token = await self._requests.on_behalf(search.request, name)
        if isinstance(token, Refusal):
            if not token.transient:
                return outcome
            message = f"{outcome.message} {explain((token,), origins={name: 'onBehalf'})}"
            return search.spaced(NotIssued(token.reason, message, transient=True, partial=True))
        missing = [kind for kind in search.request.bot.requested_tokens if kind is not TokenKind.ON_BEHALF]
        message = outcome.message.rstrip(".")
        refusals = [Refusal("", outcome.reason, f"{kind}: {message}", transient=False, kind=kind) for kind in missing]
        return Issued(
            {TokenKind.ON_BEHALF: token.token},
            token.sent_at,
            credential=name,
            refusals=tuple(refusals),
            environment=outcome.environment,
        )

    def _mapping_may_come(self, bot: MeetingBot) -> bool:
        """Whether the bot or this process is so new that the mapping may not have arrived yet."""
        created = bot.metadata.creation_timestamp or self._started_at
        return self._clock() - max(created, self._started_at) < _MAPPING_DELAY


@dataclass
class _Search:
    """One search for a bot's tokens."""

    request: BotTokenRequest
    mapping: MeetingMapping | None
    trail: list[Refusal] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    partial: bool = False
    issued: Issued | None = None
    environment: Environment | None = None
    problem: Problem | None = None

    @property
    def on_behalf_only(self) -> str | None:
        """The on-behalf token's own credential, if the bot requests no other token."""
        bot = self.request.bot
        reference = bot.spec.on_behalf.credential_ref
        only = set(bot.requested_tokens) == {TokenKind.ON_BEHALF}
        return reference.name if only and reference is not None else None

    @property
    def separate_on_behalf(self) -> str | None:
        """The on-behalf token's own credential, if the bot joins with that token alone rather than with none."""
        bot = self.request.bot
        reference = bot.spec.on_behalf.credential_ref
        if reference is None or self.on_behalf_only is not None or self.request.absent:
            return None
        wanted = TokenKind.ON_BEHALF in bot.requested_tokens and bot.spec.token_policy is TokenPolicy.PREFERRED
        return reference.name if wanted else None

    def add(self, name: str, answer: CredentialTokens, *, origin: str) -> bool:
        """Add one credential's answer; whether the search is over."""
        self.origins.setdefault(name, origin)
        self.environment = self.environment or answer.environment
        if answer.deliverable:
            self.issued = Issued(
                tokens=answer.tokens,
                issued_at=answer.issued_at,
                credential=name,
                refusals=answer.refusals,
                trail=explain(self.trail, origins=self.origins),
                by_lookup=origin in _BY_LOOKUP and not lists(self.mapping, name),
                environment=answer.environment,
            )
            return True
        self.trail += answer.refusals
        self.partial = self.partial or bool(answer.tokens) or answer.untried
        # An absent user is absent for every other candidate too.
        return any(refusal.reason is BotReason.USER_NOT_IN_MEETING for refusal in answer.refusals)

    def add_unanswered_lookup(self, refusal: Refusal) -> None:
        """Add a credential whose account did not answer whether it has the meeting."""
        self.origins.setdefault(refusal.credential, "Lookup")
        if refusal.transient or self.problem is None:
            self.trail.append(refusal)
        else:
            reason = explain((refusal,), origins=self.origins)
            self.problem = replace(self.problem, message=f"{self.problem.message} Not asked: {reason}")

    def outcome(self, *, now: datetime, mapping_may_come: bool) -> Issued | NotIssued:
        """The result of the search."""
        if self.issued is not None:
            return self.issued
        if self.problem is not None and not self.trail:
            retry_after = _MAPPING_RETRY_SECONDS if mapping_may_come else None
            return NotIssued(
                self.problem.reason, self.problem.message, transient=mapping_may_come, retry_after=retry_after
            )
        transient = [refusal for refusal in self.trail if refusal.transient]
        absent = [refusal for refusal in transient if refusal.reason is BotReason.USER_NOT_IN_MEETING]
        decisive = [*absent, *transient, *self.trail][0]
        retries = [refusal.retry_at for refusal in transient if refusal.retry_at is not None]
        return self.spaced(
            NotIssued(
                reason=decisive.reason,
                message=explain(self.trail, origins=self.origins),
                transient=bool(transient),
                retry_after=max(0.0, (min(retries) - now).total_seconds()) if retries else None,
                partial=self.partial,
                environment=self.environment,
            )
        )

    def spaced(self, outcome: NotIssued) -> NotIssued:
        """`outcome`, with retrySeconds before the next try where the user is absent: each try mails the host (Zoom)."""
        if outcome.reason is not BotReason.USER_NOT_IN_MEETING:
            return outcome
        return replace(outcome, retry_after=float(self.request.bot.spec.on_behalf.retry_seconds))
