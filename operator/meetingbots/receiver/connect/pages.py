"""The connect pages as HTML: templates from files, every value escaped, and headers that let nothing else in or out."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from string import Template
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from meetingbots.models.base import format_time
from meetingbots.models.credential import ZoomCredential
from meetingbots.receiver.connect.text import WHOSE, Tone, Words, rights

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
"""For every answer of the connect pages."""

_ASSET_TYPES: Final = {"connect.css": "text/css", "connect.js": "text/javascript"}
_RELOAD_SECONDS: Final = 3
_MONTHS: Final = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)


class Markup(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True)
class Way:
    """A link on a page: where it leads and what it says."""

    href: str
    says: str
    button: bool = False


class Pages:
    """Renders. `site` is the name of the service as people know it: its host."""

    def __init__(self, *, public_url: str) -> None:
        folder = files("meetingbots.receiver.connect") / "templates"
        self._templates = {
            name: Template((folder / f"{name}.html").read_text(encoding="utf-8")) for name in ("page", "invite", "told")
        }
        self._assets = {name: (folder / name).read_bytes() for name in _ASSET_TYPES}
        self._site = urlsplit(public_url).netloc

    def invite(self, credential: ZoomCredential, *, zoom: str, until: datetime, root: str) -> web.Response:
        """Who asks for what, and the way to Zoom."""
        level = credential.spec.level
        body = self._fill(
            "invite",
            site=self._site,
            whose=WHOSE[level],
            expected=_elements("p", filter(None, [expected_words(credential)]), kind="note"),
            rights=_elements("li", rights(level)),
            zoom=zoom,
            until=_words_of(until),
            until_machine=format_time(until),
            reference=f"{credential.namespace}/{credential.name}",
        )
        return self._page(title=f"Connect {WHOSE[level]}", body=body, tone=Tone.PLAIN, root=root)

    def told(
        self,
        words: Words,
        *,
        root: str,
        ways: Iterable[Way] = (),
        notes: tuple[str, ...] = (),
        reference: str = "",
        poll: str = "",
        reload: bool = False,
    ) -> web.Response:
        """One thing to say. `poll` is where to ask for news, `reload` reloads the page without asking."""
        body = self._fill(
            "told",
            outcome=words.outcome,
            poll=poll,
            paragraphs=_elements("p", (*words.text, *notes)),
            actions=Markup("\n".join(map(_way, ways))),
            reference=_elements("p", (f"Reference: {reference}",), kind="small") if reference else Markup(),
        )
        again = f'<meta http-equiv="refresh" content="{_RELOAD_SECONDS}">'
        head = f"{again}\n" if reload else ""
        if poll:
            head = (
                f'<noscript>{again}</noscript>\n<script src="{html.escape(root)}connect/_/connect.js" defer></script>\n'
            )
        return self._page(title=words.title, body=body, tone=words.tone, root=root, head=head, status=words.status)

    def asset(self, name: str) -> web.Response:
        """The style sheet or the script."""
        found = self._assets.get(name)
        if found is None:
            return web.Response(status=404, text="not found\n", headers=HEADERS)
        headers = {**HEADERS, "Cache-Control": "public, max-age=300"}
        return web.Response(body=found, content_type=_ASSET_TYPES[name], charset="utf-8", headers=headers)

    def _page(
        self, *, title: str, body: Markup, tone: Tone, root: str, head: str = "", status: int = 200
    ) -> web.Response:
        text = self._fill("page", title=title, body=body, tone=tone, root=root, head=Markup(head), site=self._site)
        return web.Response(status=status, text=text, content_type="text/html", charset="utf-8", headers=HEADERS)

    def _fill(self, template: str, **values: str) -> Markup:
        return Markup(self._templates[template].substitute({key: _escaped(value) for key, value in values.items()}))


def _escaped(value: str) -> str:
    return value if isinstance(value, Markup) else html.escape(value)


def _elements(name: str, texts: Iterable[str], *, kind: str = "") -> Markup:
    opening = f'<{name} class="{kind}">' if kind else f"<{name}>"
    return Markup("\n".join(f"{opening}{html.escape(text)}</{name}>" for text in texts))


def _way(way: Way) -> str:
    kind = ' class="button"' if way.button else ""
    return f'<p><a{kind} href="{html.escape(way.href)}" rel="noreferrer">{html.escape(way.says)}</a></p>'


def expected_words(credential: ZoomCredential) -> str:
    """Who is expected to consent, in a sentence; empty if anybody may."""
    connect = credential.spec.grant.connect
    if connect is not None and connect.expected_email:
        return f"Please sign in to Zoom as {connect.expected_email}."
    if connect is not None and connect.expected_account_id:
        return f"Please sign in to Zoom with a user of the Zoom account {connect.expected_account_id}."
    return ""


def _words_of(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return f"{utc.day} {_MONTHS[utc.month - 1]} {utc.year}, {utc:%H:%M} UTC"
