"""The endpoint over HTTP: the answer to each outcome."""

from __future__ import annotations

import json
import logging
import ssl
from pathlib import Path
from typing import cast

import aiohttp
import pytest
import trustme
from meetingbots.bots.rejoin.callers import PodIdentity
from meetingbots.bots.rejoin.endpoint import EndpointServices, serve_tokens
from meetingbots.bots.rejoin.reports import Accepted, BadReport, ReportOutcome, ReportService
from meetingbots.bots.rejoin.rules import Extras, NoToken, NotYet, Outdated, RejoinDenied, TooOften, Unknown
from meetingbots.bots.rejoin.service import Granted, Outcome, RejoinService
from meetingbots.kube.errors import UnavailableError
from pydantic import SecretStr

HEADERS = {"Authorization": "Bearer pods-own-token"}


class FakeServices:
    """Both services, with a preset outcome."""

    def __init__(self, outcome: Outcome | ReportOutcome | Exception) -> None:
        self.bodies: list[bytes] = []
        self.outcome = outcome
        self.presented: list[str] = []

    async def token(self, presented: SecretStr, *, peer: str, with_extras: bool) -> Outcome:
        assert peer == "127.0.0.1"
        self.presented.append(presented.get_secret_value())
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return cast("Outcome", self.outcome)

    async def identify(self, presented: SecretStr, *, peer: str) -> PodIdentity | Unknown | TooOften:
        self.presented.append(presented.get_secret_value())
        if isinstance(self.outcome, Unknown | TooOften):
            return self.outcome
        return PodIdentity("team", "pod", "uid")

    async def report(self, pod: PodIdentity, body: bytes) -> ReportOutcome:
        self.bodies.append(body)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return cast("ReportOutcome", self.outcome)


def services(fake: FakeServices | None) -> EndpointServices | None:
    if fake is None:
        return None
    return EndpointServices(tokens=cast("RejoinService", fake), reports=cast("ReportService", fake))


async def ask(
    fake: FakeServices | None,
    *,
    method: str = "POST",
    path: str = "/token",
    headers: dict[str, str] | None = None,
    data: bytes | None = None,
) -> tuple[int, str, dict[str, str]]:
    async with (
        serve_tokens(services=lambda: services(fake), port=0, host="127.0.0.1") as port,
        aiohttp.ClientSession() as session,
        session.request(
            method, f"http://127.0.0.1:{port}{path}", headers=HEADERS if headers is None else headers, data=data
        ) as answer,
    ):
        return answer.status, await answer.text(), dict(answer.headers)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_token_is_plain_text_and_not_cached(method: str) -> None:
    fake = FakeServices(Granted(SecretStr("fresh-token")))
    status, text, headers = await ask(fake, method=method)
    assert (status, text) == (200, "fresh-token")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert fake.presented == ["pods-own-token"]


@pytest.mark.parametrize(
    ("outcome", "status", "text", "again"),
    [
        (Unknown(), 401, "audience meetingbots", None),
        (RejoinDenied("Not this Pod."), 403, "Not this Pod.\n", None),
        (NoToken("MeetingEnded", "The meeting has ended."), 404, "MeetingEnded: The meeting has ended.\n", None),
        (NoToken("RateLimited", "Zoom is busy.", 2.2), 404, "RateLimited: Zoom is busy.\n", "3"),
        (NoToken("ZoomUnavailable", "Away.", 0.0), 404, "ZoomUnavailable: Away.\n", "1"),
        (TooOften(6.5), 429, "Too many requests", "7"),
        (NotYet("Only just started."), 503, "Only just started.\n", "1"),
        (UnavailableError("API server unreachable"), 503, "Kubernetes", "1"),
        (RuntimeError("with fresh-token in it"), 503, "Kubernetes", "1"),
    ],
)
async def test_every_outcome_has_its_status(
    outcome: Outcome | Exception, status: int, text: str, again: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    got, body, headers = await ask(FakeServices(outcome))
    assert got == status
    assert text in body
    assert headers.get("Retry-After") == again
    assert headers["Cache-Control"] == "no-store"
    assert ("WWW-Authenticate" in headers) == (status == 401)
    assert "fresh-token" not in caplog.text + body


@pytest.mark.parametrize("value", [None, "", "Bearer ", "Basic YTpi", "Bearer two words", "pods-own-token"])
async def test_without_a_presented_token_nothing_is_reviewed(value: str | None) -> None:
    fake = FakeServices(Granted(SecretStr("fresh-token")))
    status, _, _ = await ask(fake, headers={} if value is None else {"Authorization": value})
    assert status == 401
    assert fake.presented == []


async def test_a_standby_answers_503() -> None:
    status, text, headers = await ask(None)
    assert (status, headers["Retry-After"], headers["Connection"]) == (503, "1", "close")
    assert "stands by" in text


async def test_other_paths_and_methods_are_rejected(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fake = FakeServices(Granted(SecretStr("fresh-token")))
    for method, path, status in (("GET", "/", 404), ("DELETE", "/token", 405), ("HEAD", "/token", 405)):
        assert (await ask(fake, method=method, path=path))[0] == status
    huge = {"Authorization": "Bearer " + "x" * 20_000}
    assert (await ask(fake, headers=huge))[0] == 400
    assert fake.presented == []
    assert "xxxx" not in caplog.text


@pytest.mark.parametrize(
    ("outcome", "status", "again"),
    [
        (Accepted(), 204, None),
        (BadReport("state is missing."), 400, None),
        (Unknown(), 401, None),
        (RejoinDenied("Not this Pod."), 403, None),
        (Outdated("An earlier Pod."), 409, None),
        (TooOften(0.4), 429, "1"),
        (UnavailableError("API server unreachable"), 503, "1"),
    ],
)
async def test_every_outcome_of_a_report_has_its_status(
    outcome: ReportOutcome | Exception, status: int, again: str | None
) -> None:
    fake = FakeServices(outcome)
    got, _, headers = await ask(fake, path="/report", data=b'{"state": "recording"}')
    assert (got, headers.get("Retry-After")) == (status, again)
    assert headers["Cache-Control"] == "no-store"
    assert fake.bodies == ([] if status in (401, 429) else [b'{"state": "recording"}'])


async def test_a_report_has_at_most_4_kib_and_is_read_only_for_known_callers() -> None:
    assert (await ask(FakeServices(Accepted()), path="/report", data=b"x" * 4096))[0] == 204
    assert (await ask(FakeServices(Accepted()), path="/report", data=b"x" * 4097))[0] == 413
    assert (await ask(FakeServices(Unknown()), path="/report", data=b"x" * 100_000))[0] == 401
    assert (await ask(FakeServices(Accepted()), path="/report", method="GET"))[0] == 405


async def test_a_new_join_as_json_has_the_names_of_the_variables() -> None:
    headers = {**HEADERS, "Accept": "application/json"}
    fake = FakeServices(Granted(SecretStr("fresh"), Extras(sdk_jwt=SecretStr("jwt"), on_behalf=SecretStr("obf"))))
    status, text, answered = await ask(fake, headers=headers)
    assert (status, json.loads(text)) == (
        200,
        {"ZOOM_JOIN_TOKEN": "fresh", "ZOOM_TOKEN_REASON": "", "ZOOM_SDK_JWT": "jwt", "ZOOM_OBF_TOKEN": "obf"},
    )
    assert answered["Content-Type"].startswith("application/json")
    fake = FakeServices(NoToken("NoMapping", "No credential.", extras=Extras(sdk_jwt=SecretStr("jwt"))))
    assert json.loads((await ask(fake, headers=headers))[1])["ZOOM_TOKEN_REASON"] == "NoMapping"
    assert (await ask(FakeServices(NoToken("MeetingEnded", "Over.")), headers=headers))[0] == 404


async def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("tokens.example", "127.0.0.1")
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(key))
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    fake = FakeServices(Granted(SecretStr("fresh-token")))
    async with (
        serve_tokens(services=lambda: services(fake), port=0, host="127.0.0.1", tls=tmp_path) as port,
        aiohttp.ClientSession() as session,
    ):
        async with session.post(f"https://127.0.0.1:{port}/token", headers=HEADERS, ssl=trusted) as answer:
            assert (answer.status, await answer.text()) == (200, "fresh-token")
        with pytest.raises(aiohttp.ClientError):
            await session.post(f"http://127.0.0.1:{port}/token", headers=HEADERS)
