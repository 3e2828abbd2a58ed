"""Zoom's OAuth: the separate environments with their apps, the page for the consent, and the token endpoint.

A refresh token is invalid as soon as Zoom answers with the next one. So nothing here retries: the caller must know of
every request, and must store the answer first.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

import httpx
from pydantic import SecretStr

from meetingbots.zoom.errors import Cause, PermanentError
from meetingbots.zoom.http import calls
from meetingbots.zoom.http.calls import Call, CallObserver
from meetingbots.zoom.http.error_table import classify
from meetingbots.zoom.http.exchange import Exchange
from meetingbots.zoom.http.responses import ZoomResponse

DEFAULT_OAUTH_URL: Final = "https://zoom.us/oauth"
DEFAULT_API_URL: Final = "https://api.zoom.us/v2"
_DEFAULT_LIFE_SECONDS: Final = 3599
_LONGEST_LIFE_SECONDS: Final = 30 * 86_400
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")


class Environment(enum.StrEnum):
    """Where an app is registered; the values of key ``environment`` in an app's Secret."""

    ZOOM = "zoom.us"
    GOVERNMENT = "zoomgov.com"

    @classmethod
    def named(cls, text: str) -> Environment | None:
        """Return the environment with that name, in any case and with a scheme, subdomain or path; else None."""
        name = text.strip().lower().removeprefix("https://").partition("/")[0]
        if not name:
            return cls.ZOOM
        return next((one for one in cls if name == one or name.endswith(f".{one}")), None)

    def oauth_url(self, *, configured: str = DEFAULT_OAUTH_URL) -> str:
        """Return the base of the OAuth endpoints. A configured address other than the default serves all apps."""
        configured = configured.rstrip("/")
        return f"https://{self}/oauth" if configured == DEFAULT_OAUTH_URL else configured

    def api_url(self) -> str:
        """Return the REST API's host, as Zoom's ``api_url`` names it."""
        return f"https://api.{self}"


def pkce_challenge(verifier: SecretStr) -> str:
    """Return the S256 challenge of a verifier; the challenge is public (RFC 7636, 4.2)."""
    digest = hashlib.sha256(verifier.get_secret_value().encode("utf-8")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def authorize_url(*, oauth_url: str, client_id: str, redirect_uri: str, state: str, code_challenge: str = "") -> str:
    """Return the address of the consent page (Zoom, OAuth, Get user authorization).

    Args:
        oauth_url: base, as in ``https://zoom.us/oauth``.
        client_id: of the app.
        redirect_uri: exactly as configured in the app; Zoom compares every character.
        state: Zoom returns it with the code; bind it to the browser.
        code_challenge: from :func:`pkce_challenge`; empty: no PKCE.

    """
    query = {
        "response_type": "code",
        "client_id": client_id.strip(),
        "redirect_uri": redirect_uri,
        "state": state,
    }
    if code_challenge:
        query |= {"code_challenge": code_challenge, "code_challenge_method": "S256"}
    return f"{oauth_url.rstrip('/')}/authorize?{urlencode(query)}"


@dataclass(frozen=True, slots=True)
class AppCredentials:
    """Client ID and secret of a Zoom app, without surrounding white space."""

    client_id: str
    client_secret: SecretStr = field(repr=False)
    environment: Environment = Environment.ZOOM

    def __post_init__(self) -> None:
        object.__setattr__(self, "client_id", self.client_id.strip())
        object.__setattr__(self, "client_secret", _stripped(self.client_secret))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSet:
    """The answer of the token endpoint."""

    access_token: SecretStr = field(repr=False)
    refresh_token: SecretStr | None = field(repr=False)
    """None for server-to-server tokens, and when a refresh returned none: the old one stays valid (RFC 6749, 6)."""
    expires_at: datetime
    """UTC, counted from before the request, so never too late."""
    token_type: str
    scopes: tuple[str, ...]
    """Sorted, unique."""
    api_url: str
    """From Zoom's answer (``https://api.zoom.us``) or ``""``; see :func:`meetingbots.zoom.api.followed_api_url`."""

    @property
    def scope(self) -> str:
        """The scopes, separated by blanks."""
        return " ".join(self.scopes)


class OAuthClient:
    """Zoom's OAuth endpoints.

    Every method raises :class:`meetingbots.zoom.errors.ZoomError`. ``now`` is the time before the request, UTC.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        oauth_url: str = DEFAULT_OAUTH_URL,
        deadline: float = 20.0,
        on_call: CallObserver | None = None,
    ) -> None:
        """Use the endpoints below ``oauth_url``; ``deadline`` limits one whole request, in seconds."""
        self._http = http
        self._oauth_url = oauth_url.rstrip("/")
        self._exchange = Exchange(http, deadline=deadline, on_call=on_call)

    async def refresh(self, app: AppCredentials, *, refresh_token: SecretStr, now: datetime) -> TokenSet:
        """Exchange a refresh token for new tokens.

        After an error with ``maybe_done`` the refresh token may be used up although its answer was lost.
        """
        token = _stripped(refresh_token)
        if not token.get_secret_value():
            raise PermanentError(Cause.GRANT_INVALID, message="the refresh token is empty")
        form = {"grant_type": "refresh_token", "refresh_token": token.get_secret_value()}
        return await self._tokens(calls.REFRESH, app=app, form=form, now=now)

    async def redeem_code(
        self,
        app: AppCredentials,
        *,
        code: SecretStr,
        redirect_uri: str,
        code_verifier: SecretStr | None,
        now: datetime,
    ) -> TokenSet:
        """Spend an authorization code (single use, five minutes) for the first tokens of a consent."""
        stripped = _stripped(code)
        if not stripped.get_secret_value():
            raise PermanentError(Cause.CODE_INVALID, message="the authorization code is empty")
        form = {
            "grant_type": "authorization_code",
            "code": stripped.get_secret_value(),
            "redirect_uri": redirect_uri.strip(),
        }
        if code_verifier is not None:
            form["code_verifier"] = _stripped(code_verifier).get_secret_value()
        return await self._tokens(calls.REDEEM_CODE, app=app, form=form, now=now)

    async def account_token(self, app: AppCredentials, *, account_id: str, now: datetime) -> TokenSet:
        """Return an account's token for a server-to-server app. Earlier tokens stay valid."""
        if not account_id.strip():
            raise PermanentError(Cause.GRANT_INVALID, message="the account ID is empty")
        form = {"grant_type": "account_credentials", "account_id": account_id.strip()}
        return await self._tokens(calls.ACCOUNT_TOKEN, app=app, form=form, now=now)

    async def check_app(self, app: AppCredentials, *, now: datetime) -> None:
        """Check client ID and secret at Zoom. Raises ``APP_INVALID`` when Zoom rejects them."""
        await self._tokens(calls.CHECK_APP, app=app, form={"grant_type": "client_credentials"}, now=now)

    async def _tokens(self, call: Call, *, app: AppCredentials, form: Mapping[str, str], now: datetime) -> TokenSet:
        fields, answer = await self._post(call, app=app, form=form)
        access = _token(fields, "access_token")
        if access is None:
            raise classify(answer, call=call)
        return TokenSet(
            access_token=access,
            refresh_token=_token(fields, "refresh_token"),
            expires_at=now + timedelta(seconds=_life_seconds(fields.get("expires_in"))),
            token_type=_text(fields, "token_type") or "bearer",
            scopes=tuple(sorted(set(_text(fields, "scope").replace(",", " ").split()))),
            api_url=_api_url(app, answered=_text(fields, "api_url")),
        )

    async def _post(
        self, call: Call, *, app: AppCredentials, form: Mapping[str, str]
    ) -> tuple[Mapping[str, object], ZoomResponse]:
        if not app.client_id or not app.client_secret.get_secret_value():
            raise PermanentError(Cause.APP_INVALID, message="the client ID or the client secret is empty")
        # A new connection each time: when Zoom has closed a reused one, it is unclear whether the token was used up.
        request = self._http.build_request(
            "POST",
            f"{app.environment.oauth_url(configured=self._oauth_url)}/token",
            data=dict(form),
            headers={"connection": "close"},
        )
        auth = httpx.BasicAuth(app.client_id, app.client_secret.get_secret_value())
        return await self._exchange.ask(request, call=call, auth=auth)


def _api_url(app: AppCredentials, *, answered: str) -> str:
    """Return the ``api_url`` to store; that of a Zoom for Government app is always within zoomgov.com."""
    if app.environment is Environment.ZOOM or Environment.named(answered) is app.environment:
        return answered
    return app.environment.api_url()


def _stripped(secret: SecretStr) -> SecretStr:
    return SecretStr(secret.get_secret_value().strip())


def _text(fields: Mapping[str, object], key: str) -> str:
    value = fields.get(key)
    return value.strip() if isinstance(value, str) else ""


def _token(fields: Mapping[str, object], key: str) -> SecretStr | None:
    value = _text(fields, key)
    return SecretStr(value) if _TOKEN.fullmatch(value) else None


def _life_seconds(value: object) -> int:
    text = str(value).partition(".")[0]
    seconds = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    return min(seconds, _LONGEST_LIFE_SECONDS) if seconds > 0 else _DEFAULT_LIFE_SECONDS
