"""No secret that passes through the client can be read from what it shows: texts, reprs, tracebacks, logs."""

from __future__ import annotations

import copy
import logging
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest
from meetingbots.zoom.api import ZoomAPI
from meetingbots.zoom.errors import ZoomError
from meetingbots.zoom.links import parse_meeting
from meetingbots.zoom.oauth import AppCredentials, OAuthClient
from pydantic import SecretStr

from tests.unit.zoom.conftest import ScriptedZoom

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SENT = SecretStr("Sent9Secret4242")
GIVEN = "Given9Secret4242"
APP = AppCredentials("client", SecretStr("App9Secret4242"))
MEETING = "81234567890"

Ask = Callable[[OAuthClient, ZoomAPI], Awaitable[object]]


async def _lists(api: ZoomAPI) -> object:
    return [page async for page in api.meeting_pages(SENT)], [user async for user in api.users(SENT)]


ASKS: dict[str, Ask] = {
    "refresh": lambda oauth, api: oauth.refresh(APP, refresh_token=SENT, now=NOW),
    "code": lambda oauth, api: oauth.redeem_code(APP, code=SENT, redirect_uri="r", code_verifier=SENT, now=NOW),
    "account": lambda oauth, api: oauth.account_token(APP, account_id="a", now=NOW),
    "check": lambda oauth, api: oauth.check_app(APP, now=NOW),
    "me": lambda oauth, api: api.me(SENT),
    "lists": lambda oauth, api: _lists(api),
    "meeting": lambda oauth, api: api.meeting(SENT, meeting_id=MEETING),
    "join": lambda oauth, api: api.join_token(SENT, meeting_id=MEETING),
    "obf": lambda oauth, api: api.on_behalf_token(SENT, meeting_id=MEETING),
    "zak": lambda oauth, api: api.zak(SENT),
}
ECHO = f"{SENT.get_secret_value()} {GIVEN} App9Secret4242"
ANSWERS: dict[str, httpx.Response | Exception] = {
    "unknown": httpx.Response(400, json={"code": 9, "message": ECHO}),
    "oauth": httpx.Response(400, json={"error": "invalid_grant", "reason": ECHO}),
    "odd": httpx.Response(400, json={"error": SENT.get_secret_value().lower(), "code": GIVEN, "message": ECHO}),
    "scopes": httpx.Response(400, json={"code": 4711, "message": f"does not contain scopes:[{ECHO}]"}),
    "limit": httpx.Response(429, json={"message": ECHO}, headers={"retry-after": GIVEN, "x-ratelimit-type": ECHO}),
    "html": httpx.Response(502, text=f"<html>{ECHO}</html>"),
    "garbled": httpx.Response(200, text=f'{{"access_token": "{ECHO}'),
    "incomplete": httpx.Response(200, json={"refresh_token": GIVEN, "access_token": ECHO, "users": ECHO}),
    "network": httpx.ReadError(ECHO),
    "good": httpx.Response(
        200,
        json={
            "access_token": GIVEN,
            "refresh_token": GIVEN,
            "token": GIVEN,
            "status": "success",
            "id": "x",
            "host_id": "h",
            "email": GIVEN,
            "host_email": GIVEN,
            "meetings": [{"id": 81234567890, "topic": GIVEN}],
            "users": [{"id": "y", "email": GIVEN}],
        },
    ),
}


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
@pytest.mark.parametrize("ask", ASKS, ids=str)
async def test_nothing_shows_a_secret(
    http: httpx.AsyncClient, zoom: ScriptedZoom, caplog: pytest.LogCaptureFixture, ask: str, answer: str
) -> None:
    caplog.set_level(logging.DEBUG)
    reply = ANSWERS[answer]
    zoom.says(
        copy.deepcopy(reply)
        if isinstance(reply, Exception)
        else httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)
    )
    try:
        got = await ASKS[ask](OAuthClient(http), ZoomAPI(http))
        shown = f"{got!r} {got}"
    except ZoomError as error:
        shown = f"{error!r} {error} {error.args} {vars(error)} {''.join(traceback.format_exception(error))}"
    shown += caplog.text
    for secret in (SENT.get_secret_value(), GIVEN, "App9Secret4242"):
        assert secret.lower() not in shown.lower()
    assert caplog.records or answer == "network", "httpx logs every answer, so the log was really watched"


def test_the_log_is_really_searched(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").info("x %s", GIVEN)
    assert GIVEN in caplog.text


def test_links_show_no_passcode() -> None:
    link = parse_meeting(f"https://zoom.us/j/{MEETING}?pwd={GIVEN}&tk={GIVEN}")
    assert GIVEN not in f"{link!r} {link}"
    assert GIVEN in link.join_url().get_secret_value()
