"""The ways to a consent, one small class each: what names it (its fingerprint), and asking Zoom with it.

A grant knows nothing of the token Secret: when it is asked, and what becomes of the answer, is `rotation`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from meetingbots.build.token_state import mark_of
from meetingbots.decide.credential_facts import Absent, GrantUnserved
from meetingbots.kube.client import Kube
from meetingbots.models.credential import GrantKind, ZoomCredential
from meetingbots.reconcile.secret_values import SecretValueError, secret_value
from meetingbots.zoom.oauth import AppCredentials, OAuthClient, TokenSet


class Grant(Protocol):
    """A grant that Zoom can be asked with.

    `fingerprint` is the same as long as the consent is the same and tells nothing secret; `renewable` grants may be
    asked with as often as one likes, the others once.
    """

    @property
    def fingerprint(self) -> str:
        """Names this consent."""

    @property
    def renewable(self) -> bool:
        """Whether asking again gives tokens again."""

    async def redeem(self, *, oauth: OAuthClient, app: AppCredentials, now: datetime) -> TokenSet:
        """Ask Zoom; one request. Raises `ZoomError`."""


@dataclass(frozen=True)
class RefreshTokenGrant:
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
class ServerToServerGrant:
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


async def read_grant(kube: Kube, *, credential: ZoomCredential) -> Grant | GrantUnserved | Absent:
    """The credential's grant with what its Secret holds. Raises `KubeError`."""
    grant = credential.spec.grant
    if grant.server_to_server is not None:
        return ServerToServerGrant(account_id=grant.server_to_server.account_id.strip())
    if grant.refresh_token is None:
        return GrantUnserved(
            message=f"The grant {grant.kind} is not served by this version of the operator: use refreshToken or "
            "serverToServer."
        )
    reference = grant.refresh_token.secret_key_ref
    try:
        token = await secret_value(kube, namespace=credential.namespace, name=reference.name, key=reference.key)
    except SecretValueError as error:
        return Absent(message=f"The grant cannot be read: {error}")
    return RefreshTokenGrant(token=token)


def _fingerprint(kind: GrantKind, value: str) -> str:
    return f"{kind}-{mark_of(SecretStr(value.strip()))}"
