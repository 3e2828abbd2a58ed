"""Zoom's token endpoint: how a consent becomes an access token, and a spent one the next (Zoom, OAuth).

A refresh token dies the moment Zoom answers with the next one. So nothing here tries again by itself: a caller must
know of every single request, and must store what it got before anything else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import httpx
from pydantic import SecretStr

from meetingbots.zoom.authorize import authorize_url, new_code_verifier, pkce_challenge
from meetingbots.zoom.errors import Cause, PermanentError
from meetingbots.zoom.http import calls
from meetingbots.zoom.http.calls import Call, CallObserver
from meetingbots.zoom.http.classify import classify
from meetingbots.zoom.http.exchange import Exchange
from meetingbots.zoom.http.responses import ZoomResponse

__all__ = ["AppCredentials", "OAuthClient", "TokenSet", "authorize_url", "new_code_verifier", "pkce_challenge"]

DEFAULT_OAUTH_URL: Final = "https://zoom.us/oauth"
_DEFAULT_LIFE_SECONDS: Final = 3599
_LONGEST_LIFE_SECONDS: Final = 30 * 86_400
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")


@dataclass(frozen=True, slots=True)
class AppCredentials:
    """Client ID and secret of a Zoom app, without the blanks and line ends that copying leaves around them."""

    client_id: str
    client_secret: SecretStr = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "client_id", self.client_id.strip())
        object.__setattr__(self, "client_secret", _stripped(self.client_secret))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSet:
    """What the token endpoint gave."""

    access_token: SecretStr = field(repr=False)
    refresh_token: SecretStr | None = field(repr=False)
    """None for server-to-server tokens; also when a refresh gave no new one: the old one stays (RFC 6749, 6)."""
    expires_at: datetime
    """UTC; counted from before the request, so never too late."""
    token_type: str
    scopes: tuple[str, ...]
    """Sorted, without doubles."""
    api_url: str
    """As Zoom said it (``https://api.zoom.us``), ``""`` without; see :func:`meetingbots.zoom.api.followed_api_url`."""

    @property
    def scope(self) -> str:
        """The scopes as one text, separated by blanks."""
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
        """Prepare for asking the endpoints below ``oauth_url``; ``deadline`` is for one whole request, in seconds."""
        self._http = http
        self._oauth_url = oauth_url.rstrip("/")
        self._exchange = Exchange(http, deadline=deadline, on_call=on_call)

    async def refresh(self, app: AppCredentials, *, refresh_token: SecretStr, now: datetime) -> TokenSet:
        """Spend a refresh token for the next tokens.

        An error with ``maybe_done`` means that the refresh token may be spent although the answer was lost.
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
        """Ask for an account's token as a server-to-server app. Earlier tokens stay alive."""
        if not account_id.strip():
            raise PermanentError(Cause.GRANT_INVALID, message="the account ID is empty")
        form = {"grant_type": "account_credentials", "account_id": account_id.strip()}
        return await self._tokens(calls.ACCOUNT_TOKEN, app=app, form=form, now=now)

    async def check_app(self, app: AppCredentials, *, now: datetime) -> None:
        """Try out client ID and secret; returns when Zoom takes them, raises ``APP_INVALID`` when it does not."""
        await self._tokens(calls.CHECK_APP, app=app, form={"grant_type": "client_credentials"}, now=now)

    async def revoke(self, app: AppCredentials, *, token: SecretStr) -> None:
        """Take a consent back: its access and refresh tokens are dead afterwards."""
        form = {"token": _stripped(token).get_secret_value()}
        fields, answer = await self._post("revoke", call=calls.REVOKE, app=app, form=form)
        if fields.get("status") != "success":
            raise classify(answer, call=calls.REVOKE)

    async def _tokens(self, call: Call, *, app: AppCredentials, form: Mapping[str, str], now: datetime) -> TokenSet:
        fields, answer = await self._post("token", call=call, app=app, form=form)
        access = _token(fields, "access_token")
        if access is None:
            raise classify(answer, call=call)
        return TokenSet(
            access_token=access,
            refresh_token=_token(fields, "refresh_token"),
            expires_at=now + timedelta(seconds=_life_seconds(fields.get("expires_in"))),
            token_type=_text(fields, "token_type") or "bearer",
            scopes=tuple(sorted(set(_text(fields, "scope").replace(",", " ").split()))),
            api_url=_text(fields, "api_url"),
        )

    async def _post(
        self, path: str, *, call: Call, app: AppCredentials, form: Mapping[str, str]
    ) -> tuple[Mapping[str, object], ZoomResponse]:
        if not app.client_id or not app.client_secret.get_secret_value():
            raise PermanentError(Cause.APP_INVALID, message="the client ID or the client secret is empty")
        # A fresh connection each time: one that Zoom closed while idle would leave it unclear whether a token is spent.
        request = self._http.build_request(
            "POST", f"{self._oauth_url}/{path}", data=dict(form), headers={"connection": "close"}
        )
        auth = httpx.BasicAuth(app.client_id, app.client_secret.get_secret_value())
        return await self._exchange.ask(request, call=call, auth=auth)


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
