"""What to do next about a credential's tokens: a pure function of the facts, the heart of a token's renewal.

There is a list of wishes in their order of importance, each with the moment from which on it may be done. The first
that is due is the action; if none is, the earliest tells when to look again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from meetingbots.credentials.decide.facts import AppFound, CredentialFacts, GrantFound, Step
from meetingbots.credentials.decide.ready import ready
from meetingbots.credentials.decide.scopes import lacks_all_tokens
from meetingbots.credentials.decide.token_state import Slot, Tokens
from meetingbots.credentials.manifests.token_secret import SecretConflict, TokenSecret, wanted_owners
from meetingbots.models.credential import CredentialReason, ZoomCredential

CLAIM_SECONDS: Final = 30.0
"""How long another process's claim is respected: longer than a request to Zoom may take (20 s)."""

_SHORTEST_SECONDS: Final = 0.05
_SOON: Final = timedelta(seconds=_SHORTEST_SECONDS)
_LOOK_BROKEN: Final = timedelta(seconds=30)
_LOOK_READY: Final = timedelta(minutes=10)
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_KEEP_ALIVE: Final = timedelta(days=30)
_KEEP_ALIVE_SPREAD: Final = 0.1
_FORCED_APART: Final = timedelta(seconds=10)
_ON_DEMAND_MARGIN: Final = timedelta(seconds=60)
_DOUBT_PAUSE: Final = timedelta(minutes=2)
"""Between renewals that are to show whether the user removed the app; after five minutes there is no doubt left."""
_SCOPES_FIRST: Final = timedelta(seconds=45)
_SCOPES_LAST: Final = timedelta(hours=1)
_SCOPES_SHARE: Final = 0.1


class Kind(StrEnum):
    """The kinds of action."""

    STORE = "Store"
    OWN = "Own"
    REDEEM = "Redeem"
    REFRESH = "Refresh"
    IDENTIFY = "Identify"
    END = "End"


@dataclass(frozen=True)
class Action:
    """One thing to do, for the tokens of a slot."""

    kind: Kind
    slot: Slot = Slot.CURRENT


@dataclass(frozen=True)
class Wish:
    """An action and the moment from which on it may be done."""

    action: Action
    at: datetime


@dataclass(frozen=True)
class CredentialPlan:
    """What to do now, or (None) in how many seconds to look again. `next_refresh` is for people."""

    action: Action | None
    after: float
    next_refresh: datetime | None = None


def plan(facts: CredentialFacts) -> CredentialPlan:
    """Decide."""
    wishes = list(_wishes(facts))
    renewal = _next_renewal(facts, wishes)
    due = next((wish for wish in wishes if wish.at <= facts.now), None)
    if due is not None:
        return CredentialPlan(action=due.action, after=0.0, next_refresh=renewal)
    wakes = [wish.at for wish in wishes] + [_next_look(facts)]
    after = max(_SHORTEST_SECONDS, (min(wakes) - facts.now).total_seconds())
    return CredentialPlan(action=None, after=after, next_refresh=renewal)


def _next_renewal(facts: CredentialFacts, wishes: list[Wish]) -> datetime | None:
    """When tokens are to come next. Not told while somebody has to mend something: it is tried every half minute."""
    if any(trouble.definite for trouble in facts.troubles.values()):
        return None
    renewals = (Action(Kind.REFRESH), Action(Kind.REDEEM))
    return next((wish.at for wish in reversed(wishes) if wish.action in renewals), None)


def _wishes(facts: CredentialFacts) -> Iterator[Wish]:
    if facts.unsaved is not None:
        # Nothing else may touch the Secret before the only copy of these tokens is in it.
        yield Wish(Action(Kind.STORE), facts.unsaved_retry_at or facts.now)
        return
    if isinstance(facts.secret, SecretConflict):
        return
    if facts.taken_back is not None:
        yield from _end_wishes(facts)
        return
    if isinstance(facts.secret, TokenSecret) and facts.secret.owners != wanted_owners(
        facts.credential, owners=facts.secret.owners
    ):
        yield Wish(Action(Kind.OWN), facts.now)
    if facts.credential.spec.suspend or not isinstance(facts.app, AppFound):
        return
    yield from _candidate_wishes(facts)
    yield from _grant_wishes(facts)
    yield from _token_wishes(facts)


def _end_wishes(facts: CredentialFacts) -> Iterator[Wish]:
    """The user removed the app: what we have of them goes, and only a new consent is asked with."""
    state, status = facts.state, facts.credential.status
    told = not state.fingerprint or status.ended_grant == state.fingerprint
    if state.tokens is not None or state.user_id:
        # First the status names the grant, so that it is not asked with again after the Secret is gone.
        yield Wish(Action(Kind.END), facts.now if told else facts.now + _SOON)
    elif not facts.credential.spec.suspend and isinstance(facts.app, AppFound) and not facts.spent_by_end:
        yield from _grant_wishes(facts)


def _candidate_wishes(facts: CredentialFacts) -> Iterator[Wish]:
    candidate = facts.state.candidate
    if candidate is None:
        return
    if candidate.tokens.usable(facts.now):
        yield Wish(Action(Kind.IDENTIFY, Slot.CANDIDATE), _not_before(facts, Step.GRANT, facts.now))
    elif facts.renewable(Slot.CANDIDATE):
        yield Wish(Action(Kind.REFRESH, Slot.CANDIDATE), _may_ask(facts, Step.GRANT, facts.now))


def _grant_wishes(facts: CredentialFacts) -> Iterator[Wish]:
    """Ask with the grant: for the first tokens, or because it is a new consent."""
    grant, state = facts.grant, facts.state
    if not isinstance(grant, GrantFound):
        return
    if facts.grant_refused is not None and not _asked_for(facts):
        return
    first = not _holds_consent(facts) and state.candidate is None
    if first or facts.changed_grant:
        # Whose tokens they are must be known before they take the place of what a pinned user gave, or where
        # anybody who has the link may have consented.
        checked = state.user_id or facts.credential.spec.grant.connect is not None
        slot = Slot.CANDIDATE if checked else Slot.CURRENT
        yield Wish(Action(Kind.REDEEM, slot), _may_ask(facts, Step.GRANT, facts.now))


def _token_wishes(facts: CredentialFacts) -> Iterator[Wish]:
    state, status = facts.state, facts.credential.status
    if state.tokens is None:
        return
    refused = state.refuses_token(client_id=facts.client_id) is not None and not _asked_for(facts)
    if facts.renewable(Slot.CURRENT) and not refused:
        due = min(_renewal_moments(facts, state.tokens))
        yield Wish(Action(Kind.REFRESH), _may_ask(facts, Step.TOKENS, due))
    unknown = not state.user_id or state.user_id not in (status.user_id, facts.identified_user)
    if unknown and state.tokens.usable(facts.now) and not facts.token_refused and not refused:
        yield Wish(Action(Kind.IDENTIFY), _not_before(facts, Step.IDENTITY, facts.now))


def _renewal_moments(facts: CredentialFacts, tokens: Tokens) -> Iterator[datetime]:
    """Every reason to renew the tokens in use, as the moment from which on it holds."""
    last = tokens.last_refresh or _LONG_AGO
    yield last + _KEEP_ALIVE * (1 - _KEEP_ALIVE_SPREAD * _spread(facts.credential))
    if facts.pending_request:
        yield facts.now
    if facts.in_doubt:
        yield last + _DOUBT_PAUSE
    if facts.token_refused:
        yield max(facts.now, last + _FORCED_APART)
    if tokens.expires_at is None:
        yield facts.now
    elif not facts.on_demand:
        yield min(tokens.next_refresh or facts.now, tokens.expires_at)
    elif facts.wanted or facts.credential.status.user_removal is not None:
        # Also to ask Zoom whether a user who went is there again.
        yield max(facts.now, tokens.expires_at - _ON_DEMAND_MARGIN)
    unnamed = facts.troubles.get(Step.IDENTITY)
    lacks_identity = unnamed is not None and unnamed.reason == CredentialReason.SCOPES_MISSING
    if lacks_identity or lacks_all_tokens(facts.credential, tokens):
        yield last + _scopes_pause(facts)


def _holds_consent(facts: CredentialFacts) -> bool:
    """Whether there are tokens that can go on living (or still live), so that the grant need not be asked."""
    tokens = facts.state.tokens
    return tokens is not None and (facts.renewable(Slot.CURRENT) or tokens.usable(facts.now))


def _asked_for(facts: CredentialFacts) -> bool:
    """Whether a person asks for a try that has not been made yet, also of what Zoom refused for good."""
    return bool(facts.pending_request) and facts.pending_request != facts.tried_request


def _may_ask(facts: CredentialFacts, step: Step, moment: datetime) -> datetime:
    """When a token may be spent: not before its time, and not while another process may be doing it."""
    moment = _not_before(facts, step, moment)
    claim = facts.state.claim
    if claim is None or not claim.open or claim.holder == facts.instance:
        return moment
    return max(moment, (facts.claim_seen or facts.now) + timedelta(seconds=CLAIM_SECONDS))


def _not_before(facts: CredentialFacts, step: Step, moment: datetime) -> datetime:
    trouble = facts.troubles.get(step)
    if trouble is None or (_asked_for(facts) and step is not Step.IDENTITY):
        return moment
    return max(moment, trouble.retry_at)


def _scopes_pause(facts: CredentialFacts) -> timedelta:
    """How long to wait before a renewal may show that scopes were added: short at first, longer with the time."""
    ready_now = next((item for item in facts.credential.status.conditions if item.type == "Ready"), None)
    age = facts.now - ready_now.last_transition_time if ready_now else timedelta()
    return min(max(age * _SCOPES_SHARE, _SCOPES_FIRST), _SCOPES_LAST)


def _next_look(facts: CredentialFacts) -> datetime:
    """When to look at the Secrets again: soon while something is wrong, else at its own place in ten minutes."""
    calm = ready(facts).ready and isinstance(facts.app, AppFound) and not facts.changed_grant and not facts.troubles
    if not calm and not facts.credential.spec.suspend:
        return facts.now + _LOOK_BROKEN
    period = _LOOK_READY.total_seconds()
    passed = (facts.now.timestamp() - _spread(facts.credential) * period) % period
    return facts.now + timedelta(seconds=period - passed)


def _spread(credential: ZoomCredential) -> float:
    """A number between 0 and 1 that is the credential's own, so that many do not act at one instant."""
    digest = hashlib.sha256(f"{credential.namespace}/{credential.name}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32
