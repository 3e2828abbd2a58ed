from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from meetingbots.zoom.errors import Cause, PermanentError, TransientError
from meetingbots.zoom.oauth import AppCredentials, Environment, OAuthClient, authorize_url, pkce_challenge
from pydantic import SecretStr

from tests.unit.zoom.conftest import Observed, ScriptedZoom

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
APP = AppCredentials(" client \n", SecretStr("app-secret\n"))
GRANTED = {
    "access_token": "access-1",
    "token_type": "bearer",
    "refresh_token": "refresh-2",
    "expires_in": 3599,
    "scope": "user:read:user meeting:read:list_meetings user:read:user",
    "api_url": "https://api-eu.zoom.us",
}


@pytest.fixture
def oauth(http: httpx.AsyncClient, observed: Observed) -> OAuthClient:
    return OAuthClient(http, oauth_url="https://zoom.us/oauth/", on_call=observed)


def form(request: httpx.Request) -> dict[str, str]:
    return dict(parse_qsl(request.content.decode(), keep_blank_values=True))


def test_credentials_lose_the_blanks_of_copying() -> None:
    assert (APP.client_id, APP.client_secret.get_secret_value()) == ("client", "app-secret")
    assert "app-secret" not in repr(APP)


async def test_refresh(oauth: OAuthClient, zoom: ScriptedZoom, observed: Observed) -> None:
    zoom.says(httpx.Response(200, json=GRANTED))
    tokens = await oauth.refresh(APP, refresh_token=SecretStr("refresh-1\n"), now=NOW)
    (request,) = zoom.asked
    assert (request.method, str(request.url)) == ("POST", "https://zoom.us/oauth/token")
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"client:app-secret").decode()
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["connection"] == "close"
    assert form(request) == {"grant_type": "refresh_token", "refresh_token": "refresh-1"}
    assert tokens.access_token.get_secret_value() == "access-1"
    assert tokens.refresh_token is not None
    assert tokens.refresh_token.get_secret_value() == "refresh-2"
    assert tokens.expires_at == NOW + timedelta(seconds=3599)
    assert tokens.scopes == ("meeting:read:list_meetings", "user:read:user")
    assert tokens.scope == "meeting:read:list_meetings user:read:user"
    assert (tokens.token_type, tokens.api_url) == ("bearer", "https://api-eu.zoom.us")
    assert observed.calls == [("oauth_refresh", "200")]


async def test_a_spent_refresh_token_is_asked_for_once_only(oauth: OAuthClient, zoom: ScriptedZoom) -> None:
    zoom.says(httpx.Response(401, json={"reason": "Invalid Token!", "error": "invalid_grant"}))
    with pytest.raises(PermanentError) as caught:
        await oauth.refresh(APP, refresh_token=SecretStr("r"), now=NOW)
    assert caught.value.kind is Cause.GRANT_INVALID
    assert len(zoom.asked) == 1


@pytest.mark.parametrize("broken", [httpx.Response(503), httpx.ReadTimeout("x"), httpx.Response(200, text="<html>")])
async def test_a_lost_answer_is_an_error_and_not_retried(
    oauth: OAuthClient, zoom: ScriptedZoom, broken: httpx.Response | Exception
) -> None:
    zoom.says(broken)
    with pytest.raises(TransientError) as caught:
        await oauth.refresh(APP, refresh_token=SecretStr("r"), now=NOW)
    assert caught.value.maybe_done
    assert len(zoom.asked) == 1


async def test_redeem_code(oauth: OAuthClient, zoom: ScriptedZoom) -> None:
    zoom.says(httpx.Response(200, json=GRANTED))
    await oauth.redeem_code(
        APP, code=SecretStr(" code\n"), redirect_uri="https://b.example/cb/", code_verifier=SecretStr("v"), now=NOW
    )
    await oauth.redeem_code(
        APP, code=SecretStr("code"), redirect_uri="https://b.example/cb/", code_verifier=None, now=NOW
    )
    expected = {"grant_type": "authorization_code", "code": "code", "redirect_uri": "https://b.example/cb/"}
    assert [form(request) for request in zoom.asked] == [{**expected, "code_verifier": "v"}, expected]


async def test_account_token(oauth: OAuthClient, zoom: ScriptedZoom) -> None:
    zoom.says(httpx.Response(200, json={"access_token": "a", "expires_in": 3600, "scope": ""}))
    tokens = await oauth.account_token(APP, account_id=" acc ", now=NOW)
    assert form(zoom.asked[0]) == {"grant_type": "account_credentials", "account_id": "acc"}
    assert tokens.refresh_token is None
    assert (tokens.scopes, tokens.token_type, tokens.api_url) == ((), "bearer", "")


async def test_check_app(oauth: OAuthClient, zoom: ScriptedZoom) -> None:
    zoom.says(
        httpx.Response(200, json={"access_token": "a"}),
        httpx.Response(401, json={"reason": "Invalid client_id or client_secret", "error": "invalid_client"}),
    )
    await oauth.check_app(APP, now=NOW)
    assert form(zoom.asked[0]) == {"grant_type": "client_credentials"}
    with pytest.raises(PermanentError) as caught:
        await oauth.check_app(APP, now=NOW)
    assert caught.value.kind is Cause.APP_INVALID


async def test_what_is_empty_is_not_sent(oauth: OAuthClient, zoom: ScriptedZoom) -> None:
    empty = SecretStr(" \n")
    with pytest.raises(PermanentError) as refresh:
        await oauth.refresh(APP, refresh_token=empty, now=NOW)
    with pytest.raises(PermanentError) as code:
        await oauth.redeem_code(APP, code=empty, redirect_uri="x", code_verifier=None, now=NOW)
    with pytest.raises(PermanentError) as account:
        await oauth.account_token(APP, account_id=" ", now=NOW)
    with pytest.raises(PermanentError) as app:
        await oauth.check_app(AppCredentials("id", empty), now=NOW)
    kinds = [caught.value.kind for caught in (refresh, code, account, app)]
    assert kinds == [Cause.GRANT_INVALID, Cause.CODE_INVALID, Cause.GRANT_INVALID, Cause.APP_INVALID]
    assert zoom.asked == []


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        ("3600", 3600),
        (3600.7, 3600),
        (None, 3599),
        ("soon", 3599),
        (0, 3599),
        (-1, 3599),
        (10**9, 3599),
        (10**8, 2592000),
    ],
)
async def test_odd_lifetimes(oauth: OAuthClient, zoom: ScriptedZoom, expires_in: object, seconds: int) -> None:
    zoom.says(httpx.Response(200, json={"access_token": "a", "expires_in": expires_in}))
    tokens = await oauth.refresh(APP, refresh_token=SecretStr("r"), now=NOW)
    assert tokens.expires_at - NOW == timedelta(seconds=seconds)


@pytest.mark.parametrize("access", [None, "", 5, "has blank", "line\nend", "ünicode", ["a"]])
async def test_no_token_in_a_good_answer(oauth: OAuthClient, zoom: ScriptedZoom, access: object) -> None:
    zoom.says(httpx.Response(200, json={"access_token": access, "refresh_token": "next"}))
    with pytest.raises(TransientError) as caught:
        await oauth.refresh(APP, refresh_token=SecretStr("r"), now=NOW)
    assert (caught.value.kind, caught.value.maybe_done) == (Cause.UNAVAILABLE, True)


def test_the_challenge_of_rfc_7636() -> None:
    verifier = SecretStr("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert pkce_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_authorize_url() -> None:
    url = authorize_url(
        oauth_url="https://zoom.us/oauth/",
        client_id="id\n",
        redirect_uri="https://b.example/cb?x=1&y=2",
        state="s&t",
        code_challenge="c",
    )
    assert url.startswith("https://zoom.us/oauth/authorize?response_type=code&")
    assert parse_qs(urlsplit(url).query) == {
        "response_type": ["code"],
        "client_id": ["id"],
        "redirect_uri": ["https://b.example/cb?x=1&y=2"],
        "state": ["s&t"],
        "code_challenge": ["c"],
        "code_challenge_method": ["S256"],
    }
    plain = authorize_url(oauth_url="https://zoom.us/oauth", client_id="id", redirect_uri="r", state="s")
    assert "challenge" not in plain


async def test_an_app_of_zoom_for_government_uses_its_addresses(zoom: ScriptedZoom, http: httpx.AsyncClient) -> None:
    zoom.says(httpx.Response(200, json={"access_token": "a"}))
    app = AppCredentials("id", SecretStr("secret"), Environment.GOVERNMENT)
    tokens = await OAuthClient(http).account_token(app, account_id="acme", now=NOW)
    assert (str(zoom.asked[0].url), tokens.api_url) == ("https://zoomgov.com/oauth/token", "https://api.zoomgov.com")
    zoom.says(httpx.Response(200, json={"access_token": "a", "api_url": "https://api-us1.zoomgov.com"}))
    assert (await OAuthClient(http).account_token(app, account_id="acme", now=NOW)).api_url.endswith("us1.zoomgov.com")
    zoom.says(httpx.Response(200, json={"access_token": "a", "api_url": "https://api.zoom.us"}))
    assert (await OAuthClient(http).account_token(app, account_id="acme", now=NOW)).api_url == "https://api.zoomgov.com"
    configured = OAuthClient(http, oauth_url="https://simulator.test/oauth")
    await configured.account_token(app, account_id="acme", now=NOW)
    assert str(zoom.asked[3].url) == "https://simulator.test/oauth/token"


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("", Environment.ZOOM),
        ("zoom.us", Environment.ZOOM),
        (" ZoomGov.com\n", Environment.GOVERNMENT),
        ("https://www.zoomgov.com/", Environment.GOVERNMENT),
        ("https://api.zoomgov.com/v2", Environment.GOVERNMENT),
        ("evilzoomgov.com", None),
        ("zoomgov", None),
    ],
)
def test_names_of_environments(text: str, environment: Environment | None) -> None:
    assert Environment.named(text) is environment
