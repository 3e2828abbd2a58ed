"""A person with a browser, as far as HTTP goes: opens a link, agrees or declines at Zoom, reads what the page says."""

from __future__ import annotations

import html
import re
from types import TracebackType
from typing import Self

import httpx

_BUTTON = re.compile(r'<a class="button" href="([^"]+)"')
_ACTION = re.compile(r'<form method="post" action="([^"]+)"')
_TITLE = re.compile(r"<h1>(.*?)</h1>", re.DOTALL)
_OUTCOME = re.compile(r'data-outcome="([^"]*)"')


class Person:
    """Cookies are kept, as in one browser window; another `Person` is another browser. Loopback only."""

    def __init__(self) -> None:
        self._http = httpx.Client(timeout=10, trust_env=False)
        self.page: httpx.Response | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def open(self, url: str) -> httpx.Response:
        """Go to an address, over redirects."""
        self.page = self._http.get(url, follow_redirects=True)
        return self.page

    def reload(self) -> httpx.Response:
        """Look at the same page again."""
        return self.open(str(self._now.url))

    def press(self) -> httpx.Response:
        """Follow the page's button."""
        found = _BUTTON.search(self._now.text)
        assert found is not None, f"no button on the page {self.title!r}"
        return self.open(str(self._now.url.join(html.unescape(found[1]))))

    def decide(self, user: str, *, accept: bool = True) -> httpx.Response:
        """Answer Zoom's consent page as that user and go where Zoom sends one."""
        self.page = self.answer(user, accept=accept)
        return self.open(self.page.headers["Location"])

    def answer(self, user: str, *, accept: bool = True) -> httpx.Response:
        """Answer Zoom's consent page, without going anywhere yet: the redirect."""
        found = _ACTION.search(self._now.text)
        assert found is not None, f"no form on the page {self.title!r}"
        form = {"user": user, "decision": "accept" if accept else "refuse"}
        answer = self._http.post(str(self._now.url.join(html.unescape(found[1]))), data=form)
        assert answer.status_code == 302, answer.text
        return answer

    @property
    def title(self) -> str:
        """The page's heading."""
        found = _TITLE.search(self._now.text)
        return html.unescape(found[1]).strip() if found else ""

    @property
    def outcome(self) -> str:
        """The outcome on the page, in one word."""
        found = _OUTCOME.search(self._now.text)
        return found[1] if found else ""

    @property
    def _now(self) -> httpx.Response:
        assert self.page is not None
        return self.page
