"""Zoom's OAuth server: the consent page, the token endpoint with its four grants, and revocation."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from aiohttp import web

from . import pages
from .errors import NoSuchObject, OAuthError
from .grants import Issued
from .sim import ZoomSim
from .traffic import basic_auth, notes_of
from .world import App, User
from .zoom_json import answer

Form = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """An authorization request without its user's decision."""

    app: App
    redirect_uri: str
    state: str | None = field(repr=False)
    challenge: str | None = field(repr=False)


class OAuth:
    """The handlers under /oauth."""

    def __init__(self, sim: ZoomSim) -> None:
        self._sim = sim
        self._asked: dict[str, _Asked] = {}

    def routes(self) -> list[web.RouteDef]:
        """Get the routes; their names are the calls' names in records and faults."""
        return [
            web.get("/oauth/authorize", self._authorize, name="oauth.authorize"),
            web.post("/oauth/authorize/{asked}", self._decide, name="oauth.decide"),
            web.post("/oauth/token", self._token, name="oauth.token"),
            web.post("/oauth/revoke", self._revoke, name="oauth.revoke"),
        ]

    async def _authorize(self, request: web.Request) -> web.Response:
        query = request.query
        app = self._sim.world.apps.get(query.get("client_id", ""))
        if app is None:
            return pages.refusal("Invalid client_id", 4700)
        if app.disabled:
            return pages.refusal("This app has been disabled", 4717)
        if query.get("response_type") != "code":
            return pages.refusal("Missing or invalid parameter: response_type", 4706)
        if query.get("redirect_uri") not in app.redirect_uris:
            return pages.refusal("Invalid redirect", 4709)
        challenge = query.get("code_challenge")
        if challenge is not None and query.get("code_challenge_method") != "S256":
            return pages.refusal("Invalid code_challenge_method", 4706)
        key = secrets.token_urlsafe(24)
        asked = _Asked(app=app, redirect_uri=query["redirect_uri"], state=query.get("state"), challenge=challenge)
        self._asked[key] = asked
        users = [user for user in self._sim.world.users.values() if user.status == "active"]
        return pages.consent(app=app, users=users, action=f"{request.path}/{key}")

    async def _decide(self, request: web.Request) -> web.Response:
        asked = self._asked.pop(request.match_info["asked"], None)
        if asked is None:
            return pages.refusal("This page has been used or is too old", 4700)
        form = await request.post()
        if form.get("decision") != "accept":
            return _back(asked, {"error": "access_denied"})
        try:
            user = self._sim.world.user(str(form.get("user", "")))
        except NoSuchObject:
            return pages.refusal("Sign in first", 1001)
        refused = _may_not_install(app=asked.app, user=user)
        if refused is not None:
            return refused
        code = self._sim.consents.authorize(
            app=asked.app, user=user, redirect_uri=asked.redirect_uri, challenge=asked.challenge
        )
        return _back(asked, {"code": code})

    async def _token(self, request: web.Request) -> web.Response:
        def work(app: App, form: Form) -> dict[str, Any]:
            grants: dict[str, Callable[[App, Form], Issued]] = {
                "authorization_code": self._authorization_code,
                "refresh_token": self._refresh,
                "account_credentials": self._account_credentials,
                "client_credentials": lambda app, _: self._sim.consents.client_only(app=app),
            }
            grant = grants.get(_needed(form, "grant_type"))
            if grant is None:
                raise OAuthError(error="unsupported_grant_type", reason="unsupported grant type (4705)")
            return _issued(grant(app, form))

        return await self._answer(request, work)

    def _authorization_code(self, app: App, form: Form) -> Issued:
        code, redirect_uri = _needed(form, "code"), _needed(form, "redirect_uri")
        verifier = form.get("code_verifier")
        return self._sim.consents.redeem(app=app, code=code, redirect_uri=redirect_uri, verifier=verifier)

    def _refresh(self, app: App, form: Form) -> Issued:
        return self._sim.consents.refresh(app=app, refresh_token=_needed(form, "refresh_token"))

    def _account_credentials(self, app: App, form: Form) -> Issued:
        return self._sim.consents.server_to_server(app=app, account_id=_needed(form, "account_id"))

    async def _revoke(self, request: web.Request) -> web.Response:
        def work(app: App, form: Form) -> dict[str, Any]:
            self._sim.consents.revoke_token(app=app, token=_needed(form, "token"))
            return {"status": "success"}

        return await self._answer(request, work)

    async def _answer(self, request: web.Request, work: Callable[[App, Form], dict[str, Any]]) -> web.Response:
        try:
            app = self._client(request)
            return answer(work(app, await _form(request)))
        except OAuthError as error:
            notes_of(request).code = error.error
            return answer({"reason": error.reason, "error": error.error}, status=error.status)

    def _client(self, request: web.Request) -> App:
        basic = basic_auth(request)
        if basic is None:
            raise OAuthError(status=401, error="invalid_client", reason="Invalid client_id or client_secret (4702)")
        client_id, secret = basic
        app = self._sim.world.apps.get(client_id)
        if app is None or not secrets.compare_digest(app.client_secret.encode(), secret.encode()):
            raise OAuthError(error="invalid_client", reason="Invalid client_id or client_secret (4704)")
        if app.disabled:
            raise OAuthError(error="invalid_client", reason="The app has been disabled. (4717)")
        return app


async def _form(request: web.Request) -> Form:
    if request.content_type != "application/x-www-form-urlencoded":
        raise OAuthError(error="invalid_request", reason="The body must be form-encoded.")
    return {key: value for key, value in (await request.post()).items() if isinstance(value, str)}


def _needed(form: Form, key: str) -> str:
    value = form.get(key, "")
    if not value:
        raise OAuthError(error="invalid_request", reason=f"Missing parameter: {key} (4706)")
    return value


def _issued(issued: Issued) -> dict[str, Any]:
    content: dict[str, Any] = {
        "access_token": issued.access.value,
        "token_type": "bearer",
        "expires_in": issued.expires_in,
        "scope": " ".join(sorted(issued.access.scopes)),
        "api_url": "https://api.zoom.us",
    }
    if issued.refresh_token is not None:
        content["refresh_token"] = issued.refresh_token
    return content


def _may_not_install(*, app: App, user: User) -> web.Response | None:
    if user.account_id in app.disabled_by_accounts:
        return pages.refusal("Your account's admin has disabled this app", 4738)
    if not app.published and user.account_id != app.owner_account_id:
        return pages.refusal("This app is in development and open to its own account only", 4700)
    return None


def _back(asked: _Asked, answer: dict[str, str]) -> web.Response:
    parts = urlsplit(asked.redirect_uri)
    query = urlencode(answer | ({} if asked.state is None else {"state": asked.state}))
    target = urlunsplit(parts._replace(query=f"{parts.query}&{query}" if parts.query else query))
    return web.Response(status=302, headers={"Location": target, "Referrer-Policy": "no-referrer"})
