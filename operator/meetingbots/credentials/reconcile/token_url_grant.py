"""The grant accessTokenURL: a server of the customer's holds the tokens and returns an access token as plain text.

A tenant chooses the address and the customer's server chooses the answer. So requests go through `egress`, the answer
is never shown, and only Zoom identifies the token's user.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
from pydantic import SecretStr

from meetingbots.credentials.decide.facts import Absent, GrantUnserved
from meetingbots.credentials.decide.token_state import mark_of
from meetingbots.egress.addresses import AddressNotAllowedError, AllowedHosts, EgressError, Target
from meetingbots.egress.client import EgressClient
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.secrets import SecretValueError, read_secret, value_of
from meetingbots.models import names
from meetingbots.models.credential import AccessTokenURLGrant, GrantKind, ZoomCredential
from meetingbots.runtime.settings import OperatorSettings
from meetingbots.zoom.errors import Cause, TransientError
from meetingbots.zoom.oauth import AppCredentials, Environment, OAuthClient, TokenSet

UNKNOWN_LIFE: Final = timedelta(minutes=5)
"""Assumed life of a token that does not state its expiry."""
_LONGEST_LIFE: Final = timedelta(days=1)
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e\t]{0,8192}")
_RESERVED_HEADERS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True)
class TokenURLExchange:
    """A request to the customer's address. It can be repeated, and each answer may belong to another user."""

    target: Target = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    client: EgressClient
    fingerprint: str
    renewable: bool = True
    any_user: bool = True
    attempt: str = ""

    async def redeem(self, *, oauth: OAuthClient, app: AppCredentials, now: datetime) -> TokenSet:  # noqa: ARG002 - oauth
        """Send the request. Raises `TransientError`: only Zoom itself can refuse a consent for good."""
        try:
            answer = await self.client.get(self.target, headers=self.headers)
        except EgressError as error:
            raise _failure(error.message, status=error.status, retry_after=error.retry_after) from None
        text = answer.body.strip()
        if not text.isascii() or not _TOKEN.fullmatch(text.decode("ascii")):
            raise _failure("its answer is not an access token as plain text", status=answer.status)
        token = SecretStr(text.decode("ascii"))
        expires = expiry_of(token, now=now)
        if expires <= now:
            raise _failure("the access token in its answer has expired", status=answer.status)
        return TokenSet(
            access_token=token,
            refresh_token=None,
            expires_at=expires,
            token_type="bearer",  # noqa: S106 - a kind, not a token
            scopes=(),
            api_url="" if app.environment is Environment.ZOOM else app.environment.api_url(),
        )


@dataclass(frozen=True, kw_only=True)
class TokenURLs:
    """The addresses that may be requested, and the client for them."""

    hosts: AllowedHosts
    client: EgressClient

    @classmethod
    def allowed_by(cls, settings: OperatorSettings, *, client: EgressClient) -> TokenURLs:
        """Return what the operator's settings allow."""
        return cls(hosts=AllowedHosts(settings.allowed_token_url_hosts, name="allowed token URL hosts"), client=client)

    async def grant(
        self, kube: Kube, *, credential: ZoomCredential, wanted: AccessTokenURLGrant
    ) -> TokenURLExchange | GrantUnserved | Absent:
        """Return the exchange with its headers. Raises `KubeError`."""
        try:
            target = self.hosts.check(wanted.url)
        except AddressNotAllowedError as error:
            return GrantUnserved(message=f"spec.grant.accessTokenURL.url cannot be used: {error.message}.")
        reference = wanted.headers_secret_ref
        headers: Mapping[str, str] = {}
        if reference is not None:
            try:
                headers = _headers(await read_secret(kube, namespace=credential.namespace, name=reference.name))
            except SecretValueError as error:
                return Absent(message=f"The headers for the access token URL cannot be sent: {error}")
        mark = mark_of(SecretStr(str(target.url)))
        return TokenURLExchange(
            target=target, headers=headers, client=self.client, fingerprint=f"{GrantKind.ACCESS_TOKEN_URL}-{mark}"
        )


def expiry_of(token: SecretStr, *, now: datetime) -> datetime:
    """Return a token's expiry: by the unverified payload of a JWT, else `UNKNOWN_LIFE` from now."""
    parts = token.get_secret_value().split(".")
    if len(parts) != 3:
        return now + UNKNOWN_LIFE
    try:
        payload = orjson.loads(base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True))
        seconds = payload.get("exp") if isinstance(payload, dict) else None
    except (binascii.Error, ValueError):
        return now + UNKNOWN_LIFE
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < 2**40:
        return now + UNKNOWN_LIFE
    return min(datetime.fromtimestamp(seconds, tz=UTC), now + _LONGEST_LIFE)


def _headers(secret: Object) -> Mapping[str, str]:
    metadata = secret["metadata"]
    name, labels = metadata["name"], metadata.get("labels") or {}
    if labels.get(names.ALLOW_HEADERS_LABEL) != names.ALLOW_HEADERS:
        raise SecretValueError(
            f'Secret {name} lacks the label {names.ALLOW_HEADERS_LABEL}: "{names.ALLOW_HEADERS}", which allows the '
            "operator to send it."
        )
    headers = {}
    for key in secret.get("data") or {}:
        value = value_of(secret, key=key).get_secret_value()
        if key.lower() in _RESERVED_HEADERS or not _HEADER_NAME.fullmatch(key):
            raise SecretValueError(f"Key {key} of Secret {name} is not a header that the operator sends.")
        if not _HEADER_VALUE.fullmatch(value):
            raise SecretValueError(f"Key {key} of Secret {name} has characters that are not allowed in a header.")
        headers[key] = value
    return headers


def _failure(message: str, *, status: int | None, retry_after: float | None = None) -> TransientError:
    return TransientError(
        Cause.UNAVAILABLE,
        message=f"the access token URL returned no token: {message}",
        http_status=status,
        retry_after=retry_after,
    )
