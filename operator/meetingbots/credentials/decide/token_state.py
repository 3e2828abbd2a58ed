"""The content of a token Secret as a value: the tokens, their user, and the state of a refresh.

The token Secret is one object with one resourceVersion, and the source of truth after a crash. `token_changes` has the
transitions from one content to the next; `manifests.token_secret` encodes and decodes it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pydantic import SecretStr

from meetingbots.models.credential import TokenDeletionPolicy, ZoomCredential
from meetingbots.models.metadata import OwnerReference

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
    `handled_refresh` is the value of the refresh request that was handled last. `received_from` names the credential
    whose link led to the tokens, if it is another one.
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
    received_from: str = ""

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
