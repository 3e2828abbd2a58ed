"""What is so about a credential at one moment: everything that deciding about its tokens looks at, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from meetingbots.credentials.decide.revocation import in_doubt, taken_back_at
from meetingbots.credentials.decide.token_state import Rejection, Slot, Tokens, TokenState, Unsaved, mark_of
from meetingbots.credentials.manifests.token_secret import SecretConflict, TokenSecret
from meetingbots.models import names
from meetingbots.models.credential import CredentialError, CredentialReason, RefreshPolicy, ZoomCredential

REQUEST_LIMIT = 256
"""How much of a request annotation's value counts; the status shows it."""


class Step(StrEnum):
    """What Zoom is asked for."""

    GRANT = "grant"
    TOKENS = "tokens"
    IDENTITY = "identity"


@dataclass(frozen=True, kw_only=True)
class AppFound:
    """The app Secret has what is needed."""

    client_id: str


@dataclass(frozen=True, kw_only=True)
class GrantFound:
    """The grant can be asked with. `renewable`: as often as one likes (server-to-server), not only once.

    `attempt` names the way in which it would be asked, where people may have given that wrongly (the redirect URI of a
    code): what is refused for the way only may be asked in another one. Empty where there is one way only.
    """

    fingerprint: str
    renewable: bool = False
    attempt: str = ""


@dataclass(frozen=True, kw_only=True)
class GrantUnserved:
    """A grant that is not asked with as it is written, such as a URL that is not allowed; `message` says why."""

    message: str


@dataclass(frozen=True, kw_only=True)
class VoidConsent:
    """A consent that came and is of no use; the reason is one for the page, the message says why."""

    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class GrantAwaited:
    """The end user is to consent on the connect page.

    `last` is the fingerprint of the last consent that was dealt with, empty without one; `void` says why the one whose
    turn it is is of no use.
    """

    last: str = ""
    void: VoidConsent | None = None


@dataclass(frozen=True, kw_only=True)
class Absent:
    """A Secret, or a key in it, is missing; `message` names it. `unfit`: it is there, and cannot be what is meant."""

    message: str
    unfit: bool = False


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The last answer of Zoom's to one step was not what was asked for.

    `time` is when it was asked last, `retry_at` when it may be asked again, `failures` how often in a row it failed.
    """

    reason: CredentialReason
    definite: bool
    code: str
    message: str
    time: datetime
    failures: int
    retry_at: datetime


@dataclass(frozen=True, kw_only=True)
class CredentialFacts:
    """The state of one credential at `now`.

    `claim_seen` is when this process first saw the present claim, by its own clock: another's clock may be wrong.
    `refused_token` is the mark of an access token that Zoom refused before its time, `wanted` says that someone needs
    a token now, `tried_request` is the refresh request that was last tried, successful or not, `identified_user` is
    the user that Zoom named since the status was last written, `older_twin` the name of
    an older credential with the same Zoom user.
    """

    credential: ZoomCredential
    app: AppFound | Absent
    grant: GrantFound | GrantAwaited | GrantUnserved | Absent
    secret: TokenSecret | SecretConflict | None
    now: datetime
    instance: str
    claim_seen: datetime | None = None
    unsaved: Unsaved | None = None
    unsaved_problem: str = ""
    unsaved_retry_at: datetime | None = None
    troubles: Mapping[Step, Failure] = field(default_factory=lambda: MappingProxyType({}))
    last_error: CredentialError | None = None
    refused_token: str = ""
    wanted: bool = False
    tried_request: str = ""
    identified_user: str = ""
    older_twin: str = ""

    @property
    def state(self) -> TokenState:
        """The token Secret's content; empty where there is none of ours."""
        return self.secret.state if isinstance(self.secret, TokenSecret) else TokenState()

    @property
    def client_id(self) -> str:
        """The app's client id; empty without an app."""
        return self.app.client_id if isinstance(self.app, AppFound) else ""

    @property
    def taken_back(self) -> datetime | None:
        """When the user removed the app, if that ended the present consent."""
        return taken_back_at(self.credential.status, self.state)

    @property
    def in_doubt(self) -> bool:
        """Whether the user may have removed the app after the last renewal: only Zoom knows."""
        return in_doubt(self.credential.status, self.state)

    @property
    def spent_by_end(self) -> bool:
        """Whether the grant is the one whose consent the user took back, and gives nothing any more."""
        ended = self.credential.status.ended_grant
        grant = self.grant
        return isinstance(grant, GrantFound) and not grant.renewable and grant.fingerprint == ended

    @property
    def on_demand(self) -> bool:
        """Whether tokens are renewed only when someone needs them."""
        return self.credential.spec.refresh_policy is RefreshPolicy.ON_DEMAND

    @property
    def pending_request(self) -> str:
        """The value of the refresh request that was not acted on yet; empty without one."""
        value = self.credential.metadata.annotations.get(names.REFRESH_REQUESTED_AT_ANNOTATION, "")[:REQUEST_LIMIT]
        return value if value != self.state.handled_refresh else ""

    @property
    def token_refused(self) -> bool:
        """Whether Zoom refused the access token in use before its time."""
        tokens = self.state.tokens
        return bool(self.refused_token) and tokens is not None and mark_of(tokens.access_token) == self.refused_token

    @property
    def grant_refused(self) -> Rejection | None:
        """The rejection that stands against asking with the grant."""
        if not isinstance(self.grant, GrantFound):
            return None
        grant = self.grant
        return self.state.refuses_grant(grant.fingerprint, client_id=self.client_id, attempt=grant.attempt)

    @property
    def changed_grant(self) -> GrantFound | None:
        """The grant, if it is another than the one that the tokens (also those being checked) come from."""
        state = self.state
        if not isinstance(self.grant, GrantFound) or not state.fingerprint:
            return None
        known = {state.fingerprint, state.candidate.fingerprint if state.candidate else ""}
        return None if self.grant.fingerprint in known else self.grant

    def renewable(self, slot: Slot) -> bool:
        """Whether the tokens of a slot can be renewed: by their refresh token, or by asking with the grant again."""
        tokens = self.state.held(slot)
        if tokens is None:
            return False
        return tokens.refresh_token is not None or self.asks_again(slot)

    def asks_again(self, slot: Slot) -> bool:
        """Whether renewing the tokens of a slot is asking with the grant again."""
        tokens, grant = self.state.held(slot), self.grant
        if tokens is None or tokens.refresh_token is not None or not isinstance(grant, GrantFound):
            return False
        candidate = self.state.candidate
        source = self.state.fingerprint if slot is Slot.CURRENT else (candidate.fingerprint if candidate else "")
        return grant.renewable and grant.fingerprint == source

    def usable(self, tokens: Tokens | None) -> bool:
        """Whether these tokens are there and have not run out."""
        return tokens is not None and tokens.usable(self.now)
