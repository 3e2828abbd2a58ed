"""The connect routes: a person comes by a link, goes to Zoom, comes back with a code, and is told how it ended.

`GET /connect/{namespace}/{credential}?t=` explains and leads to Zoom; `GET /oauth/callback` takes Zoom's answer, in the
same browser, and hands it over; `GET /connect/{namespace}/{credential}/outcome` tells what became of it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from traceback import format_tb
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import SecretStr

from meetingbots.credentials.manifests.connect_link import Link, link_in, read_token
from meetingbots.credentials.manifests.consent_secret import ConsentSecret, consent_name
from meetingbots.kube.errors import KubeError
from meetingbots.models.credential import ZoomCredential
from meetingbots.receiver.connect import text as words
from meetingbots.receiver.connect.directory import ConnectDirectory
from meetingbots.receiver.connect.handover import ConsentWriter, Handover
from meetingbots.receiver.connect.pages import HEADERS, Pages, Way, expected_words
from meetingbots.receiver.connect.state import (
    Doubt,
    State,
    known_browser,
    new_browser,
    new_state,
    outcome_ticket,
    read_state,
    read_ticket,
)
from meetingbots.zoom.authorize import authorize_url, pkce_challenge

_log = logging.getLogger(__name__)
_COOKIE: Final = "meetingbots-connect"
_COOKIE_SECONDS: Final = 3600
_CODE: Final = re.compile(r"[\x21-\x7e]{1,2048}")
_INVITE_ROOT: Final = "../../"
_CALLBACK_ROOT: Final = "../"
_OUTCOME_ROOT: Final = "../../../"
Handler = Callable[[web.Request], Awaitable[web.Response]]


class _Answer(Exception):  # noqa: N818 - an answer, not an error
    """Ends the work with something to say."""

    def __init__(self, say: words.Words, *, credential: ZoomCredential | None = None) -> None:
        super().__init__(say.outcome)
        self.say = say
        self.credential = credential


class Connect:
    """The pages. `ready` tells whether the caches are filled, `clock` the time (UTC)."""

    def __init__(
        self,
        *,
        directory: ConnectDirectory,
        consents: ConsentWriter,
        public_url: str,
        oauth_url: str,
        return_hosts: Collection[str],
        ready: Callable[[], bool],
        clock: Callable[[], datetime],
    ) -> None:
        self._directory = directory
        self._consents = consents
        self._public_url = public_url
        self._oauth_url = oauth_url
        self._return_hosts = frozenset(return_hosts)
        self._ready = ready
        self._clock = clock
        self._pages = Pages(public_url=public_url)
        self._secure = public_url.startswith("https://")
        # With this prefix a browser takes the cookie from this very host only, over https only (RFC 6265bis).
        self._cookie = f"__Host-{_COOKIE}" if self._secure else _COOKIE

    def routes(self) -> list[web.RouteDef]:
        """What to add to the application."""
        page = "/connect/{namespace}/{credential}"
        return [
            # Before the others, and under a name that no namespace can have.
            web.get("/connect/_/{name}", self._asset),
            web.get(page, self._guarded(self._invite, root=_INVITE_ROOT)),
            web.get("/oauth/callback", self._guarded(self._callback, root=_CALLBACK_ROOT)),
            web.get(f"{page}/outcome", self._guarded(self._outcome, root=_OUTCOME_ROOT)),
            web.get(f"{page}/outcome.json", self._guarded(self._outcome_data, root=_OUTCOME_ROOT)),
        ]

    def _guarded(self, handler: Handler, *, root: str) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            if not self._ready():
                return self._told(words.LATER, root=root)
            try:
                return await handler(request)
            except _Answer as told:
                return self._told(told.say, root=root, credential=told.credential)
            except KubeError as error:
                _log.warning("%s: %s", request.rel_url.raw_path, error)
                return self._told(words.LATER, root=root)
            except Exception as error:
                # Where it happened, and not the text: it could quote the query.
                trace = "".join(format_tb(error.__traceback__))
                _log.error("%s: defect %s\n%s", request.rel_url.raw_path, type(error).__name__, trace)
                return self._told(words.LATER, root=root)

        return answer

    async def _invite(self, request: web.Request) -> web.Response:
        namespace, name = request.match_info["namespace"], request.match_info["credential"]
        link = await self._link(_only(request, "t"), namespace=namespace, name=name)
        credential = await self._invited(link)
        client_id = self._directory.client_id(credential)
        key = self._directory.keyring.newest
        if not client_id or not self._public_url or key is None:
            raise _Answer(words.NOT_SET_UP, credential=credential)
        browser = known_browser(request.cookies.get(self._cookie)) or new_browser()
        state = new_state(link, browser=browser, key=key, now=self._clock())
        zoom = authorize_url(
            oauth_url=self._oauth_url,
            client_id=client_id,
            redirect_uri=self._redirect_uri,
            state=state.text,
            code_challenge=pkce_challenge(state.verifier),
        )
        response = self._pages.invite(credential, zoom=zoom, until=link.expires, root=_INVITE_ROOT)
        response.set_cookie(
            self._cookie,
            browser,
            max_age=_COOKIE_SECONDS,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="Lax",
        )
        return response

    async def _link(self, token: str, *, namespace: str, name: str) -> Link:
        link = read_token(token, namespace=namespace, name=name, keyring=self._directory.keyring)
        if link is None and await self._directory.read_keys():
            link = read_token(token, namespace=namespace, name=name, keyring=self._directory.keyring)
        if link is None:
            raise _Answer(words.INVALID)
        if link.expires <= self._clock():
            raise _Answer(words.EXPIRED)
        return link

    async def _invited(self, link: Link) -> ZoomCredential:
        """The credential that a rightly signed link leads to, if the link is alive."""
        known = self._directory.find(link.namespace, link.name)
        if known is None or not _alive(known, link):
            known = await self._directory.fresh(link.namespace, link.name)
        return _wanted(known, link)

    async def _callback(self, request: web.Request) -> web.Response:
        state, browser = await self._returned(request)
        link, now, name = state.link, self._clock(), consent_name(state.text)
        known = await self._directory.fresh(link.namespace, link.name)
        if known is not None and known.metadata.uid == link.uid and _noted(known, name):
            return self._used_twice(known, name, browser=browser)
        credential = _wanted(known, link)
        code = _code(request, state, credential=credential, now=now)
        content = ConsentSecret(
            code=code, code_verifier=state.verifier, redirect_uri=self._redirect_uri, epoch=link.epoch
        )
        match await self._consents.hand_over(name, content, credential=credential, now=now):
            case Handover.NOTED:
                # Away from the address with the code in it, which then is not in the browser's history.
                location = _CALLBACK_ROOT + self._outcome_path(credential, name, browser=browser)
                return web.Response(status=303, headers={**HEADERS, "Location": location})
            case Handover.USED_TWICE:
                return self._used_twice(credential, name, browser=browser)
            case Handover.BUSY:
                raise _Answer(words.BUSY, credential=credential)
            case Handover.LINK_DEAD:
                raise _Answer(words.USED)

    async def _returned(self, request: web.Request) -> tuple[State, str]:
        """The state that came back, and the browser that it belongs to and came from."""
        browser = known_browser(request.cookies.get(self._cookie))
        text = _only(request, "state")
        state = read_state(text, browser=browser, keyring=self._directory.keyring)
        if state is Doubt.FORGED and await self._directory.read_keys():
            state = read_state(text, browser=browser, keyring=self._directory.keyring)
        if state is Doubt.OTHER_BROWSER:
            raise _Answer(words.OTHER_BROWSER)
        if not isinstance(state, State) or browser is None:
            raise _Answer(words.NOT_OURS)
        return state, browser

    def _used_twice(self, credential: ZoomCredential, name: str, *, browser: str) -> web.Response:
        path = _CALLBACK_ROOT + self._outcome_path(credential, name, browser=browser)
        ways = [Way(href=path, says="See what became of it")]
        return self._pages.told(words.USED_TWICE, root=_CALLBACK_ROOT, ways=ways, reference=_reference(credential))

    def _outcome_path(self, credential: ZoomCredential, name: str, *, browser: str) -> str:
        place = {"namespace": credential.namespace, "name": credential.name}
        ticket = outcome_ticket(name, **place, browser=browser, keyring=self._directory.keyring)
        return f"connect/{credential.namespace}/{credential.name}/outcome?c={ticket}"

    async def _outcome(self, request: web.Request) -> web.Response:
        credential, consent, ticket = self._asked(request)
        say = words.outcome_words(credential, consent)
        open_still = say.tone is words.Tone.WAIT and not _settled(credential, consent)
        notes: tuple[str, ...] = ()
        expected = expected_words(credential)
        if say.outcome.startswith("connected") and credential.status.email:
            notes = (f"Connected: {credential.status.email}",)
        elif say is words.MISMATCH and expected:
            notes = (expected,)
        return self._told(
            say,
            root=_OUTCOME_ROOT,
            credential=credential,
            notes=notes,
            poll=f"outcome.json?c={ticket}" if open_still else "",
            back=not open_still,
        )

    async def _outcome_data(self, request: web.Request) -> web.Response:
        credential, consent, _ = self._asked(request)
        outcome = words.outcome_words(credential, consent).outcome
        return web.json_response({"outcome": outcome}, headers=HEADERS)

    def _asked(self, request: web.Request) -> tuple[ZoomCredential, str, str]:
        """Which consent this browser may ask about."""
        namespace, name = request.match_info["namespace"], request.match_info["credential"]
        ticket = _only(request, "c")
        browser = known_browser(request.cookies.get(self._cookie))
        consent = read_ticket(ticket, namespace=namespace, name=name, browser=browser, keyring=self._directory.keyring)
        if consent is None:
            raise _Answer(words.NOT_OURS)
        credential = self._directory.find(namespace, name)
        if credential is None:
            raise _Answer(words.GONE)
        return credential, consent, ticket

    async def _asset(self, request: web.Request) -> web.Response:
        return self._pages.asset(request.match_info["name"])

    def _told(
        self,
        say: words.Words,
        *,
        root: str,
        credential: ZoomCredential | None = None,
        notes: tuple[str, ...] = (),
        poll: str = "",
        back: bool = True,
    ) -> web.Response:
        ways = []
        if say.again and credential is not None and credential.status.connect_url:
            ways.append(Way(href=credential.status.connect_url, says="Try again", button=True))
        if back and credential is not None:
            ways += self._way_back(credential)
        return self._pages.told(
            say,
            root=root,
            ways=ways,
            notes=notes,
            reference=_reference(credential) if credential is not None else "",
            poll=poll,
            reload=say is words.LATER,
        )

    def _way_back(self, credential: ZoomCredential) -> list[Way]:
        """The link back to the platform, if its host is one of those allowed; so nobody's link leads astray."""
        connect = credential.spec.grant.connect
        url = connect.return_url if connect is not None else None
        host = allowed_host(url or "", hosts=self._return_hosts)
        return [Way(href=url, says=f"Back to {host}")] if url and host else []

    @property
    def _redirect_uri(self) -> str:
        return f"{self._public_url}/oauth/callback"


def allowed_host(url: str, *, hosts: Collection[str]) -> str:
    """The host of an https address without user part and odd characters, if it is allowed; else empty.

    A port other than 443 has to be allowed with the host, as in `app.example:8443`.
    """
    if not re.fullmatch(r"https://[!-~]+", url) or "\\" in url:
        return ""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return ""
    place = host if port in (None, 443) else f"{host}:{port}"
    plain = parts.netloc.lower() in (host, f"{host}:{port}")
    return place if plain and place in hosts else ""


def _code(request: web.Request, state: State, *, credential: ZoomCredential, now: datetime) -> SecretStr:
    """The code that Zoom sent, unless the person declined or it came too late."""
    error = _only(request, "error")
    if error:
        raise _Answer(words.REFUSED if error == "access_denied" else words.ZOOM_SAYS_NO, credential=credential)
    if state.expires <= now:
        raise _Answer(words.TOO_SLOW, credential=credential)
    code = _only(request, "code")
    if not _CODE.fullmatch(code):
        raise _Answer(words.NOT_OURS, credential=credential)
    return SecretStr(code)


def _only(request: web.Request, key: str) -> str:
    """A value of the query; none when it is missing, and none when there are two: which one is meant is not clear."""
    values = request.query.getall(key, [])
    return values[0] if len(values) == 1 else ""


def _alive(credential: ZoomCredential, link: Link) -> bool:
    shown = link_in(credential.status.connect_url, namespace=credential.namespace, name=credential.name)
    return credential.metadata.uid == link.uid and shown is not None and shown.epoch == link.epoch


def _wanted(credential: ZoomCredential | None, link: Link) -> ZoomCredential:
    if credential is None or credential.metadata.uid != link.uid:
        raise _Answer(words.GONE)
    if credential.spec.suspend:
        raise _Answer(words.PAUSED, credential=credential)
    if not _alive(credential, link):
        raise _Answer(words.USED)
    return credential


def _noted(credential: ZoomCredential, name: str) -> bool:
    return any(consent.secret_name == name for consent in credential.status.received_consents)


def _settled(credential: ZoomCredential, consent: str) -> bool:
    return any(handled.secret_name == consent for handled in credential.status.handled_consents)


def _reference(credential: ZoomCredential) -> str:
    return f"{credential.namespace}/{credential.name}"
