"""The token endpoint over HTTP: what each outcome is answered with."""

from __future__ import annotations

import logging
from typing import cast

import aiohttp
import pytest
from meetingbots.bots.rejoin.endpoint import serve_tokens
from meetingbots.bots.rejoin.rules import NoToken, NotYet, RejoinDenied
from meetingbots.bots.rejoin.service import Granted, Outcome, RejoinService, TooOften, Unknown
from meetingbots.kube.errors import UnavailableError
from pydantic import SecretStr

HEADERS = {"Authorization": "Bearer pods-own-token"}


class Told:
    """Answers with what it was told."""

    def __init__(self, outcome: Outcome | Exception) -> None:
        self.outcome = outcome
        self.presented: list[str] = []

    async def token(self, presented: SecretStr) -> Outcome:
        self.presented.append(presented.get_secret_value())
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


async def ask(
    told: Told | None, *, method: str = "POST", path: str = "/token", headers: dict[str, str] | None = None
) -> tuple[int, str, dict[str, str]]:
    async with (
        serve_tokens(rejoins=lambda: cast("RejoinService | None", told), port=0, host="127.0.0.1") as port,
        aiohttp.ClientSession() as session,
        session.request(
            method, f"http://127.0.0.1:{port}{path}", headers=HEADERS if headers is None else headers
        ) as answer,
    ):
        return answer.status, await answer.text(), dict(answer.headers)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_token_is_plain_text_and_not_cached(method: str) -> None:
    told = Told(Granted(SecretStr("fresh-token")))
    status, text, headers = await ask(told, method=method)
    assert (status, text) == (200, "fresh-token")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert told.presented == ["pods-own-token"]


@pytest.mark.parametrize(
    ("outcome", "status", "text", "again"),
    [
        (Unknown(), 401, "audience meetingbots", None),
        (RejoinDenied("Not this Pod."), 403, "Not this Pod.\n", None),
        (NoToken("MeetingEnded", "The meeting has ended."), 404, "MeetingEnded: The meeting has ended.\n", None),
        (NoToken("RateLimited", "Zoom is busy.", 2.2), 404, "RateLimited: Zoom is busy.\n", "3"),
        (NoToken("ZoomUnavailable", "Away.", 0.0), 404, "ZoomUnavailable: Away.\n", "1"),
        (TooOften(6.5), 429, "too often", "7"),
        (NotYet("Only just started."), 503, "Only just started.\n", "1"),
        (UnavailableError("API server unreachable"), 503, "Kubernetes", "1"),
        (RuntimeError("with fresh-token in it"), 503, "Kubernetes", "1"),
    ],
)
async def test_every_outcome_has_its_status(
    outcome: Outcome | Exception, status: int, text: str, again: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    got, body, headers = await ask(Told(outcome))
    assert got == status
    assert text in body
    assert headers.get("Retry-After") == again
    assert headers["Cache-Control"] == "no-store"
    assert ("WWW-Authenticate" in headers) == (status == 401)
    assert "fresh-token" not in caplog.text + body


@pytest.mark.parametrize("value", [None, "", "Bearer ", "Basic YTpi", "Bearer two words", "pods-own-token"])
async def test_without_a_presented_token_nothing_is_reviewed(value: str | None) -> None:
    told = Told(Granted(SecretStr("fresh-token")))
    status, _, _ = await ask(told, headers={} if value is None else {"Authorization": value})
    assert status == 401
    assert told.presented == []


async def test_a_standby_answers_503() -> None:
    status, text, headers = await ask(None)
    assert (status, headers["Retry-After"]) == (503, "1")
    assert "stands by" in text


async def test_other_paths_and_methods_are_rejected(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told = Told(Granted(SecretStr("fresh-token")))
    for method, path, status in (("GET", "/", 404), ("DELETE", "/token", 405), ("HEAD", "/token", 405)):
        assert (await ask(told, method=method, path=path))[0] == status
    huge = {"Authorization": "Bearer " + "x" * 20_000}
    assert (await ask(told, headers=huge))[0] == 400
    assert told.presented == []
    assert "xxxx" not in caplog.text
