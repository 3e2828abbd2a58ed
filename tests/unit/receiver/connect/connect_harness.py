"""The connect pages on an API server in memory, behind a real web server on loopback, for tests."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import ClientResponse, DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer
from meetingbots.credentials.manifests.connect import Link, connect_url
from meetingbots.credentials.manifests.receiver_secret import LINK_SIGNING_KEY, keyring_value
from meetingbots.credentials.manifests.signing_keys import Keyring, SigningKey
from meetingbots.credentials.status_writer import CredentialStatusWriter
from meetingbots.kube.resources import CREDENTIALS, SECRETS
from meetingbots.models.names import RECEIVER_SECRET
from meetingbots.receiver.app import application
from meetingbots.receiver.connect.consent_writer import ConsentWriter
from meetingbots.receiver.connect.directory import ConnectDirectory
from meetingbots.receiver.connect.routes import ConnectRoutes, ConnectSettings
from pydantic import SecretStr

from tests.unit.fake_kube import FakeKube

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SYSTEM = "meetingbots-system"
EPOCH = "0123456789abcdef"
KEY = SigningKey(id="k1", secret=SecretStr("s" * 43), created=NOW)
NEWER = SigningKey(id="k2", secret=SecretStr("n" * 43), created=NOW)
ZOOM = "https://zoom.test/oauth"


@dataclass
class Page:
    """A page as it came."""

    status: int
    text: str
    headers: dict[str, str]
    cookies: dict[str, str]
    set_cookie: str = ""

    @property
    def outcome(self) -> str:
        found = re.search(r'data-outcome="([^"]*)"', self.text)
        return found[1] if found else ""

    @property
    def button(self) -> str:
        found = re.search(r'<a class="button" href="([^"]*)"', self.text)
        return html.unescape(found[1]) if found else ""

    @property
    def query(self) -> dict[str, str]:
        """Of the button's address."""
        return {key: value[0] for key, value in parse_qs(urlsplit(self.button).query).items()}


@dataclass
class ConnectHarness:
    """What a test has in its hands; cookies are passed by hand, so that a test sees them."""

    kube: FakeKube
    directory: ConnectDirectory
    client: TestClient[Any, Any]
    clock: list[datetime]
    seconds: list[float]
    ready: list[bool]
    public_url: str
    keys: list[SigningKey] = field(default_factory=lambda: [KEY])
    apps: dict[str, dict[str, str]] = field(default_factory=dict)

    def project(self, *, watched: bool = True) -> None:
        """The operator wrote the receiver's Secret."""
        data = {key: base64.b64encode(json.dumps(app).encode()).decode() for key, app in self.apps.items()}
        data[LINK_SIGNING_KEY] = keyring_value(Keyring(tuple(self.keys)))
        item = {"metadata": {"namespace": SYSTEM, "name": RECEIVER_SECRET}, "data": data}
        self.kube.put(SECRETS, item)
        if watched:
            self.directory.on_projection(SYSTEM, RECEIVER_SECRET, item)

    def has_credential(
        self, *, watched: bool = True, connect: dict[str, str] | None = None, epoch: str = EPOCH, **changes: Any
    ) -> None:
        """Alice has grant connect and waits for consent."""
        status = {"connectURL": self.link(epoch=epoch)} if epoch else {}
        item = {
            "metadata": {"name": "alice", "namespace": "team", "uid": "uid-1", "generation": 1},
            "spec": {
                "appSecretRef": {"name": "zoom-app"},
                "grant": {"connect": connect or {}},
                **changes.pop("spec", {}),
            },
            "status": {**status, **changes.pop("status", {})},
        }
        assert not changes
        self.kube.put(CREDENTIALS, item)
        if watched:
            self.watch()

    def watch(self) -> None:
        """The watch shows the current credential."""
        self.directory.on_credential("team", "alice", self.kube.peek(CREDENTIALS, namespace="team", name="alice"))

    def change_status(self, **fields: Any) -> None:
        """Another writer changes the status; the watch shows it."""
        item = self.kube.peek(CREDENTIALS, namespace="team", name="alice")
        assert item is not None
        item["status"] |= fields
        self.kube.put(CREDENTIALS, item)
        self.watch()

    def link(self, *, epoch: str = EPOCH, uid: str = "uid-1", key: SigningKey = KEY, days: float = 7) -> str:
        """A link of the operator's."""
        link = Link(namespace="team", name="alice", uid=uid, epoch=epoch, expires=NOW + timedelta(days=days))
        return connect_url(link, public_url=self.public_url, keyring=Keyring((key,)))

    @property
    def consents(self) -> list[str]:
        """The consents' names in the status."""
        item = self.kube.peek(CREDENTIALS, namespace="team", name="alice")
        assert item is not None
        return [one["secretName"] for one in item["status"].get("receivedConsents", [])]

    def consent(self, name: str) -> dict[str, str]:
        """A consent's content; empty without one."""
        item = self.kube.peek(SECRETS, namespace="team", name=name)
        return {key: base64.b64decode(value).decode() for key, value in (item or {}).get("data", {}).items()}

    async def open(self, url: str, *, cookies: dict[str, str] | None = None, method: str = "GET") -> Page:
        """Ask for an address of ours, without following redirects."""
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        answer = await self.client.request(method, path, cookies=cookies or {}, allow_redirects=False)
        return await _seen(answer)

    async def begin(self) -> tuple[Page, dict[str, str]]:
        """Open the invitation; gives the page and the browser's cookies."""
        page = await self.open(self.link())
        assert page.status == 200, page.text
        return page, page.cookies

    def back(self, page: Page, **query: str) -> str:
        """The address that Zoom sends the person to."""
        asked = {"code": "the-code", "state": page.query["state"]} | query
        return "/oauth/callback?" + "&".join(f"{key}={value}" for key, value in asked.items() if value)


async def _seen(answer: ClientResponse) -> Page:
    text = await answer.text()
    cookies = {name: morsel.value for name, morsel in answer.cookies.items()}
    return Page(
        status=answer.status,
        text=text,
        headers=dict(answer.headers),
        cookies=cookies,
        set_cookie=answer.headers.get("Set-Cookie", ""),
    )


@asynccontextmanager
async def serve_pages(
    *,
    public_url: str = "https://bots.example",
    oauth_url: str = ZOOM,
    return_hosts: tuple[str, ...] = ("app.example", "app.example:8443"),
) -> AsyncIterator[ConnectHarness]:
    """Serve the pages."""
    kube, clock, seconds, ready = FakeKube(), [NOW], [1000.0], [True]
    directory = ConnectDirectory(kube=kube, system_namespace=SYSTEM, clock=lambda: seconds[0])
    connect = ConnectRoutes(
        settings=ConnectSettings(public_url=public_url, oauth_url=oauth_url, return_hosts=return_hosts),
        directory=directory,
        consents=ConsentWriter(kube=kube, statuses=CredentialStatusWriter(kube=kube), directory=directory),
        ready=lambda: ready[0],
        clock=lambda: clock[0],
    )

    async def nothing(_: object) -> Any:
        raise AssertionError("no webhook comes here")

    app = application(webhook=nothing, healthy=lambda: True, ready=lambda: True, pages=connect.routes())
    async with TestClient(TestServer(app), cookie_jar=DummyCookieJar()) as client:
        harness = ConnectHarness(
            kube=kube,
            directory=directory,
            client=client,
            clock=clock,
            seconds=seconds,
            ready=ready,
            public_url=public_url,
            apps={"team.zoom-app": {"client_id": "client-one", "webhook_secret_token": "hook"}},
        )
        harness.project()
        harness.has_credential()
        yield harness
