"""The ways to a consent, one small class each: what names it (its fingerprint), and asking Zoom with it.

A grant knows nothing of the token Secret: when it is asked, and what becomes of the answer, is `rotation`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from meetingbots.credentials.decide.consents import consent_fingerprint, last_handled, pending_consents, why_void
from meetingbots.credentials.decide.facts import Absent, GrantAwaited, GrantUnserved
from meetingbots.credentials.decide.token_state import mark_of
from meetingbots.credentials.manifests.consent_secret import ConsentSecret, is_consent_name, read_consent_secret
from meetingbots.credentials.reconcile.token_url_grant import TokenURLs
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import SECRETS
from meetingbots.kube.secret_values import SecretValueError, read_secret, secret_value, value_of
from meetingbots.models.credential import AuthorizationCodeGrant, GrantKind, ZoomCredential
from meetingbots.zoom.oauth import AppCredentials, OAuthClient, TokenSet


class Grant(Protocol):
    """A grant that Zoom can be asked with.

    `fingerprint` is the same as long as the consent is the same and tells nothing secret; `attempt` names, besides, the
    way in which it is asked. `renewable` grants may be asked with as often as one likes, the others once.
    """

    @property
    def fingerprint(self) -> str:
        """Names this consent."""

    @property
    def renewable(self) -> bool:
        """Whether asking again gives tokens again."""

    @property
    def attempt(self) -> str:
        """Names this way of asking with it."""

    @property
    def any_user(self) -> bool:
        """Whether each answer may be another user's, so that it must be asked whose it is."""

    async def redeem(self, *, oauth: OAuthClient, app: AppCredentials, now: datetime) -> TokenSet:
        """Ask Zoom; one request. Raises `ZoomError`."""


class _OneWay:
    """A grant with nothing besides that people could give wrongly, and that is one user's."""

    any_user = False

    @property
    def attempt(self) -> str:
        """There is one way only."""
        return ""


@dataclass(frozen=True)
class RefreshTokenGrant(_OneWay):
    """A refresh token that the author has: spent by the first asking."""

    token: SecretStr = field(repr=False)
    renewable: bool = False

    @property
    def fingerprint(self) -> str:
        """By the token's value: another value is another consent."""
        return _fingerprint(GrantKind.REFRESH_TOKEN, self.token.get_secret_value())

    async def redeem(self, *, oauth: OAuthClient, app: AppCredentials, now: datetime) -> TokenSet:
        """Refresh it for the first time."""
        got = await oauth.refresh(app, refresh_token=self.token, now=now)
        # Without a new one the old one stays (RFC 6749, section 6).
        return got if got.refresh_token is not None else replace(got, refresh_token=self.token)


@dataclass(frozen=True)
class ServerToServerGrant(_OneWay):
    """A server-to-server app of an account: Zoom gives tokens whenever it is asked."""

    account_id: str
    renewable: bool = True

    @property
    def fingerprint(self) -> str:
        """By the account: another account is another consent."""
        return _fingerprint(GrantKind.SERVER_TO_SERVER, self.account_id)

    async def redeem(self, *, oauth: OAuthClient, app: AppCredentials, now: datetime) -> TokenSet:
        """Ask for the account's token."""
        return await oauth.account_token(app, account_id=self.account_id, now=now)


@dataclass(frozen=True)
class CodeGrant:
    """An authorization code from Zoom's consent page, wherever it was put: spent by the first asking."""

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
) -> Grant | GrantAwaited | GrantUnserved | Absent:
    """The credential's grant with what its Secret holds. Raises `KubeError`."""
    grant = credential.spec.grant
    if grant.connect is not None:
        return await _connect_grant(kube, credential=credential)
    if grant.server_to_server is not None:
        return ServerToServerGrant(account_id=grant.server_to_server.account_id.strip())
    if grant.access_token_url is not None:
        return await token_urls.grant(kube, credential=credential, wanted=grant.access_token_url)
    try:
        if grant.authorization_code is not None:
            return await _code_grant(kube, namespace=credential.namespace, wanted=grant.authorization_code)
        if grant.refresh_token is not None:
            reference = grant.refresh_token.secret_key_ref
            token = await secret_value(kube, namespace=credential.namespace, name=reference.name, key=reference.key)
            return RefreshTokenGrant(token=token)
    except SecretValueError as error:
        return Absent(message=f"The grant cannot be read: {error}")
    return GrantUnserved(message=f"The grant {grant.kind} is not served by this version of the operator.")


async def _code_grant(kube: Kube, *, namespace: str, wanted: AuthorizationCodeGrant) -> CodeGrant:
    """The code that the author put into a Secret. Raises `SecretValueError` and `KubeError`."""
    reference = wanted.secret_key_ref
    secret = await read_secret(kube, namespace=namespace, name=reference.name)
    code, redirect_uri = value_of(secret, key=reference.key), wanted.redirect_uri.strip()
    fingerprint = _fingerprint(GrantKind.AUTHORIZATION_CODE, code.get_secret_value())
    return CodeGrant(
        code=code,
        redirect_uri=redirect_uri,
        code_verifier=value_of(secret, key=wanted.code_verifier_key) if wanted.code_verifier_key else None,
        fingerprint=fingerprint,
        # With another redirect URI it is another question about the same code.
        attempt=f"{fingerprint}/{mark_of(SecretStr(redirect_uri))}",
    )


async def _connect_grant(kube: Kube, *, credential: ZoomCredential) -> CodeGrant | GrantAwaited:
    """The consent whose turn it is; without one (or one that is of use) it is waited for."""
    last = last_handled(credential.status)
    before = consent_fingerprint(last.secret_name) if last is not None else ""
    pending = pending_consents(credential.status)
    if not pending:
        return GrantAwaited(last=before)
    secret = await read_consent(kube, name=pending[0].secret_name, credential=credential)
    void = why_void(secret, credential=credential)
    if secret is None or void is not None:
        return GrantAwaited(last=before, void=void)
    return CodeGrant(
        code=secret.code,
        redirect_uri=secret.redirect_uri,
        code_verifier=secret.code_verifier,
        fingerprint=consent_fingerprint(pending[0].secret_name),
    )


async def read_consent(kube: Kube, *, name: str, credential: ZoomCredential) -> ConsentSecret | None:
    """A consent's Secret; None if there is none that is one. Raises `KubeError`."""
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
