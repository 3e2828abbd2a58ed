"""Checks what a visitor of the connect pages brings: link, state, ticket, code and cookie."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from aiohttp import web
from pydantic import SecretStr

from meetingbots.credentials.manifests.connect import Link, link_in, read_token
from meetingbots.models.credential import ZoomCredential
from meetingbots.receiver.connect import messages
from meetingbots.receiver.connect.directory import ConnectDirectory
from meetingbots.receiver.connect.messages import Message
from meetingbots.receiver.connect.state import State, StateFault, known_browser, new_browser, read_state, read_ticket

_COOKIE: Final = "meetingbots-connect"
_COOKIE_SECONDS: Final = 3600
_CODE: Final = re.compile(r"[\x21-\x7e]{1,2048}")


class ShowMessage(Exception):  # noqa: N818 - an answer, not an error
    """Ends the request with a message."""

    def __init__(self, message: Message, *, credential: ZoomCredential | None = None) -> None:
        super().__init__(message.outcome)
        self.message = message
        self.credential = credential


class BrowserCookie:
    """The cookie with the browser's secret. `secure`: the service is reached over https."""

    def __init__(self, *, secure: bool) -> None:
        self._secure = secure
        # Browsers accept a cookie with this prefix only from this host and only over https (RFC 6265bis).
        self._name = f"__Host-{_COOKIE}" if secure else _COOKIE

    def read(self, request: web.Request) -> str | None:
        """Return the browser's secret, None if the cookie is missing or malformed."""
        return known_browser(request.cookies.get(self._name))

    def read_or_draw(self, request: web.Request) -> str:
        """Return the browser's secret, or a new one."""
        return self.read(request) or new_browser()

    def set(self, response: web.Response, browser: str) -> None:
        """Store the browser's secret in the browser."""
        response.set_cookie(
            self._name,
            browser,
            max_age=_COOKIE_SECONDS,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="Lax",
        )


class VisitorCheck:
    """Each method returns what was verified, or raises `ShowMessage`. `clock` returns the time in UTC."""

    def __init__(self, *, directory: ConnectDirectory, cookie: BrowserCookie, clock: Callable[[], datetime]) -> None:
        self._directory = directory
        self._cookie = cookie
        self._clock = clock

    async def link(self, request: web.Request) -> Link:
        """Verify the link in the address. Raises `KubeError`."""
        namespace, name = request.match_info["namespace"], request.match_info["credential"]
        token = query_value(request, "t")
        link = read_token(token, namespace=namespace, name=name, keyring=self._directory.keyring)
        if link is None and await self._directory.read_projection():
            link = read_token(token, namespace=namespace, name=name, keyring=self._directory.keyring)
        if link is None:
            raise ShowMessage(messages.INVALID)
        if link.expires <= self._clock():
            raise ShowMessage(messages.EXPIRED)
        return link

    async def credential(self, link: Link) -> ZoomCredential:
        """Return the credential of a verified link that has not ended. Raises `KubeError`."""
        known = self._directory.find(link.namespace, link.name)
        if known is None or not _is_current(link, known):
            known = await self._directory.fresh(link.namespace, link.name)
        return waiting_for_consent(known, link)

    async def state(self, request: web.Request) -> tuple[State, str]:
        """Verify the state that Zoom sent back; return it with the browser it is for. Raises `KubeError`."""
        browser = self._cookie.read(request)
        text = query_value(request, "state")
        state = read_state(text, browser=browser, keyring=self._directory.keyring)
        if state is StateFault.FORGED and await self._directory.read_projection():
            state = read_state(text, browser=browser, keyring=self._directory.keyring)
        if state is StateFault.OTHER_BROWSER:
            raise ShowMessage(messages.OTHER_BROWSER)
        if not isinstance(state, State) or browser is None:
            raise ShowMessage(messages.NOT_OURS)
        return state, browser

    def consent(self, request: web.Request) -> tuple[ZoomCredential, str]:
        """Return the consent that this browser may ask about, and its credential."""
        namespace, name = request.match_info["namespace"], request.match_info["credential"]
        consent = read_ticket(
            query_value(request, "c"),
            credential=f"{namespace}/{name}",
            browser=self._cookie.read(request),
            keyring=self._directory.keyring,
        )
        if consent is None:
            raise ShowMessage(messages.NOT_OURS)
        credential = self._directory.find(namespace, name)
        if credential is None:
            raise ShowMessage(messages.GONE)
        return credential, consent


def authorization_code(request: web.Request, state: State, *, credential: ZoomCredential, now: datetime) -> SecretStr:
    """Return the code that Zoom sent, unless Zoom refused or the person came back too late."""
    if query_value(request, "error"):
        raise ShowMessage(messages.ZOOM_SAYS_NO, credential=credential)
    if state.expires <= now:
        raise ShowMessage(messages.TOO_SLOW, credential=credential)
    code = query_value(request, "code")
    if not _CODE.fullmatch(code):
        raise ShowMessage(messages.NOT_OURS, credential=credential)
    return SecretStr(code)


def query_value(request: web.Request, key: str) -> str:
    """Return a value of the query; empty when it is missing or ambiguous because it occurs twice."""
    values = request.query.getall(key, [])
    return values[0] if len(values) == 1 else ""


def _is_current(link: Link, credential: ZoomCredential) -> bool:
    shown = link_in(credential.status.connect_url, namespace=credential.namespace, name=credential.name)
    return credential.metadata.uid == link.uid and shown is not None and shown.epoch == link.epoch


def waiting_for_consent(credential: ZoomCredential | None, link: Link) -> ZoomCredential:
    """Check that the credential still waits for the consent that the link asks for."""
    if credential is None or credential.metadata.uid != link.uid:
        raise ShowMessage(messages.GONE)
    if credential.spec.suspend:
        raise ShowMessage(messages.PAUSED, credential=credential)
    if not _is_current(link, credential):
        raise ShowMessage(messages.USED)
    return credential
