"""The connect routes: a person opens a link, consents at Zoom, comes back with a code, and sees the outcome.

`GET /connect/{namespace}/{credential}?t=` explains and leads to Zoom. `GET /oauth/callback` accepts Zoom's answer in
the same browser and hands it to the operator. `GET /connect/{namespace}/{credential}/outcome` shows the outcome.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from traceback import format_tb
from typing import Final

from aiohttp import web

from meetingbots.credentials.manifests.connect import ConsentSecret, consent_name
from meetingbots.kube.errors import KubeError
from meetingbots.models.credential import ZoomCredential
from meetingbots.receiver.connect import messages, outcomes
from meetingbots.receiver.connect.consent_writer import ConsentResult, ConsentWriter, is_received
from meetingbots.receiver.connect.directory import ConnectDirectory
from meetingbots.receiver.connect.messages import Message, Severity
from meetingbots.receiver.connect.pages import (
    HEADERS,
    ConsentPage,
    MessagePage,
    PageLink,
    Pages,
    expected_user,
    return_link,
)
from meetingbots.receiver.connect.state import new_state, outcome_ticket
from meetingbots.receiver.connect.visitor import (
    BrowserCookie,
    ShowMessage,
    VisitorCheck,
    authorization_code,
    query_value,
    waiting_for_consent,
)
from meetingbots.zoom.oauth import authorize_url, pkce_challenge

_log = logging.getLogger(__name__)
_DECLINED: Final = "access_denied"
"""OAuth's error code for a user who declines (RFC 6749, 4.1.2.1)."""
_CONSENT_ROOT: Final = "../../"
_CALLBACK_ROOT: Final = "../"
_OUTCOME_ROOT: Final = "../../../"
Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, kw_only=True)
class ConnectSettings:
    """Addresses: ours as browsers see it, Zoom's OAuth base URL, and the hosts that a page may lead back to."""

    public_url: str
    oauth_url: str
    return_hosts: Collection[str] = ()


class ConnectRoutes:
    """The pages. `ready` says whether the caches are filled; `clock` returns the time in UTC."""

    def __init__(
        self,
        *,
        settings: ConnectSettings,
        directory: ConnectDirectory,
        consents: ConsentWriter,
        ready: Callable[[], bool],
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._consents = consents
        self._ready = ready
        self._clock = clock
        self._pages = Pages(public_url=settings.public_url)
        self._redirect_uri = f"{settings.public_url}/oauth/callback"
        self._cookie = BrowserCookie(secure=settings.public_url.startswith("https://"))
        self._visitor = VisitorCheck(directory=directory, cookie=self._cookie, clock=clock)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the application."""
        page = "/connect/{namespace}/{credential}"
        return [
            # Comes first, under a name that no namespace can have.
            web.get("/connect/_/{name}", self._asset),
            web.get(page, self._guarded(self._consent_page, root=_CONSENT_ROOT)),
            web.get("/oauth/callback", self._guarded(self._callback, root=_CALLBACK_ROOT)),
            web.get(f"{page}/outcome", self._guarded(self._outcome_page, root=_OUTCOME_ROOT)),
            web.get(f"{page}/outcome.json", self._guarded(self._outcome_json, root=_OUTCOME_ROOT)),
        ]

    def _guarded(self, handler: Handler, *, root: str) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            if not self._ready():
                return self._show(messages.LATER, root=root)
            try:
                return await handler(request)
            except ShowMessage as shown:
                return self._show(shown.message, root=root, credential=shown.credential)
            except KubeError as error:
                _log.warning("%s: %s", request.rel_url.raw_path, error)
                return self._show(messages.LATER, root=root)
            except Exception as error:
                # The place only: the error's text could quote the query.
                trace = "".join(format_tb(error.__traceback__))
                _log.error("%s: defect %s\n%s", request.rel_url.raw_path, type(error).__name__, trace)
                return self._show(messages.LATER, root=root)

        return answer

    async def _consent_page(self, request: web.Request) -> web.Response:
        link = await self._visitor.link(request)
        credential = await self._visitor.credential(link)
        app = self._directory.app(credential)
        if app is None and await self._directory.read_projection():
            app = self._directory.app(credential)
        key = self._directory.keyring.newest
        if app is None or not app.client_id or not self._settings.public_url or key is None:
            raise ShowMessage(messages.NOT_SET_UP, credential=credential)
        browser = self._cookie.read_or_draw(request)
        state = new_state(link, browser=browser, key=key, now=self._clock())
        zoom_url = authorize_url(
            oauth_url=app.environment.oauth_url(configured=self._settings.oauth_url),
            client_id=app.client_id,
            redirect_uri=self._redirect_uri,
            state=state.text,
            code_challenge=pkce_challenge(state.verifier),
        )
        page = ConsentPage(credential=credential, zoom_url=zoom_url, expires=link.expires, root=_CONSENT_ROOT)
        response = self._pages.consent(page)
        self._cookie.set(response, browser)
        return response

    async def _callback(self, request: web.Request) -> web.Response:
        state, browser = await self._visitor.state(request)
        link, now, consent = state.link, self._clock(), consent_name(state.text)
        known = await self._directory.fresh(link.namespace, link.name)
        if known is not None and known.metadata.uid == link.uid and is_received(known.status, consent):
            return self._already_used(known, consent, browser=browser)
        credential = waiting_for_consent(known, link)
        if query_value(request, "error") == _DECLINED:
            await self._consents.write_declined(credential, now=now)
            raise ShowMessage(messages.REFUSED, credential=credential)
        content = ConsentSecret(
            code=authorization_code(request, state, credential=credential, now=now),
            code_verifier=state.verifier,
            redirect_uri=self._redirect_uri,
            epoch=link.epoch,
        )
        match await self._consents.write(consent, content, credential=credential, now=now):
            case ConsentResult.STORED:
                # A redirect keeps the address with the code out of the browser's history.
                location = self._outcome_address(credential, consent, browser=browser)
                return web.Response(status=303, headers={**HEADERS, "Location": location})
            case ConsentResult.ALREADY_USED:
                return self._already_used(credential, consent, browser=browser)
            case ConsentResult.BUSY:
                raise ShowMessage(messages.BUSY, credential=credential)
            case ConsentResult.LINK_ENDED:
                raise ShowMessage(messages.USED)

    def _already_used(self, credential: ZoomCredential, consent: str, *, browser: str) -> web.Response:
        address = self._outcome_address(credential, consent, browser=browser)
        return self._pages.message(
            MessagePage(
                message=messages.USED_TWICE,
                root=_CALLBACK_ROOT,
                links=(PageLink(href=address, label="See what became of it"),),
                reference=_reference(credential),
            )
        )

    def _outcome_address(self, credential: ZoomCredential, consent: str, *, browser: str) -> str:
        """Relative to the callback's address."""
        reference = _reference(credential)
        ticket = outcome_ticket(consent, credential=reference, browser=browser, keyring=self._directory.keyring)
        return f"{_CALLBACK_ROOT}connect/{reference}/outcome?c={ticket}"

    async def _outcome_page(self, request: web.Request) -> web.Response:
        credential, consent = self._visitor.consent(request)
        message = outcomes.outcome_message(credential, consent)
        finished = message.severity is not Severity.PENDING or outcomes.is_handled(credential.status, consent)
        notes: tuple[str, ...] = ()
        if message.outcome.startswith("connected") and credential.status.email:
            notes = (f"Connected: {credential.status.email}",)
        elif message.outcome == "other-user":
            notes = tuple(filter(None, [expected_user(credential)]))
        if finished:
            return self._show(message, root=_OUTCOME_ROOT, credential=credential, notes=notes)
        page = MessagePage(
            message=message,
            root=_OUTCOME_ROOT,
            notes=notes,
            reference=_reference(credential),
            poll=f"outcome.json?c={query_value(request, 'c')}",
        )
        return self._pages.message(page)

    async def _outcome_json(self, request: web.Request) -> web.Response:
        credential, consent = self._visitor.consent(request)
        outcome = outcomes.outcome_message(credential, consent).outcome
        return web.json_response({"outcome": outcome}, headers=HEADERS)

    async def _asset(self, request: web.Request) -> web.Response:
        return self._pages.asset(request.match_info["name"])

    def _show(
        self,
        message: Message,
        *,
        root: str,
        credential: ZoomCredential | None = None,
        notes: tuple[str, ...] = (),
    ) -> web.Response:
        links: tuple[PageLink, ...] = ()
        if credential is not None:
            if message.retry and credential.status.connect_url:
                links = (PageLink(href=credential.status.connect_url, label="Try again", button=True),)
            links += return_link(credential, hosts=self._settings.return_hosts)
        page = MessagePage(
            message=message,
            root=root,
            links=links,
            notes=notes,
            reference=_reference(credential) if credential is not None else "",
            reload=message is messages.LATER,
        )
        return self._pages.message(page)


def _reference(credential: ZoomCredential) -> str:
    return f"{credential.namespace}/{credential.name}"
