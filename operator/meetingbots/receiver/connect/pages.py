"""Renders the connect pages from Jinja2 templates, with headers that isolate them from everything else."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from meetingbots.models.base import format_time
from meetingbots.models.credential import Level, ZoomCredential
from meetingbots.receiver.connect.messages import Message

_PACKAGE: Final = "meetingbots.receiver.connect"
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of every answer of the connect pages."""

_ASSET_TYPES: Final = {"connect.css": "text/css", "connect.js": "text/javascript"}


@dataclass(frozen=True, kw_only=True)
class PageLink:
    """A link on a page."""

    href: str
    label: str
    button: bool = False


@dataclass(frozen=True, kw_only=True)
class MessagePage:
    """A page with one message. `root` is the relative address of the public URL's path.

    `poll` is the URL that answers whether the outcome has changed; `reload` makes the page reload itself instead.
    """

    message: Message
    root: str
    links: tuple[PageLink, ...] = ()
    notes: tuple[str, ...] = ()
    reference: str = ""
    poll: str = ""
    reload: bool = False


@dataclass(frozen=True, kw_only=True)
class ConsentPage:
    """The page that says who asks for what, and leads to Zoom. `expires` is when the link ends."""

    credential: ZoomCredential
    zoom_url: str
    expires: datetime
    root: str

    @property
    def namespace(self) -> str:
        """The tenant that gets the access."""
        return self.credential.namespace

    @property
    def name(self) -> str:
        """Name of the credential."""
        return self.credential.name

    @property
    def whole_account(self) -> bool:
        """Whether the consent covers all users of the Zoom account."""
        return self.credential.spec.level is Level.ACCOUNT

    @property
    def expected_user(self) -> str:
        """Who should consent, as a sentence."""
        return expected_user(self.credential)

    @property
    def expires_iso(self) -> str:
        """For programs."""
        return format_time(self.expires)

    @property
    def expires_text(self) -> str:
        """For people."""
        utc = self.expires.astimezone(UTC)
        return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


class Pages:
    """Renders pages. People know the service by the host of `public_url`."""

    def __init__(self, *, public_url: str) -> None:
        self._templates = Environment(
            loader=PackageLoader(_PACKAGE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["site"] = urlsplit(public_url).netloc
        folder = files(_PACKAGE) / "templates"
        self._assets = {name: (folder / name).read_bytes() for name in _ASSET_TYPES}

    def consent(self, page: ConsentPage) -> web.Response:
        """Render the page that leads to Zoom."""
        return self._render("consent.html", page, status=200)

    def message(self, page: MessagePage) -> web.Response:
        """Render a message; its status becomes that of the answer."""
        return self._render("message.html", page, status=page.message.status)

    def asset(self, name: str) -> web.Response:
        """Return the style sheet or the script."""
        found = self._assets.get(name)
        if found is None:
            return web.Response(status=404, text="not found\n", headers=HEADERS)
        headers = {**HEADERS, "Cache-Control": "public, max-age=300"}
        return web.Response(body=found, content_type=_ASSET_TYPES[name], charset="utf-8", headers=headers)

    def _render(self, template: str, page: ConsentPage | MessagePage, *, status: int) -> web.Response:
        text = self._templates.get_template(template).render(page=page)
        return web.Response(status=status, text=text, content_type="text/html", charset="utf-8", headers=HEADERS)


def expected_user(credential: ZoomCredential) -> str:
    """Say who should consent; empty if anyone may."""
    connect = credential.spec.grant.connect
    if connect is not None and connect.expected_email:
        return f"Please sign in to Zoom as {connect.expected_email}."
    if connect is not None and connect.expected_account_id:
        return f"Please sign in to Zoom with a user of the Zoom account {connect.expected_account_id}."
    return ""


def return_link(credential: ZoomCredential, *, hosts: Collection[str]) -> tuple[PageLink, ...]:
    """Return the link of the credential's `returnURL`, or nothing where its host is not one of `hosts`."""
    connect = credential.spec.grant.connect
    url = connect.return_url if connect is not None else None
    host = allowed_host(url or "", hosts=hosts)
    return (PageLink(href=url, label=f"Back to {host}"),) if url and host else ()


def allowed_host(url: str, *, hosts: Collection[str]) -> str:
    """Return the host of an https URL if it is one of `hosts`, else an empty string.

    Rejects user parts and unusual characters. A port other than 443 must be allowed together with the host, as in
    `app.example:8443`.
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
