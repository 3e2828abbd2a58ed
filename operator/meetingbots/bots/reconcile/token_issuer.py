"""Getting a bot's tokens from Zoom: candidate after candidate, until one of their credentials may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic import SecretStr

from meetingbots.bots.decide.candidates import Candidates, candidates
from meetingbots.bots.decide.meeting import MeetingRef, Problem
from meetingbots.bots.decide.token_errors import Refusal, explain
from meetingbots.bots.reconcile.meeting_lookup import MeetingLookup
from meetingbots.bots.reconcile.token_requests import Minted, TokenMint
from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.models.bot import BotReason, MeetingBot, TokenKind, TokenPolicy
from meetingbots.models.mapping import MeetingMapping
from meetingbots.runtime.context import OperatorContext

_MAPPING_MAY_STILL_COME = timedelta(seconds=3)
"""Zoom's webhook for a meeting that was made together with its bot arrives about a second later."""
_LOOK_FOR_MAPPING_SECONDS = 1.0


@dataclass(frozen=True)
class Issued:
    """Tokens fresh from Zoom. `issued_at` is when the first of them was asked for; `refusals` are about kinds not had.

    `trail` tells in words which credentials were tried before, and why they did not do. `by_lookup` says that no
    mapping knows yet that this credential does.
    """

    tokens: Mapping[TokenKind, SecretStr] = field(repr=False)
    issued_at: datetime | None
    credential: str | None
    refusals: tuple[Refusal, ...] = ()
    trail: str = ""
    by_lookup: bool = False


@dataclass(frozen=True)
class NotIssued:
    """No token: the reason of the first candidate's refusal that decides, and the whole trail in words.

    `partial` says that some of the tokens could be had, and that they would be delivered if the rest is given up.
    """

    reason: BotReason
    message: str
    transient: bool
    retry_after: float | None = None
    partial: bool = False


class TokenIssuer:
    """Gets tokens for bots."""

    def __init__(self, *, services: OperatorContext, access_tokens: AccessTokens) -> None:
        self._services = services
        self._lookup = MeetingLookup(services=services, access_tokens=access_tokens)
        self._mint = TokenMint(services=services, access_tokens=access_tokens, lookup=self._lookup)
        self._started_at = services.clock()

    async def issue(
        self,
        bot: MeetingBot,
        *,
        meeting: MeetingRef,
        mapping: MeetingMapping | None,
        absent: bool = False,
        settle: bool = False,
    ) -> Issued | NotIssued:
        """Try the candidates in order. Nothing is raised for what Zoom or a credential refuses.

        `absent`: the user on whose behalf the bot comes is known not to be there, so no such token is asked for.
        `settle`: what may pass has been waited for long enough, some of the tokens are better than none.
        """
        if not bot.requested_tokens:
            return Issued(tokens={}, issued_at=None, credential=None)
        run = _Run(bot=bot, meeting=meeting, mapping=mapping, absent=absent, settle=settle)
        await self._search(run)
        outcome = run.outcome(now=self._services.clock(), waits=self._may_still_come(bot))
        if isinstance(outcome, NotIssued) and run.on_behalf_alone is not None:
            return await self._on_behalf_alone(run, outcome, run.on_behalf_alone)
        return outcome

    async def _search(self, run: _Run) -> None:
        """Try whoever may be tried until one has been given the tokens."""
        bot, mapping = run.bot, run.mapping
        if run.on_behalf_only is not None:
            await self._try(run, run.on_behalf_only, origin="onBehalf")
            return
        # Only a selector asks for the credentials' labels.
        known = self._lookup.credentials(bot.namespace) if bot.spec.credential_selector is not None else ()
        found = candidates(bot, mapping=mapping, credentials=known)
        names = found.names if isinstance(found, Candidates) else ()
        origins = dict(found.origins) if isinstance(found, Candidates) else {}
        for name in names:
            if await self._try(run, name, origin=origins[name]):
                return
        run.problem = found if isinstance(found, Problem) else None
        if mapping is None or run.problem is not None:
            await self._look_up(run, tried=names)

    async def _on_behalf_alone(self, run: _Run, outcome: NotIssued, name: str) -> Issued | NotIssued:
        """A meeting of strangers: on behalf of somebody of ours the bot gets in, and asks the host for the rest."""
        if not run.settle:
            return replace(outcome, partial=True)
        token = await self._mint.on_behalf_alone(run.bot, run.meeting, name)
        if isinstance(token, Refusal):
            if not token.transient:
                return outcome
            words = f"{outcome.message} {explain((token,), origins={name: 'onBehalf'})}"
            return run.spaced(NotIssued(token.reason, words, transient=True, partial=True))
        missing = [kind for kind in run.bot.requested_tokens if kind is not TokenKind.ON_BEHALF]
        words = outcome.message.rstrip(".")
        refusals = [Refusal("", outcome.reason, f"{kind}: {words}", transient=False, kind=kind) for kind in missing]
        return Issued({TokenKind.ON_BEHALF: token.token}, token.sent_at, credential=name, refusals=tuple(refusals))

    async def prepare(self, bot: MeetingBot, *, mapping: MeetingMapping | None) -> None:
        """Have ready what the first candidate will be asked with. Raises `KubeError`."""
        known = self._lookup.credentials(bot.namespace) if bot.spec.credential_selector is not None else ()
        found = candidates(bot, mapping=mapping, credentials=known)
        if isinstance(found, Candidates):
            await self._mint.prepare(bot, found.names[0])

    async def record(self, bot: MeetingBot, *, meeting_id: str, credential: str) -> None:
        """Write down whose credential did for a meeting that no mapping knew."""
        await self._lookup.record(namespace=bot.namespace, meeting_id=meeting_id, credential=credential)

    async def _try(self, run: _Run, name: str, *, origin: str) -> bool:
        """Try one credential; whether the search is over."""
        minted = await self._mint.mint(run.bot, run.meeting, name, absent=run.absent, settle=run.settle)
        return run.add(name, minted, origin=origin, is_new=self._lookup.is_new(run.mapping, name))

    async def _look_up(self, run: _Run, *, tried: Sequence[str]) -> None:
        found = await self._lookup.find(run.bot, run.meeting.meeting_id, tried=tried)
        if isinstance(found, str):
            await self._try(run, found, origin="Lookup")
            return
        for refusal in found:
            run.not_asked(refusal)

    def _may_still_come(self, bot: MeetingBot) -> bool:
        """Whether what belongs to the bot may just not have arrived: it is new, or this process has only begun."""
        created = bot.metadata.creation_timestamp or self._started_at
        return self._services.clock() - max(created, self._started_at) < _MAPPING_MAY_STILL_COME


@dataclass
class _Run:
    """One search for a bot's tokens."""

    bot: MeetingBot
    meeting: MeetingRef
    mapping: MeetingMapping | None
    absent: bool
    settle: bool
    trail: list[Refusal] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    partial: bool = False
    issued: Issued | None = None
    problem: Problem | None = None

    @property
    def on_behalf_only(self) -> str | None:
        """The credential for the only token that is wanted, if that has one of its own."""
        reference = self.bot.spec.on_behalf.credential_ref
        only = set(self.bot.requested_tokens) == {TokenKind.ON_BEHALF}
        return reference.name if only and reference is not None else None

    @property
    def on_behalf_alone(self) -> str | None:
        """The on-behalf token's own credential, if that token is better than none."""
        reference = self.bot.spec.on_behalf.credential_ref
        wanted = TokenKind.ON_BEHALF in self.bot.requested_tokens and not self.absent
        preferred = self.bot.spec.token_policy is TokenPolicy.PREFERRED
        is_own = reference is not None and self.on_behalf_only is None
        return reference.name if reference is not None and is_own and wanted and preferred else None

    def add(self, name: str, minted: Minted, *, origin: str, is_new: bool = False) -> bool:
        """Take in what one credential gave; whether no other has to be tried."""
        self.origins.setdefault(name, origin)
        if minted.given_up is False:
            self.issued = Issued(
                tokens=minted.tokens,
                issued_at=minted.issued_at,
                credential=name,
                refusals=minted.refusals,
                trail=explain(self.trail, origins=self.origins),
                by_lookup=is_new and origin in ("credentialRef", "credentialSelector", "Lookup"),
            )
            return True
        self.trail += minted.refusals
        self.partial = self.partial or bool(minted.tokens) or minted.untried
        # Whoever is not in the meeting is not in it for another candidate's sake either.
        return any(refusal.reason is BotReason.USER_NOT_IN_MEETING for refusal in minted.refusals)

    def not_asked(self, refusal: Refusal) -> None:
        """Take in that this credential's account could not be asked whether the meeting is its own."""
        self.origins.setdefault(refusal.credential, "Lookup")
        if refusal.transient or self.problem is None:
            self.trail.append(refusal)
        else:
            words = explain((refusal,), origins=self.origins)
            self.problem = replace(self.problem, message=f"{self.problem.message} Not asked: {words}")

    def outcome(self, *, now: datetime, waits: bool) -> Issued | NotIssued:
        """What came of it; `waits` says that a mapping may still come."""
        if self.issued is not None:
            return self.issued
        if self.problem is not None and not self.trail:
            again = _LOOK_FOR_MAPPING_SECONDS if waits else None
            return NotIssued(self.problem.reason, self.problem.message, transient=waits, retry_after=again)
        transient = [refusal for refusal in self.trail if refusal.transient]
        absent = [refusal for refusal in transient if refusal.reason is BotReason.USER_NOT_IN_MEETING]
        decisive = [*absent, *transient, *self.trail][0]
        moments = [refusal.retry_at for refusal in transient if refusal.retry_at is not None]
        return self.spaced(
            NotIssued(
                reason=decisive.reason,
                message=explain(self.trail, origins=self.origins),
                transient=bool(transient),
                retry_after=max(0.0, (min(moments) - now).total_seconds()) if moments else None,
                partial=self.partial,
            )
        )

    def spaced(self, told: NotIssued) -> NotIssued:
        """The same; where the user is not there, with more time before the next try, which mails the host (Zoom)."""
        if told.reason is not BotReason.USER_NOT_IN_MEETING:
            return told
        return replace(told, retry_after=float(self.bot.spec.on_behalf.retry_seconds))
