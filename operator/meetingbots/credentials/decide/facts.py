"""Everything that decisions about a credential look at, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from meetingbots.credentials.decide.granted import Proof
from meetingbots.credentials.decide.revocation import in_doubt, revoked_at
from meetingbots.credentials.decide.token_state import (
    Rejection,
    SecretConflict,
    Tokens,
    TokenSecret,
    TokenSlot,
    TokenState,
    Unsaved,
    mark_of,
)
from meetingbots.credentials.manifests.signing_keys import Keyring
from meetingbots.models import names
from meetingbots.models.credential import (
    CredentialError,
    CredentialReason,
    HandledConsent,
    RefreshPolicy,
    ZoomCredential,
)
from meetingbots.zoom.resources import User

REQUEST_LIMIT: Final = 256
"""Characters of a request annotation's value that count; the status shows them."""


def unproven_account(namespace: str, name: str) -> str:
    """Return the rate account of a credential while Zoom has not named its account. No Zoom account has this name."""
    return f"?{namespace}/{name}"


class RequestKind(StrEnum):
    """The kinds of requests to Zoom that fail and recover independently of each other."""

    GRANT = "grant"
    TOKENS = "tokens"
    IDENTITY = "identity"


@dataclass(frozen=True, kw_only=True)
class AppFound:
    """The app Secret has what tokens need; `signs_webhooks`: it also has the webhook secret."""

    client_id: str
    signs_webhooks: bool = True


@dataclass(frozen=True, kw_only=True)
class GrantFound:
    """The grant can be exchanged for tokens: once, or any number of times if it is `renewable`.

    `attempt` names the parameters of the exchange that people can get wrong (the redirect URI of a code). A rejection
    of one attempt does not hold for another. It is empty for grants without such parameters.
    """

    fingerprint: str
    renewable: bool = False
    attempt: str = ""


@dataclass(frozen=True, kw_only=True)
class GrantUnserved:
    """The operator does not use the grant as it is written, for example because of its URL; `message` says why."""

    message: str


@dataclass(frozen=True, kw_only=True)
class VoidConsent:
    """A received consent that cannot be used. The connect page shows `reason`."""

    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class GrantAwaited:
    """The operator waits for the end user's consent on the connect page.

    `last` is the fingerprint of the last concluded consent, empty without one. `void` is set when the next pending
    consent cannot be used.
    """

    last: str = ""
    void: VoidConsent | None = None


@dataclass(frozen=True, kw_only=True)
class Absent:
    """A Secret or one of its keys is missing; `message` names it. `unfit`: it exists, but with an invalid value."""

    message: str
    unfit: bool = False


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The last failure of one kind of request to Zoom; `failures` counts those in a row."""

    reason: CredentialReason
    definite: bool
    code: str
    message: str
    time: datetime
    failures: int
    retry_at: datetime


@dataclass(frozen=True, kw_only=True)
class LinkFacts:
    """What a link is made from.

    `keyring` is None while the keys cannot be read, `key_due` says that a new key must be created first. `epoch` is
    drawn at random, for a link that continues no earlier one.
    """

    public_url: str = ""
    keyring: Keyring | None = field(default=None, repr=False)
    key_due: bool = False
    epoch: str = ""


@dataclass(frozen=True, kw_only=True)
class Twin:
    """The name of another credential with the same Zoom user and app; `newer`: it was created later."""

    name: str
    newer: bool


@dataclass(frozen=True, kw_only=True)
class AppCheck:
    """The check of a changed app Secret: when it is due, and why Zoom rejects the app. Both None: nothing is known."""

    due: datetime | None = None
    failure: Failure | None = None


@dataclass(frozen=True, kw_only=True)
class CredentialFacts:
    """The state of one credential at `now`.

    Attributes:
        app_check: the check of the app Secret after a change.
        concluded: consents that have been concluded and that the status does not show yet.
        claim_age: seconds for which this process has seen the present claim, by its monotonic clock.
        refused_token: mark of an access token that Zoom rejected before its expiry.
        wanted: someone waits for an access token.
        tried_request: the refresh request that was tried last, successfully or not.
        checked_report: time of the reported removal of the app about which Zoom was asked last.
        removal_confirmed: Zoom confirms that the user is removed, as the status reports.
        proof: what Zoom itself has said about the tokens in use; None if nothing is known.
        user: the user that Zoom named since the status was last written.
        twin: another credential with the same Zoom user and app.

    """

    credential: ZoomCredential
    app: AppFound | Absent
    grant: GrantFound | GrantAwaited | GrantUnserved | Absent
    secret: TokenSecret | SecretConflict | None
    now: datetime
    instance: str
    app_check: AppCheck = field(default_factory=AppCheck)
    link: LinkFacts = field(default_factory=LinkFacts)
    concluded: tuple[HandledConsent, ...] = ()
    claim_age: float = 0.0
    unsaved: Unsaved | None = None
    unsaved_problem: str = ""
    unsaved_retry_at: datetime | None = None
    failures: Mapping[RequestKind, Failure] = field(default_factory=lambda: MappingProxyType({}))
    last_error: CredentialError | None = None
    refused_token: str = ""
    wanted: bool = False
    tried_request: str = ""
    checked_report: datetime | None = None
    removal_confirmed: bool = False
    proof: Proof | None = None
    user: User | None = field(default=None, repr=False)
    twin: Twin | None = None

    @property
    def state(self) -> TokenState:
        """The token Secret's content; empty without a Secret of the operator's."""
        return self.secret.state if isinstance(self.secret, TokenSecret) else TokenState()

    @property
    def identified(self) -> bool:
        """Whether Zoom has named the user of the tokens in use."""
        return self.proof is not None and bool(self.proof.user_id)

    @property
    def pinned_user(self) -> str:
        """The user whose consent this is; empty if any user may consent. An edited annotation does not change it."""
        if not self.state.user_id:
            return ""
        proven = self.proof.user_id if self.proof is not None else ""
        return proven or self.credential.status.user_id or self.state.user_id

    @property
    def rate_account(self) -> str:
        """The account that calls for this credential are counted for: its own, or a separate one while unproven."""
        proven = self.proof.account_id if self.proof is not None else ""
        return proven or unproven_account(self.credential.namespace, self.credential.name)

    @property
    def client_id(self) -> str:
        """The app's client id; empty without an app."""
        return self.app.client_id if isinstance(self.app, AppFound) else ""

    @property
    def revoked(self) -> datetime | None:
        """When the user removed the app, if that ended the present consent."""
        return revoked_at(self.credential.status, self.state, now=self.now)

    @property
    def doubted_since(self) -> datetime | None:
        """When the user removed the app by a report about which Zoom must be asked; None without one."""
        return in_doubt(self.credential.status, self.state, now=self.now)

    @property
    def spent_by_end(self) -> bool:
        """Whether the grant is that of the consent that the user revoked, so that Zoom would reject it."""
        ended = self.credential.status.ended_grant
        grant = self.grant
        return isinstance(grant, GrantFound) and not grant.renewable and grant.fingerprint == ended

    @property
    def on_demand(self) -> bool:
        """Whether tokens are refreshed only when someone needs them."""
        return self.credential.spec.refresh_policy is RefreshPolicy.ON_DEMAND

    @property
    def pending_request(self) -> str:
        """The value of a refresh request that is not handled yet; empty without one."""
        value = self.credential.metadata.annotations.get(names.REFRESH_REQUESTED_AT_ANNOTATION, "")[:REQUEST_LIMIT]
        return value if value != self.state.handled_refresh else ""

    @property
    def forced(self) -> bool:
        """Whether a person requests a try that has not been made yet, even of what Zoom rejected for good."""
        return bool(self.pending_request) and self.pending_request != self.tried_request

    @property
    def token_refused(self) -> bool:
        """Whether Zoom rejected the access token in use before its expiry."""
        tokens = self.state.tokens
        return bool(self.refused_token) and tokens is not None and mark_of(tokens.access_token) == self.refused_token

    @property
    def grant_refused(self) -> Rejection | None:
        """The rejection that forbids another exchange of the grant."""
        if not isinstance(self.grant, GrantFound):
            return None
        grant = self.grant
        return self.state.refuses_grant(grant.fingerprint, client_id=self.client_id, attempt=grant.attempt)

    @property
    def changed_grant(self) -> GrantFound | None:
        """The grant, if neither the tokens in use nor the candidate come from it."""
        state = self.state
        if not isinstance(self.grant, GrantFound) or not state.fingerprint:
            return None
        known = {state.fingerprint, state.candidate.fingerprint if state.candidate else ""}
        return None if self.grant.fingerprint in known else self.grant

    def renewable(self, slot: TokenSlot) -> bool:
        """Whether the tokens of a slot can be refreshed: by their refresh token or by their grant."""
        tokens = self.state.held(slot)
        return tokens is not None and (tokens.refresh_token is not None or self.renewed_by_grant(slot))

    def renewed_by_grant(self, slot: TokenSlot) -> bool:
        """Whether the tokens of a slot are refreshed by another exchange of their grant."""
        tokens, grant = self.state.held(slot), self.grant
        if tokens is None or tokens.refresh_token is not None or not isinstance(grant, GrantFound):
            return False
        candidate = self.state.candidate
        source = self.state.fingerprint if slot is TokenSlot.CURRENT else (candidate.fingerprint if candidate else "")
        return grant.renewable and grant.fingerprint == source

    def usable(self, tokens: Tokens | None) -> bool:
        """Whether these tokens exist and have not expired."""
        return tokens is not None and tokens.usable(self.now)
