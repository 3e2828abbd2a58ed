"""The content of a token Secret as a value: the tokens, their user, and the state of a refresh.

The token Secret is one object with one resourceVersion, and the source of truth after a crash. The functions are the
pure transitions from one content to the next; `manifests.token_secret` encodes and decodes it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import SecretStr

from meetingbots.models.credential import TokenDeletionPolicy, ZoomCredential
from meetingbots.models.metadata import OwnerReference
from meetingbots.zoom.oauth import TokenSet

_LIFE_SHARE = 2 / 3
_JITTER_SHARE = 0.1
_SHORTEST_PAUSE = 1.0
"""A customer's server may return the same token until it expires."""
_STORED_TO = timedelta(seconds=1)
"""The precision of times in the Secret."""
_MARK_LENGTH = 16


class TokenSlot(StrEnum):
    """The two places for tokens in the Secret: those in use, and those of a new consent that is being checked."""

    CURRENT = "current"
    CANDIDATE = "candidate"


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """One set of tokens with its times. `expires_at` is None if it cannot be decoded."""

    access_token: SecretStr = field(repr=False)
    refresh_token: SecretStr | None = field(default=None, repr=False)
    expires_at: datetime | None
    token_type: str = "bearer"  # noqa: S105 - a kind, not a token
    scope: str = ""
    api_url: str = ""
    last_refresh: datetime | None = None
    next_refresh: datetime | None = None

    def usable(self, now: datetime) -> bool:
        """Whether there is an access token that has not expired."""
        return bool(self.access_token.get_secret_value()) and self.expires_at is not None and now < self.expires_at

    @property
    def mark(self) -> str:
        """A name of the refresh token (or, without one, of the access token) that does not reveal it."""
        return mark_of(self.refresh_token or self.access_token)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """The tokens of a changed grant that Zoom accepted; their user is not identified yet."""

    tokens: Tokens
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A process's claim on a request to Zoom that spends a token (its mark).

    `open` is False when the request has ended with an unknown outcome. `interrupted` says that an earlier request with
    the same token has no known outcome, so that a rejection may be due to a lost answer.
    """

    id: str
    holder: str
    time: datetime
    mark: str
    open: bool = True
    interrupted: bool = False


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """Zoom's definite rejection of a token or grant (its mark) for an app. The same request is not sent again."""

    mark: str
    client_id: str
    reason: str
    code: str = ""
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class TokenState:
    """The content of a token Secret.

    `fingerprint` names the grant that the tokens come from. `user_id` and `account_id` are pinned by the first consent.
    `handled_refresh` is the value of the refresh request that was handled last.
    """

    tokens: Tokens | None = None
    fingerprint: str = ""
    candidate: Candidate | None = None
    user_id: str = ""
    account_id: str = ""
    claim: Claim | None = None
    rejected_grant: Rejection | None = None
    rejected_token: Rejection | None = None
    handled_refresh: str = ""

    def held(self, slot: TokenSlot) -> Tokens | None:
        """Return the tokens in a slot."""
        if slot is TokenSlot.CURRENT:
            return self.tokens
        return self.candidate.tokens if self.candidate else None

    def refuses_grant(self, fingerprint: str, *, client_id: str, attempt: str = "") -> Rejection | None:
        """Return the rejection of this grant for this app, or of this attempt with it."""
        rejected = self.rejected_grant
        if rejected is None or rejected.client_id != client_id:
            return None
        return rejected if rejected.mark in (fingerprint, attempt or fingerprint) else None

    def refuses_token(self, *, client_id: str) -> Rejection | None:
        """Return the rejection of a refresh of the tokens in use for this app."""
        rejected = self.rejected_token
        if rejected is None or self.tokens is None:
            return None
        return rejected if (rejected.mark, rejected.client_id) == (self.tokens.mark, client_id) else None


@dataclass(frozen=True, kw_only=True)
class Unsaved:
    """Tokens from Zoom that are not stored yet: the only copy.

    `before` is the content at the time of the claim, in case the Secret is deleted. `spent` is the mark of the refresh
    token or grant that was exchanged, `uid` that of the Secret that was claimed.
    """

    tokens: Tokens
    slot: TokenSlot
    fingerprint: str
    spent: str
    before: TokenState
    uid: str
    handled_refresh: str = ""


def mark_of(secret: SecretStr) -> str:
    """Return a short name for a secret that does not reveal it."""
    return hashlib.sha256(secret.get_secret_value().encode()).hexdigest()[:_MARK_LENGTH]


def obtained(got: TokenSet, *, previous: Tokens | None, now: datetime, jitter: float) -> Tokens:
    """Return the tokens to store from Zoom's answer. `jitter` is between 0 and 1, `now` the time before the request.

    The next refresh is planned at two thirds of the life, less up to a tenth of that. `previous` are the tokens that
    were refreshed: without a new refresh token the old one stays valid (RFC 6749, section 6), and so do the scopes.
    """
    life = (got.expires_at - now).total_seconds()
    return Tokens(
        access_token=got.access_token,
        refresh_token=got.refresh_token or (previous.refresh_token if previous else None),
        expires_at=got.expires_at,
        token_type=got.token_type,
        scope=got.scope or (previous.scope if previous else ""),
        api_url=got.api_url,
        last_refresh=now,
        next_refresh=now + timedelta(seconds=max(_SHORTEST_PAUSE, life * _LIFE_SHARE * (1 - _JITTER_SHARE * jitter))),
    )


def saved(state: TokenState, unsaved: Unsaved) -> TokenState | None:
    """Return the content with the new tokens; None if a newer consent has replaced them."""
    before = unsaved.before
    kept = before if state == TokenState() else state
    slot = unsaved.slot
    spent_in_use = kept.tokens is not None and kept.tokens.mark == unsaved.spent
    if slot is TokenSlot.CANDIDATE and kept.candidate is None and spent_in_use:
        slot = TokenSlot.CURRENT  # another process identified the candidate and put it to use
    taken = kept.tokens is not None and not spent_in_use
    if slot is TokenSlot.CANDIDATE:
        if taken and kept.fingerprint == unsaved.fingerprint:
            return None
        changed = replace(kept, candidate=Candidate(tokens=unsaved.tokens, fingerprint=unsaved.fingerprint))
    else:
        if taken and kept.fingerprint not in ("", before.fingerprint, unsaved.fingerprint):
            return None
        changed = replace(kept, tokens=unsaved.tokens, fingerprint=unsaved.fingerprint, rejected_token=None)
    rejected = changed.rejected_grant
    return replace(
        changed,
        user_id=kept.user_id or before.user_id,
        account_id=kept.account_id or before.account_id,
        claim=None,
        rejected_grant=None if rejected is not None and rejected.mark == unsaved.fingerprint else rejected,
        handled_refresh=unsaved.handled_refresh or kept.handled_refresh,
    )


def holds(state: TokenState, unsaved: Unsaved) -> bool:
    """Return whether the content already holds these tokens, because the answer to a write was lost."""
    held, given = state.held(unsaved.slot), unsaved.tokens
    if held is None or (held.mark, held.access_token) != (given.mark, given.access_token):
        return False
    # A customer's server may return the same token again; the later time makes it a new answer.
    if held.last_refresh is None or given.last_refresh is None:
        return held.last_refresh == given.last_refresh
    return abs(held.last_refresh - given.last_refresh) < _STORED_TO


def claimed(
    state: TokenState, *, claim_id: str, holder: str, mark: str, now: datetime, ended_claim: str = ""
) -> TokenState:
    """Return the content with a new claim. It records an earlier claim on the same token without a known outcome.

    `ended_claim` is an own claim that has ended although the end could not be written.
    """
    before = state.claim
    same = before is not None and before.mark == mark
    endless = before is not None and before.open and before.id != ended_claim
    interrupted = same and before is not None and (endless or before.interrupted)
    return replace(
        state, claim=Claim(id=claim_id, holder=holder, time=now, mark=mark, open=True, interrupted=interrupted)
    )


def released(state: TokenState, *, claim_id: str, unanswered: bool) -> TokenState:
    """Return the content after a failed request; `unanswered`: Zoom may have spent the token all the same."""
    claim = state.claim
    if claim is None or claim.id != claim_id:
        return state
    if unanswered or claim.interrupted:
        return replace(state, claim=replace(claim, open=False, interrupted=True))
    return replace(state, claim=None)


def refused(
    state: TokenState, *, slot: TokenSlot | None, rejection: Rejection, handled_refresh: str = ""
) -> TokenState:
    """Return the content after a definite rejection: of the tokens in `slot`, or (None) of a grant."""
    ended = replace(state, claim=None, handled_refresh=handled_refresh or state.handled_refresh)
    if slot is TokenSlot.CURRENT:
        return replace(ended, rejected_token=rejection)
    return replace(ended, rejected_grant=rejection, candidate=None if slot is TokenSlot.CANDIDATE else state.candidate)


def identified(state: TokenState, *, slot: TokenSlot, user_id: str, account_id: str) -> TokenState:
    """Return the content after identification: the user is pinned, and a candidate replaces the tokens in use."""
    pinned = replace(state, user_id=user_id, account_id=account_id)
    if slot is TokenSlot.CURRENT or state.candidate is None:
        return pinned
    return replace(
        pinned,
        tokens=state.candidate.tokens,
        fingerprint=state.candidate.fingerprint,
        candidate=None,
        rejected_grant=None,
        rejected_token=None,
    )


@dataclass(frozen=True, kw_only=True)
class TokenSecret:
    """A token Secret that belongs to the operator."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    state: TokenState
    owners: tuple[OwnerReference, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SecretConflict:
    """A Secret has the token Secret's name but is not the operator's. `message` gives the cause and the remedy."""

    message: str
    uid: str = ""


def wanted_owners(credential: ZoomCredential, *, owners: tuple[OwnerReference, ...]) -> tuple[OwnerReference, ...]:
    """Return the ownerReferences that the Secret should have; those of other kinds stay.

    Under policy Delete the credential owns the Secret. Under Retain it does not: the consent outlives its object, and
    a reference to an earlier uid would have the Secret garbage-collected.
    """
    others = tuple(owner for owner in owners if owner.kind != credential.KIND)
    if credential.spec.token_deletion_policy is TokenDeletionPolicy.RETAIN:
        return others
    return (*others, credential.owner_reference())
