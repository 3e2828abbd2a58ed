from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from meetingbots.zoom.errors import Cause, PermanentError, TransientError
from meetingbots.zoom.http import calls
from meetingbots.zoom.http.calls import Call
from meetingbots.zoom.http.error_table import TABLE, Row, classify, missing_scopes
from meetingbots.zoom.http.responses import ZoomResponse, read

HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Example:
    call: Call
    status: int
    body: dict[str, Any] | bytes
    cause: Cause
    definite: bool
    maybe_done: bool = False
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def answer(self) -> ZoomResponse:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return ZoomResponse(status=self.status, headers=self.headers, body=body)

    def __str__(self) -> str:
        return f"{self.call.name}-{self.status}-{self.body!r:.60}"


def definite(call: Call, status: int, body: dict[str, Any], cause: Cause, code: str | None = None) -> Example:
    return Example(call, status, body, cause, definite=True, code=code)


def passing(
    call: Call,
    status: int,
    body: dict[str, Any] | bytes,
    cause: Cause,
    *,
    maybe_done: bool = False,
    code: str | None = None,
) -> Example:
    return Example(call, status, body, cause, definite=False, maybe_done=maybe_done, code=code)


def oauth(error: str, reason: str = "Bad Request") -> dict[str, Any]:
    return {"error": error, "reason": reason}


def rest(code: int, message: str = "No.") -> dict[str, Any]:
    return {"code": code, "message": message}


CATCH_ALL = {"errorCode": 4700, "reason": "Exception message", "error": "invalid_request"}
NO_REAL_ANSWER = [
    *(
        passing(call, 400, CATCH_ALL, Cause.UNAVAILABLE, maybe_done=True, code="4700")
        for call in (calls.REFRESH, calls.REDEEM_CODE, calls.ACCOUNT_TOKEN, calls.CHECK_APP)
    ),
    *(
        passing(call, 400, oauth("invalid_request", "Exception message"), Cause.UNAVAILABLE, maybe_done=True)
        for call in (calls.REFRESH, calls.REDEEM_CODE, calls.ACCOUNT_TOKEN)
    ),
    passing(calls.REFRESH, 401, oauth("invalid_grant", "(4,700)"), Cause.UNAVAILABLE, maybe_done=True),
    passing(calls.REFRESH, 400, {"code": 4700, "message": "?"}, Cause.UNAVAILABLE, maybe_done=True),
    passing(calls.REFRESH, 429, b"", Cause.RATE_LIMITED),
    passing(calls.MEETING, 429, HTML, Cause.RATE_LIMITED),
    passing(calls.MEETING, 429, rest(429, "maximum per-second rate limit"), Cause.RATE_LIMITED, code="429"),
    passing(calls.MEETING, 400, rest(429, "You have reached the limit"), Cause.RATE_LIMITED),
    passing(calls.REFRESH, 502, HTML, Cause.UNAVAILABLE, maybe_done=True),
    passing(calls.REFRESH, 500, oauth("invalid_grant"), Cause.UNAVAILABLE, maybe_done=True),
    passing(calls.REFRESH, 408, b"", Cause.UNAVAILABLE, maybe_done=True),
    passing(calls.REFRESH, 302, b"", Cause.UNAVAILABLE, maybe_done=True),
    passing(calls.REFRESH, 403, HTML, Cause.UNAVAILABLE, maybe_done=True),
    passing(calls.MEETING, 404, HTML, Cause.UNAVAILABLE, maybe_done=True),
    passing(calls.REFRESH, 200, b"", Cause.UNAVAILABLE, maybe_done=True),
    passing(calls.REFRESH, 401, b"", Cause.UNAVAILABLE, maybe_done=True),
    passing(calls.REFRESH, 200, b'{"access_tok', Cause.UNAVAILABLE, maybe_done=True),
    passing(calls.REFRESH, 400, b"[1]", Cause.UNAVAILABLE, maybe_done=True),
    passing(calls.REFRESH, 200, {"hello": 1}, Cause.UNAVAILABLE, maybe_done=True),
]
OAUTH = [
    definite(calls.REFRESH, 401, oauth("invalid_client", "Invalid client_id or client_secret"), Cause.APP_INVALID),
    definite(calls.CHECK_APP, 400, oauth("invalid_request", "Invalid client_id: (4,700)"), Cause.APP_INVALID, "4700"),
    definite(
        calls.REFRESH, 401, {"errorCode": 4700, "error": "invalid_client", "reason": "x"}, Cause.APP_INVALID, "4700"
    ),
    definite(calls.REDEEM_CODE, 400, oauth("invalid_request", "Invalid client secret 4702"), Cause.APP_INVALID),
    definite(calls.REFRESH, 400, {"code": 4704, "message": "x"}, Cause.APP_INVALID, "4704"),
    definite(calls.ACCOUNT_TOKEN, 400, oauth("unsupported_grant_type"), Cause.APP_INVALID),
    definite(calls.REFRESH, 400, oauth("unauthorized_client"), Cause.APP_INVALID),
    definite(calls.REFRESH, 400, oauth("invalid_request", "Unsupported grant type (4,705)"), Cause.APP_INVALID),
    passing(calls.CHECK_APP, 400, oauth("unsupported_grant_type"), Cause.UNKNOWN),
    definite(calls.REFRESH, 400, oauth("invalid_request", "The app has been disabled (4,717)"), Cause.APP_DISABLED),
    definite(calls.REFRESH, 400, oauth("invalid_grant", "Disabled by admin (4,738)"), Cause.DISABLED_BY_ADMIN),
    definite(calls.REFRESH, 400, oauth("invalid_grant", "Owner of the token gone 4735"), Cause.USER_INACTIVE),
    definite(calls.REFRESH, 400, oauth("invalid_grant", "4740"), Cause.CONSENT_REVOKED),
    definite(calls.REFRESH, 401, oauth("invalid_grant", "Token revoked (4,741)"), Cause.CONSENT_REVOKED, "4741"),
    definite(calls.REDEEM_CODE, 400, oauth("invalid_request", "Redirect (4,709)"), Cause.REDIRECT_MISMATCH),
    definite(calls.REDEEM_CODE, 400, oauth("invalid_grant", "Redirect URI mismatch."), Cause.REDIRECT_MISMATCH),
    definite(calls.REDEEM_CODE, 400, oauth("invalid_grant", "code (4,733)"), Cause.CODE_EXPIRED),
    definite(calls.REDEEM_CODE, 400, oauth("invalid_grant", "Authorization code expired"), Cause.CODE_EXPIRED),
    definite(calls.REDEEM_CODE, 400, oauth("invalid_request", "Invalid authorization code 4734"), Cause.CODE_INVALID),
    definite(calls.REDEEM_CODE, 400, oauth("invalid_grant"), Cause.CODE_INVALID, "invalid_grant"),
    definite(calls.REDEEM_CODE, 400, oauth("invalid_request", "Missing (4,706)"), Cause.CODE_INVALID),
    definite(calls.ACCOUNT_TOKEN, 400, oauth("invalid_request", "Bad Request"), Cause.GRANT_INVALID),
    definite(calls.ACCOUNT_TOKEN, 400, {"code": 4706, "message": "Missing"}, Cause.GRANT_INVALID),
    definite(calls.REFRESH, 401, oauth("invalid_grant", "Invalid Token!"), Cause.GRANT_INVALID, "invalid_grant"),
    definite(calls.REFRESH, 400, oauth("invalid_request", "Refresh token invalid (4,711)"), Cause.GRANT_INVALID),
    definite(calls.REFRESH, 400, oauth("invalid_request", "Invalid Token!"), Cause.GRANT_INVALID),
    definite(calls.REFRESH, 400, oauth("invalid_request", "Not found 4737"), Cause.GRANT_INVALID, "4737"),
    definite(calls.REDEEM_CODE, 400, oauth("invalid_request", "Invalid code x-4733 4709 (4734)"), Cause.CODE_INVALID),
    definite(calls.REDEEM_CODE, 400, oauth("invalid_grant", "Bad code aB4711xY"), Cause.CODE_INVALID, "invalid_grant"),
    passing(calls.REFRESH, 400, oauth("invalid_request", "Bad Request"), Cause.UNKNOWN),
    passing(calls.REFRESH, 400, oauth("something_new"), Cause.UNKNOWN, code="something_new"),
    passing(calls.REFRESH, 403, {"no": "idea"}, Cause.UNKNOWN, code=""),
]
LACKING = "Invalid access token, does not contain scopes:[meeting:read:list_meetings, user:read:user]."
REST = [
    passing(calls.MEETING, 401, rest(124, "Invalid access token."), Cause.TOKEN_EXPIRED, code="124"),
    passing(calls.USER, 401, rest(124, "Access token is expired."), Cause.TOKEN_EXPIRED),
    passing(calls.USER, 401, b"", Cause.TOKEN_EXPIRED),
    passing(calls.USER, 401, rest(7, "?"), Cause.TOKEN_EXPIRED),
    passing(calls.USER, 400, rest(4741, "The token has been revoked."), Cause.TOKEN_EXPIRED),
    passing(calls.MEETING, 400, rest(124, "Access token is expired."), Cause.TOKEN_EXPIRED),
    definite(
        calls.RECORDING_TOKEN, 400, rest(124, "This API does not support client credentials."), Cause.WRONG_TOKEN_KIND
    ),
    definite(calls.MEETINGS, 400, rest(4711, LACKING), Cause.SCOPES_MISSING, "4711"),
    definite(calls.MEETINGS, 401, rest(104, LACKING), Cause.SCOPES_MISSING),
    passing(
        calls.MEETINGS, 400, rest(300, "The next page token is either invalid or has expired."), Cause.PAGE_EXPIRED
    ),
    definite(calls.RECORDING_TOKEN, 400, rest(300, "Invalid meeting id."), Cause.INVALID_MEETING),
    definite(calls.RECORDING_TOKEN, 404, rest(300, "Meeting does not exist."), Cause.MEETING_NOT_FOUND),
    definite(calls.RECORDING_TOKEN, 404, rest(3001, "Meeting does not exist."), Cause.MEETING_NOT_FOUND),
    definite(calls.MEETING, 404, rest(3001, "Meeting is not found or has expired."), Cause.MEETING_NOT_FOUND),
    definite(calls.RECORDING_TOKEN, 400, rest(3000, "Cannot access webinar information."), Cause.IS_WEBINAR),
    definite(calls.RECORDING_TOKEN, 400, rest(3000, "Cannot access meeting information."), Cause.IS_MEETING),
    definite(calls.RECORDING_TOKEN, 400, rest(3000, "Not allowed."), Cause.LOCAL_RECORDING_DISABLED),
    definite(calls.STREAMING_TOKEN, 400, rest(3000, "Not allowed."), Cause.FEATURE_DISABLED),
    definite(calls.STREAMING_TOKEN, 400, rest(200, "Only available for paid accounts."), Cause.FEATURE_DISABLED),
    definite(calls.MEETINGS, 400, rest(3161, "Your user account is not allowed meeting hosting."), Cause.NOT_THE_HOST),
    definite(calls.WEBINARS, 400, rest(200, "Webinar plan is missing."), Cause.FEATURE_DISABLED),
    definite(calls.MEETINGS, 400, rest(200, "No permission."), Cause.NO_PERMISSION),
    definite(calls.RECORDING_TOKEN, 400, rest(3161, "Your account is not allowed to host."), Cause.NOT_THE_HOST),
    definite(calls.RECORDING_TOKEN, 400, rest(200, "No permission."), Cause.NOT_THE_HOST),
    definite(calls.ON_BEHALF_TOKEN, 400, rest(9999, "The user is not in the meeting."), Cause.USER_NOT_IN_MEETING),
    definite(calls.ON_BEHALF_TOKEN, 404, rest(3001, "Meeting does not exist."), Cause.MEETING_NOT_FOUND),
    definite(calls.USER, 404, rest(1001, "User does not exist."), Cause.USER_NOT_FOUND),
    definite(calls.MEETINGS, 404, rest(1010, "User does not belong to this account."), Cause.USER_NOT_FOUND),
    definite(calls.USER, 400, rest(5, "User is deactivated."), Cause.USER_INACTIVE),
    definite(calls.USERS, 400, rest(200, "No permission."), Cause.NO_PERMISSION),
    passing(calls.MEETING, 404, rest(31415, "Never heard of."), Cause.UNKNOWN, code="31415"),
    passing(calls.MEETING, 400, {"code": "not-a-number", "message": ["x"]}, Cause.UNKNOWN, code=""),
    passing(calls.USER, 400, {"status": False, "errorCode": 9, "errorMessage": "x"}, Cause.UNKNOWN, code="9"),
]
EXAMPLES = [*NO_REAL_ANSWER, *OAUTH, *REST]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_each_answer_has_its_meaning(example: Example) -> None:
    error = classify(example.answer, call=example.call)
    assert (error.kind, error.definite) == (example.cause, example.definite)
    assert isinstance(error, PermanentError if example.definite else TransientError)
    assert error.maybe_done is example.maybe_done
    assert error.http_status == example.status
    assert example.code is None or error.code == example.code
    assert str(error) == error.message
    assert f"HTTP {example.status}" in str(error)


def deciding_row(example: Example) -> Row | None:
    return next((row for row in TABLE if row.fits(read(example.answer), family=example.call.family)), None)


def test_every_row_of_the_table_decides_an_example() -> None:
    deciding = [deciding_row(example) for example in EXAMPLES]
    assert [row for row in TABLE if row not in deciding] == []


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("body", [HTML, b"", b"{", b"null", b'{"error":"invalid_grant"}', b'{"code":3001}'])
@pytest.mark.parametrize("call", [calls.REFRESH, calls.RECORDING_TOKEN, calls.USER])
def test_limits_and_server_errors_are_passing_whatever_the_body_says(call: Call, body: bytes, status: int) -> None:
    assert not classify(ZoomResponse(status=status, headers={}, body=body), call=call).definite


def test_missing_scopes_are_named() -> None:
    error = classify(
        ZoomResponse(status=400, headers={}, body=json.dumps(rest(4711, LACKING)).encode()), call=calls.MEETINGS
    )
    assert error.scopes == ("meeting:read:list_meetings", "user:read:user")
    assert "meeting:read:list_meetings, user:read:user" in str(error)


@pytest.mark.parametrize(
    ("text", "scopes"),
    [
        ("does not contain scopes:[a:b, c:d:admin].", ("a:b", "c:d:admin")),
        ("does not contain scopes [a:b,a:b]", ("a:b",)),
        ("does not contain scopes.", ()),
        ("does not contain scopes:[eyJhbGciOi.J9, <script>]", ()),
    ],
)
def test_scope_lists(text: str, scopes: tuple[str, ...]) -> None:
    assert missing_scopes(text) == scopes


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "999999"}, 172_800.0),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:00 GMT"}, datetime(2026, 11, 24, 12, tzinfo=UTC)),
        ({"retry-after": "2026-11-25T00:00:00Z"}, datetime(2026, 11, 25, tzinfo=UTC)),
        ({"retry-after": "2026-11-25T01:00:00+01:00"}, datetime(2026, 11, 25, tzinfo=UTC)),
        ({"retry-after": "2026-11-25T00:00:00"}, datetime(2026, 11, 25, tzinfo=UTC)),
        ({"x-ratelimit-reset": "1795521600"}, datetime(2026, 11, 24, 12, tzinfo=UTC)),
        ({"x-ratelimit-reset": "1795521600000"}, datetime(2026, 11, 24, 12, tzinfo=UTC)),
        ({"retry-after": "soon", "x-ratelimit-reset": "3"}, 3.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "0000-00-00T99:99:99Z"}, None),
        ({}, None),
    ],
)
def test_retry_after_in_each_form(headers: dict[str, str], expected: float | datetime | None) -> None:
    error = classify(ZoomResponse(status=429, headers=headers, body=b"{}"), call=calls.MEETING)
    assert error.retry_after == expected


@pytest.mark.parametrize(
    ("headers", "message", "daily"),
    [
        ({"x-ratelimit-type": "Daily-limit"}, "", True),
        ({"x-ratelimit-type": "QPS"}, "daily", False),
        ({}, "You have reached the maximum daily rate limit for this API.", True),
        ({}, "You have reached the maximum per-second rate limit for this API.", False),
    ],
)
def test_daily_limits_are_recognised(headers: dict[str, str], message: str, daily: bool) -> None:
    body = json.dumps(rest(429, message)).encode()
    assert classify(ZoomResponse(status=429, headers=headers, body=body), call=calls.MEETING).daily is daily


def test_a_definite_answer_names_no_time_to_try_again() -> None:
    answer = ZoomResponse(status=404, headers={"retry-after": "5"}, body=json.dumps(rest(3001)).encode())
    assert classify(answer, call=calls.MEETING).retry_after is None


def test_an_unknown_answer_is_shown_in_plain_words_only() -> None:
    words = "Sorry alice@example.com token eyJhbGciOiJIUzI1NiJ9.e30.x and Zk93bQ8 is bad, see 4242 or 81234567890"
    error = classify(
        ZoomResponse(status=400, headers={}, body=json.dumps(rest(77, words)).encode()), call=calls.MEETING
    )
    assert str(error).endswith(": Sorry … token … and … is bad, see 4242 or …")
