"""Requests to Zoom for tokens: the exchange of each kind of grant, and what a rejection means for the token Secret.

`rotation` decides when a request takes place and stores the answer.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from meetingbots.credentials.decide.consents import consent_fingerprint, last_handled, pending_consents, why_void
from meetingbots.credentials.decide.facts import Absent, CredentialFacts, GrantAwaited, GrantUnserved, RequestKind
from meetingbots.credentials.decide.failures import code_of, reason_of, sentence
from meetingbots.credentials.decide.token_changes import refused
from meetingbots.credentials.decide.token_state import Rejection, Tokens, TokenSlot, TokenState, mark_of
from meetingbots.credentials.manifests.connect import ConsentSecret, is_consent_name, read_consent_secret
from meetingbots.credentials.reconcile.token_url_grant import TokenURLs
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import SECRETS
from meetingbots.kube.secrets import SecretValueError, read_secret, secret_value, value_of
from meetingbots.models.credential import AuthorizationCodeGrant, CredentialReason, GrantKind, ZoomCredential
from meetingbots.zoom.errors import Cause, ZoomError
from meetingbots.zoom.oauth import AppCredentials, OAuthClient, TokenSet


class GrantExchange(Protocol):
    """A grant that can be exchanged for tokens: any number of times if it is `renewable`, else once."""

    @property
    def fingerprint(self) -> str:
        """Return a name of this consent that is not secret."""

    @property
    def renewable(self) -> bool:
        """Return whether another exchange gives tokens again."""

    @property
    def attempt(self) -> str:
        """Return a name of the exchange's parameters, where people can get them wrong."""

    @property
    def any_user(self) -> bool:
        """Return whether each answer may belong to another user, so that the user must be checked."""

    async def redeem(self, *, oauth: OAuthClient, app: AppCredentials, now: datetime) -> TokenSet:
        """Send one request to Zoom. Raises `ZoomError`."""


class _SingleUser:
    """A grant of one user, without parameters that people can get wrong."""

    any_user = False

    @property
    def attempt(self) -> str:
        """Return nothing: there are no such parameters."""
        return ""


@dataclass(frozen=True)
class RefreshTokenExchange(_SingleUser):
    """A refresh token of the author's: the first exchange spends it."""

    token: SecretStr = field(repr=False)
    renewable: bool = False

    @property
    def fingerprint(self) -> str:
        """Return the mark of the token: another token is another consent."""
        return _fingerprint(GrantKind.REFRESH_TOKEN, self.token.get_secret_value())

    async def redeem(self, *, oauth: OAuthClient, app: AppCredentials, now: datetime) -> TokenSet:
        """Refresh the token for the first time."""
        got = await oauth.refresh(app, refresh_token=self.token, now=now)
        # Without a new refresh token the old one stays valid (RFC 6749, section 6).
        return got if got.refresh_token is not None else replace(got, refresh_token=self.token)


@dataclass(frozen=True)
class ServerToServerExchange(_SingleUser):
    """A server-to-server app of an account: Zoom issues tokens on every request."""

    account_id: str
    renewable: bool = True

    @property
    def fingerprint(self) -> str:
        """Return the mark of the account: another account is another consent."""
        return _fingerprint(GrantKind.SERVER_TO_SERVER, self.account_id)

    async def redeem(self, *, oauth: OAuthClient, app: AppCredentials, now: datetime) -> TokenSet:
        """Request the account's token."""
        return await oauth.account_token(app, account_id=self.account_id, now=now)


@dataclass(frozen=True)
class CodeExchange:
    """An authorization code from Zoom's consent page: the first exchange spends it."""

    code: SecretStr = field(repr=False)
    redirect_uri: str
    code_verifier: SecretStr | None = field(repr=False)
    fingerprint: str
    attempt: str = ""
    renewable: bool = False
    any_user: bool = False

    async def redeem(self, *, oauth: OAuthClient, app: AppCredentials, now: datetime) -> TokenSet:
        """Exchange the code for the first tokens."""
        return await oauth.redeem_code(
            app, code=self.code, redirect_uri=self.redirect_uri, code_verifier=self.code_verifier, now=now
        )


async def read_grant(
    kube: Kube, *, credential: ZoomCredential, token_urls: TokenURLs
) -> GrantExchange | GrantAwaited | GrantUnserved | Absent:
    """Return the exchange of the credential's grant, or why there is none. Raises `KubeError`."""
    grant = credential.spec.grant
    if grant.connect is not None:
        return await _connect_grant(kube, credential=credential)
    if grant.server_to_server is not None:
        return ServerToServerExchange(account_id=grant.server_to_server.account_id.strip())
    if grant.access_token_url is not None:
        return await token_urls.grant(kube, credential=credential, wanted=grant.access_token_url)
    try:
        if grant.authorization_code is not None:
            return await _code_grant(kube, namespace=credential.namespace, wanted=grant.authorization_code)
        if grant.refresh_token is not None:
            reference = grant.refresh_token.secret_key_ref
            token = await secret_value(kube, namespace=credential.namespace, name=reference.name, key=reference.key)
            return RefreshTokenExchange(token=token)
    except SecretValueError as error:
        return Absent(message=f"The grant cannot be read: {error}")
    return GrantUnserved(message=f"This version of the operator does not support the grant {grant.kind}.")


async def _code_grant(kube: Kube, *, namespace: str, wanted: AuthorizationCodeGrant) -> CodeExchange:
    """Return the exchange of the code in the author's Secret. Raises `SecretValueError` and `KubeError`."""
    reference = wanted.secret_key_ref
    secret = await read_secret(kube, namespace=namespace, name=reference.name)
    code, redirect_uri = value_of(secret, key=reference.key), wanted.redirect_uri.strip()
    fingerprint = _fingerprint(GrantKind.AUTHORIZATION_CODE, code.get_secret_value())
    return CodeExchange(
        code=code,
        redirect_uri=redirect_uri,
        code_verifier=value_of(secret, key=wanted.code_verifier_key) if wanted.code_verifier_key else None,
        fingerprint=fingerprint,
        # Another redirect URI is another attempt with the same code.
        attempt=f"{fingerprint}/{mark_of(SecretStr(redirect_uri))}",
    )


async def _connect_grant(kube: Kube, *, credential: ZoomCredential) -> CodeExchange | GrantAwaited:
    """Return the exchange of the next consent; without a usable one, the operator waits for a consent."""
    last = last_handled(credential.status)
    before = consent_fingerprint(last.secret_name) if last is not None else ""
    pending = pending_consents(credential.status)
    if not pending:
        return GrantAwaited(last=before)
    secret = await read_consent(kube, name=pending[0].secret_name, credential=credential)
    void = why_void(secret, credential=credential)
    if secret is None or void is not None:
        return GrantAwaited(last=before, void=void)
    return CodeExchange(
        code=secret.code,
        redirect_uri=secret.redirect_uri,
        code_verifier=secret.code_verifier,
        fingerprint=consent_fingerprint(pending[0].secret_name),
    )


async def read_consent(kube: Kube, *, name: str, credential: ZoomCredential) -> ConsentSecret | None:
    """Return a consent Secret; None if there is none of that name. Raises `KubeError`."""
    if not is_consent_name(name):
        return None
    try:
        return read_consent_secret(
            await kube.get(SECRETS, namespace=credential.namespace, name=name), credential=credential
        )
    except NotFoundError:
        return None


def _fingerprint(kind: GrantKind, value: str) -> str:
    return f"{kind}-{mark_of(SecretStr(value.strip()))}"


class SendRequest(Protocol):
    """Sends a request to Zoom."""

    def __call__(self, *, now: datetime) -> Awaitable[TokenSet]:
        """Send it; `now` is the time before the request. Raises `ZoomError`."""


@dataclass(frozen=True, kw_only=True)
class TokenRequest:
    """One request to Zoom: what it spends (`mark`), where the answer goes, and how it is sent."""

    slot: TokenSlot
    fingerprint: str
    mark: str
    previous: Tokens | None
    grant: GrantExchange | None
    kind: RequestKind
    send: SendRequest

    @property
    def renewable(self) -> bool:
        """Whether the request can be repeated any number of times."""
        return self.grant is not None and self.grant.renewable

    def continues(self, facts: CredentialFacts) -> bool:
        """Return whether the new tokens are of the same consent, and so of the same user, as those in the slot."""
        return self.grant is None or facts.renewed_by_grant(self.slot)


def record_rejection(
    state: TokenState, *, asked: TokenState, slot: TokenSlot | None, rejection: Rejection, request: str
) -> TokenState:
    """Record a rejection, unless it no longer applies.

    Tokens that differ from those of the request are to be used. And while another process that took over our claim
    asks, Zoom may have rejected us because it issued tokens to that process.
    """
    taken_over = state.claim is not None and asked.claim is not None and state.claim.id != asked.claim.id
    if taken_over or _marks(state) != _marks(asked):
        return state
    return refused(state, slot=slot, rejection=rejection, handled_refresh=request)


def _marks(state: TokenState) -> tuple[str, ...]:
    return tuple(held.mark if held is not None else "" for held in map(state.held, TokenSlot))


def rejection_of(request: TokenRequest, *, asked: TokenState, error: ZoomError, client_id: str) -> Rejection:
    """Return the rejection to record after a definite error; `asked` is the content at the time of the request."""
    interrupted = asked.claim is not None and asked.claim.interrupted
    reason = CredentialReason.ROTATION_INTERRUPTED if interrupted else reason_of(error)
    # The rejection of a candidate holds for its grant: the same grant cannot be redeemed again.
    current = request.slot is TokenSlot.CURRENT or request.grant is not None
    mark = request.mark if current else request.fingerprint
    if request.grant is not None and error.kind is Cause.REDIRECT_MISMATCH:
        # The code may still be valid with the right redirect URI.
        mark = request.grant.attempt or mark
    held = asked.held(request.slot)
    if request.renewable and held is not None:
        mark = held.mark  # the grant may bring other tokens later; these are rejected
    return Rejection(mark=mark, client_id=client_id, reason=reason, code=code_of(error), message=sentence(error))
