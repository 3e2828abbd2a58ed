"""A person in front of the browser: a window of their own, and what they see and do in it."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin

from playwright.sync_api import Browser, Page, Request, expect

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1120, "height": 780}
PATIENCE = 20_000
"""Milliseconds until a page must have said what is waited for."""


class Visitor:
    """One window with its own cookies. What the browser complains about and whom it asks is kept."""

    def __init__(self, browser: Browser, *, phone: bool = False, dark: bool = False, script: bool = True) -> None:
        self._context = browser.new_context(
            viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
            is_mobile=phone,
            has_touch=phone,
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            locale="en-GB",
        )
        self.page: Page = self._context.new_page()
        self.complaints: list[str] = []
        self.requests: list[Request] = []
        self.page.on("console", lambda said: self._complain(said.type, said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._context.close()

    def open(self, url: str) -> None:
        """Go there."""
        self.page.goto(url)

    def go_on(self) -> None:
        """Press the page's button."""
        self.page.locator("a.button").click()

    def answer(self, user: str, *, accept: bool = True) -> None:
        """Answer Zoom's consent page as that user."""
        self.page.get_by_label("Signed in as").select_option(user)
        self.page.get_by_role("button", name="Allow" if accept else "Decline").click()

    def answer_elsewhere(self, user: str) -> str:
        """Answer Zoom's consent page, but do not go where Zoom sends one: that address."""
        action = self.page.locator("form").get_attribute("action")
        assert action is not None
        answer = self.page.request.post(
            urljoin(self.page.url, action), form={"user": user, "decision": "accept"}, max_redirects=0
        )
        return answer.headers["location"]

    def sees(self, heading: str) -> None:
        """Wait, without doing anything, until the page says so."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading, timeout=PATIENCE)

    def measure(self, script: str) -> Any:
        """What a script finds on the page."""
        return self.page.evaluate(script)

    def _note(self, request: Request) -> None:
        self.requests.append(request)

    def _complain(self, kind: str, text: str) -> None:
        # Chromium also reports our own answers of 400 and above here; those are meant.
        if kind in ("error", "warning") and "status of" not in text:
            self.complaints.append(text)
