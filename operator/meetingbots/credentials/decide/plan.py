"""Decides what to do next for a credential: the status to show, one action, and when to decide again.

The decision lists tasks in order of importance, each with the time from which it is due. The first due task gives the
action, which `reconcile.actions` carries out; if none is due, the earliest time gives the requeue delay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from meetingbots.credentials.decide.consents import new_outcomes
from meetingbots.credentials.decide.facts import AppFound, CredentialFacts, GrantFound, RequestKind
from meetingbots.credentials.decide.granted import has_admin_scope, lacks_all_tokens
from meetingbots.credentials.decide.ready import needs_consent, ready
from meetingbots.credentials.decide.status import status_of
from meetingbots.credentials.decide.token_state import SecretConflict, Tokens, TokenSecret, TokenSlot, wanted_owners
from meetingbots.models.credential import CredentialReason, CredentialStatus, HandledConsent, Level, ZoomCredential
from meetingbots.runtime.plan import Plan


@dataclass(frozen=True)
class CredentialAction:
    """One action of a plan."""


@dataclass(frozen=True)
class StoreTokens(CredentialAction):
    """Write the tokens that exist only in memory to the token Secret."""


@dataclass(frozen=True)
class CorrectOwners(CredentialAction):
    """Set the token Secret's ownerReferences to those that the deletion policy requires."""


@dataclass(frozen=True)
class RedeemGrant(CredentialAction):
    """Exchange the grant for tokens and put them into `slot`."""

    slot: TokenSlot = TokenSlot.CURRENT


@dataclass(frozen=True)
class RefreshTokens(CredentialAction):
    """Replace the tokens in `slot` by newer ones of the same consent."""

    slot: TokenSlot = TokenSlot.CURRENT


@dataclass(frozen=True)
class IdentifyUser(CredentialAction):
    """Ask Zoom which user the tokens in `slot` belong to."""

    slot: TokenSlot = TokenSlot.CURRENT


@dataclass(frozen=True)
class CheckApp(CredentialAction):
    """Ask Zoom whether it accepts the changed app Secret."""


@dataclass(frozen=True)
class EndConsent(CredentialAction):
    """Delete the token Secret: the user removed the app."""


@dataclass(frozen=True)
class ConcludeConsents(CredentialAction):
    """Delete the Secrets of consents (grant connect) and record their outcomes."""

    outcomes: tuple[HandledConsent, ...]


@dataclass(frozen=True)
class RotateLinkKey(CredentialAction):
    """Create a new key that signs connect links."""


CredentialPlan: TypeAlias = Plan[CredentialStatus, CredentialAction]

CLAIM_SECONDS: Final = 30.0
"""How long another process's claim is respected: longer than the time limit of a request to Zoom (20 s)."""
_MIN_REQUEUE_SECONDS: Final = 0.05
_ONE_WRITE_LATER: Final = timedelta(seconds=_MIN_REQUEUE_SECONDS)
_RECHECK_BROKEN: Final = timedelta(seconds=30)
_RECHECK_READY: Final = timedelta(minutes=10)
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_KEEP_ALIVE: Final = timedelta(days=30)
_KEEP_ALIVE_SPREAD: Final = 0.1
_FORCED_REFRESH_INTERVAL: Final = timedelta(seconds=10)
_ON_DEMAND_MARGIN: Final = timedelta(seconds=60)
_DOUBT_INTERVAL: Final = timedelta(minutes=2)
"""Between further refreshes that show whether the user removed the app; the doubt ends after five minutes."""
_SCOPES_FIRST: Final = timedelta(seconds=45)
_SCOPES_LAST: Final = timedelta(hours=1)
_SCOPES_SHARE: Final = 0.1


@dataclass(frozen=True)
class _Task:
    """An action and the time from which it is due."""

    action: CredentialAction
    at: datetime


def decide(facts: CredentialFacts) -> CredentialPlan:
    """Return the plan for a credential."""
    tasks = list(_tasks(facts))
    status = status_of(facts, next_refresh=_next_refresh(facts, tasks))
    due = next((task for task in tasks if task.at <= facts.now), None)
    if due is not None:
        return Plan(status=status, action=due.action, requeue_after=0.0)
    earliest = min([task.at for task in tasks] + [_next_check(facts)])
    return Plan(status=status, requeue_after=max(_MIN_REQUEUE_SECONDS, (earliest - facts.now).total_seconds()))


def _next_refresh(facts: CredentialFacts, tasks: list[_Task]) -> datetime | None:
    """Return when new tokens are planned; None while somebody must fix something, as it is retried twice a minute."""
    if any(failure.definite for failure in facts.failures.values()):
        return None
    renewals = (RefreshTokens(), RedeemGrant())
    return next((task.at for task in reversed(tasks) if task.action in renewals), None)


def _tasks(facts: CredentialFacts) -> Iterator[_Task]:
    if facts.unsaved is not None:
        # Nothing else may write to the Secret before it holds the only copy of these tokens.
        yield _Task(StoreTokens(), facts.unsaved_retry_at or facts.now)
        return
    if not isinstance(facts.secret, SecretConflict):
        yield from _secret_tasks(facts)
    yield from _connect_tasks(facts)


def _secret_tasks(facts: CredentialFacts) -> Iterator[_Task]:
    if facts.revoked is not None:
        yield from _end_tasks(facts)
        return
    secret = facts.secret
    if isinstance(secret, TokenSecret) and secret.owners != wanted_owners(facts.credential, owners=secret.owners):
        yield _Task(CorrectOwners(), facts.now)
    if facts.credential.spec.suspend or not isinstance(facts.app, AppFound):
        return
    yield from _candidate_tasks(facts)
    yield from _grant_tasks(facts)
    yield from _token_tasks(facts)
    if facts.app_check.due is not None:
        yield _Task(CheckApp(), facts.app_check.due)


def _end_tasks(facts: CredentialFacts) -> Iterator[_Task]:
    """Remove the tokens of a consent that the user revoked; afterwards, redeem only a new consent."""
    state, status = facts.state, facts.credential.status
    recorded = not state.fingerprint or status.ended_grant == state.fingerprint
    if state.tokens is not None or state.user_id:
        # The status names the grant before the Secret is deleted, so that the grant is not redeemed again.
        yield _Task(EndConsent(), facts.now if recorded else facts.now + _ONE_WRITE_LATER)
    elif not facts.credential.spec.suspend and isinstance(facts.app, AppFound) and not facts.spent_by_end:
        yield from _grant_tasks(facts)


def _candidate_tasks(facts: CredentialFacts) -> Iterator[_Task]:
    candidate = facts.state.candidate
    if candidate is None:
        return
    slot = TokenSlot.CANDIDATE
    if candidate.tokens.usable(facts.now):
        yield _Task(IdentifyUser(slot), _not_before(facts, RequestKind.GRANT, facts.now))
    elif facts.renewable(slot):
        yield _Task(RefreshTokens(slot), _may_spend(facts, RequestKind.GRANT, facts.now))


def _grant_tasks(facts: CredentialFacts) -> Iterator[_Task]:
    """Redeem the grant, for the first tokens or because it is a new consent."""
    grant, state = facts.grant, facts.state
    if not isinstance(grant, GrantFound):
        return
    if facts.grant_refused is not None and not facts.forced:
        return
    first = not _holds_consent(facts) and state.candidate is None
    if first or facts.changed_grant:
        # New tokens are a candidate while their user must be checked: a user is pinned already, or anybody who has
        # the link can have consented.
        checked = state.user_id or facts.credential.spec.grant.connect is not None
        slot = TokenSlot.CANDIDATE if checked else TokenSlot.CURRENT
        yield _Task(RedeemGrant(slot), _may_spend(facts, RequestKind.GRANT, facts.now))


def _token_tasks(facts: CredentialFacts) -> Iterator[_Task]:
    state, proof = facts.state, facts.proof
    if state.tokens is None:
        return
    refused = state.refuses_token(client_id=facts.client_id) is not None and not facts.forced
    if facts.renewable(TokenSlot.CURRENT) and not refused:
        due = min(_refresh_times(facts, state.tokens))
        yield _Task(RefreshTokens(), _may_spend(facts, RequestKind.TOKENS, due))
    identity = (proof.user_id, proof.account_id) if proof is not None else ("", "")
    unknown = not facts.identified or (state.user_id, state.account_id) != identity
    if unknown and state.tokens.usable(facts.now) and not facts.token_refused and not refused:
        yield _Task(IdentifyUser(), _not_before(facts, RequestKind.IDENTITY, facts.now))


def _connect_tasks(facts: CredentialFacts) -> Iterator[_Task]:
    outcomes = new_outcomes(facts)
    if outcomes:
        yield _Task(ConcludeConsents(outcomes), facts.now)
    if facts.link.key_due and needs_consent(facts, ready(facts)):
        yield _Task(RotateLinkKey(), facts.now)


def _refresh_times(facts: CredentialFacts, tokens: Tokens) -> Iterator[datetime]:
    """Yield, for each reason to refresh the tokens in use, the time from which it holds."""
    last = tokens.last_refresh or _LONG_AGO
    yield last + _KEEP_ALIVE * (1 - _KEEP_ALIVE_SPREAD * _spread(facts.credential))
    if facts.pending_request:
        yield facts.now
    if facts.doubted_since is not None:
        asked = facts.checked_report == facts.doubted_since
        yield last + (_DOUBT_INTERVAL if asked else _FORCED_REFRESH_INTERVAL)
    if facts.token_refused:
        yield max(facts.now, last + _FORCED_REFRESH_INTERVAL)
    if tokens.expires_at is None:
        yield facts.now
    elif not facts.on_demand:
        yield min(tokens.next_refresh or facts.now, tokens.expires_at)
    elif facts.wanted or facts.credential.status.user_removal is not None:
        # A token is also needed to ask Zoom whether a removed user is active again.
        yield max(facts.now, tokens.expires_at - _ON_DEMAND_MARGIN)
    if _lacks_scope_proof(facts, tokens):
        yield last + _FORCED_REFRESH_INTERVAL
    failure = facts.failures.get(RequestKind.TOKENS)
    if failure is not None and failure.definite:
        yield failure.retry_at
    unnamed = facts.failures.get(RequestKind.IDENTITY)
    lacks_identity = unnamed is not None and unnamed.reason == CredentialReason.SCOPES_MISSING
    if lacks_identity or lacks_all_tokens(facts.credential, tokens):
        yield last + _scopes_interval(facts)


def _lacks_scope_proof(facts: CredentialFacts, tokens: Tokens) -> bool:
    """Return whether only a refresh can show that Zoom granted the admin scopes that level Account needs."""
    claims_account = facts.credential.spec.level is Level.ACCOUNT and has_admin_scope(tokens.scope.split())
    return claims_account and (facts.proof is None or facts.proof.scope is None)


def _holds_consent(facts: CredentialFacts) -> bool:
    """Return whether there are tokens that are valid or can be refreshed, so that the grant is not needed."""
    tokens = facts.state.tokens
    return tokens is not None and (facts.renewable(TokenSlot.CURRENT) or tokens.usable(facts.now))


def _may_spend(facts: CredentialFacts, kind: RequestKind, moment: datetime) -> datetime:
    """Return when a token may be spent: not before its time, and not while another process may be spending it."""
    moment = _not_before(facts, kind, moment)
    claim = facts.state.claim
    if claim is None or not claim.open or claim.holder == facts.instance:
        return moment
    return max(moment, facts.now + timedelta(seconds=CLAIM_SECONDS - facts.claim_age))


def _not_before(facts: CredentialFacts, kind: RequestKind, moment: datetime) -> datetime:
    failure = facts.failures.get(kind)
    clock_set_back = failure is not None and facts.now < failure.time.replace(microsecond=0)
    if failure is None or clock_set_back or (facts.forced and kind is not RequestKind.IDENTITY):
        return moment
    return max(moment, failure.retry_at)


def _scopes_interval(facts: CredentialFacts) -> timedelta:
    """Return how often a refresh may show that scopes were added: less often the longer they are missing."""
    shown = next((item for item in facts.credential.status.conditions if item.type == "Ready"), None)
    age = facts.now - shown.last_transition_time if shown else timedelta()
    return min(max(age * _SCOPES_SHARE, _SCOPES_FIRST), _SCOPES_LAST)


def _next_check(facts: CredentialFacts) -> datetime:
    """Return when to read the Secrets again: soon while something is wrong, else once in ten minutes."""
    calm = ready(facts).ready and isinstance(facts.app, AppFound) and not facts.changed_grant and not facts.failures
    calm = calm and facts.app_check.failure is None
    if not calm and not facts.credential.spec.suspend:
        return facts.now + _RECHECK_BROKEN
    period = _RECHECK_READY.total_seconds()
    passed = (facts.now.timestamp() - _spread(facts.credential) * period) % period
    return facts.now + timedelta(seconds=period - passed)


def _spread(credential: ZoomCredential) -> float:
    """Return the credential's own number between 0 and 1, which spreads the work of many credentials over time."""
    digest = hashlib.sha256(f"{credential.namespace}/{credential.name}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32
