"""The table of Zoom's error answers and their meaning, read from the top: the first matching row decides.

Sources: Zoom API reference (errors of each method), Zoom's OAuth error codes 4700-4741, and answers seen on live Zoom.
An answer without a row is transient: an unknown answer must not end a consent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from meetingbots.zoom.errors import Cause, PermanentError, TransientError, ZoomError
from meetingbots.zoom.http.calls import Call, Family
from meetingbots.zoom.http.responses import Reading, Shape, ZoomResponse, is_daily, plain_words, read, retry_after

_LIMITED = "Zoom's rate limit is reached"
_AWAY = "Zoom cannot answer at the moment"
_EXPIRED = "Zoom no longer accepts the access token"
_SCOPES = "the consent lacks scopes that this call needs"
_CLIENT = "Zoom does not accept the client ID and secret"
_APP_TYPE = "the type of the Zoom app does not support this grant"
_CODE = "Zoom does not accept the authorization code"
_CODE_OLD = "the authorization code has expired"
_REDIRECT = "the redirect URI differs from the one of the consent"
_GRANT = "Zoom no longer accepts the refresh token"
_ACCOUNT = "Zoom does not accept the account ID for this app"
_REVOKED = "the consent was revoked, or replaced by a newer one"
_NO_MEETING = "the meeting does not exist at Zoom, or this user may not see it"
_NOT_HOST = "this user may not act for the meeting's host"
_NO_USER = "the user does not exist in this Zoom account"
_NO_FEATURE = "the Zoom account or its plan does not allow this"
_GRANTS = Family.REFRESH | Family.CODE | Family.ACCOUNT_TOKEN
_OF_MEETINGS = Family.JOIN_TOKEN | Family.MEETING | Family.ON_BEHALF
_OF_USERS = Family.USER | Family.LISTS | Family.ZAK | Family.ON_BEHALF
_SCOPE_LIST: Final = re.compile(r"scopes?\s*:?\s*\[([^\]]*)\]", re.IGNORECASE)
_SCOPE: Final = re.compile(r"[a-z_]{1,40}(?::[a-z_]{1,40}){1,4}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of answer. All given fields must match; a field that is not given matches every answer."""

    cause: Cause
    says: str
    """The meaning, for people. It quotes nothing of the answer."""
    definite: bool = False
    family: Family = Family.ANY
    status: tuple[int, int] = (100, 999)
    """First and last HTTP status."""
    shape: Shape = Shape.OBJECT
    codes: frozenset[str] = frozenset()
    """Zoom's numeric codes."""
    errors: frozenset[str] = frozenset()
    """OAuth error names."""
    words: re.Pattern[str] | None = None
    """Found anywhere in Zoom's message."""
    maybe_done: bool = False

    def fits(self, reading: Reading, *, family: Family) -> bool:
        """Return whether the row matches an answer to a call of that family."""
        return (
            bool(self.family & family)
            and self.status[0] <= reading.status <= self.status[1]
            and bool(self.shape & reading.shape)
            and (not self.codes or reading.code in self.codes)
            and (not self.errors or reading.oauth_error in self.errors)
            and (self.words is None or self.words.search(reading.text) is not None)
        )


def _transient(
    cause: Cause,
    says: str,
    *,
    family: Family = Family.ANY,
    status: int | tuple[int, int] = (100, 999),
    shape: Shape = Shape.OBJECT,
    codes: str = "",
    words: str = "",
    maybe_done: bool = False,
) -> Row:
    return Row(
        cause=cause,
        says=says,
        family=family,
        status=(status, status) if isinstance(status, int) else status,
        shape=shape,
        codes=frozenset(codes.split()),
        words=re.compile(words, re.IGNORECASE) if words else None,
        maybe_done=maybe_done,
    )


def _permanent(
    cause: Cause,
    says: str,
    *,
    family: Family,
    status: tuple[int, int] = (400, 499),
    codes: str = "",
    errors: str = "",
    words: str = "",
) -> Row:
    row = _transient(cause, says, family=family, status=status, codes=codes, words=words)
    return replace(row, definite=True, errors=frozenset(errors.split()))


_NO_REAL_ANSWER: Final = (
    _transient(Cause.RATE_LIMITED, _LIMITED, status=429, shape=Shape.ANY),
    _transient(Cause.UNAVAILABLE, _AWAY, status=(500, 999), shape=Shape.ANY, maybe_done=True),
    _transient(Cause.UNAVAILABLE, _AWAY, status=408, shape=Shape.ANY, maybe_done=True),
    _transient(Cause.UNAVAILABLE, "Zoom answered with a redirect", status=(300, 399), shape=Shape.ANY, maybe_done=True),
    _transient(Cause.TOKEN_EXPIRED, _EXPIRED, family=Family.REST, status=401, shape=Shape.EMPTY),
    _transient(Cause.UNAVAILABLE, "Zoom answered with a web page instead of data", shape=Shape.HTML, maybe_done=True),
    _transient(Cause.UNAVAILABLE, "Zoom's answer was empty", shape=Shape.EMPTY, maybe_done=True),
    _transient(Cause.UNAVAILABLE, "Zoom's answer could not be read", shape=Shape.GARBLED, maybe_done=True),
    _transient(Cause.UNAVAILABLE, "Zoom's answer is incomplete", status=(100, 299), maybe_done=True),
    _transient(Cause.RATE_LIMITED, _LIMITED, codes="429"),
)

_OAUTH: Final = (
    # 4700 is both "bad client" and Zoom's catch-all for unexpected errors; only the first is an answer.
    _permanent(Cause.APP_INVALID, _CLIENT, family=Family.OAUTH, codes="4700", errors="invalid_client"),
    _permanent(Cause.APP_INVALID, _CLIENT, family=Family.OAUTH, codes="4700", words=r"client.?(id|secret|credential)"),
    _transient(
        Cause.UNAVAILABLE, "Zoom reports an unexpected error", family=Family.OAUTH, codes="4700", maybe_done=True
    ),
    _transient(
        Cause.UNAVAILABLE,
        "Zoom reports an unexpected error",
        family=Family.OAUTH,
        words=r"^(exception message|internal (server )?error)\W*$",
        maybe_done=True,
    ),
    _permanent(Cause.APP_INVALID, _CLIENT, family=Family.OAUTH, codes="4702 4704"),
    _permanent(Cause.APP_INVALID, _APP_TYPE, family=_GRANTS, codes="4705"),
    _permanent(Cause.APP_DISABLED, "the Zoom app is disabled", family=Family.OAUTH, codes="4717"),
    _permanent(
        Cause.DISABLED_BY_ADMIN, "the account's administrator disabled the app", family=Family.OAUTH, codes="4738"
    ),
    _permanent(
        Cause.USER_INACTIVE,
        "the consent's Zoom user is deactivated or deleted",
        family=Family.OAUTH,
        codes="4735",
    ),
    _permanent(Cause.CONSENT_REVOKED, _REVOKED, family=Family.OAUTH, codes="4740 4741"),
    _permanent(Cause.REDIRECT_MISMATCH, _REDIRECT, family=Family.CODE, codes="4709"),
    _permanent(Cause.CODE_EXPIRED, _CODE_OLD, family=Family.CODE, codes="4733"),
    _permanent(Cause.CODE_INVALID, _CODE, family=Family.CODE, codes="4706 4711 4734"),
    _permanent(Cause.GRANT_INVALID, _ACCOUNT, family=Family.ACCOUNT_TOKEN, codes="4706"),
    _permanent(Cause.GRANT_INVALID, _GRANT, family=Family.REFRESH, codes="4711 4737"),
    _permanent(Cause.APP_INVALID, _CLIENT, family=Family.OAUTH, errors="invalid_client"),
    _permanent(Cause.APP_INVALID, _APP_TYPE, family=_GRANTS, errors="unsupported_grant_type unauthorized_client"),
    _permanent(Cause.REDIRECT_MISMATCH, _REDIRECT, family=Family.CODE, words=r"redirect.?ur[il]"),
    _permanent(
        Cause.CODE_EXPIRED, _CODE_OLD, family=Family.CODE, errors="invalid_grant invalid_request", words=r"expired"
    ),
    _permanent(Cause.CODE_INVALID, _CODE, family=Family.CODE, errors="invalid_grant invalid_request"),
    _permanent(Cause.GRANT_INVALID, _ACCOUNT, family=Family.ACCOUNT_TOKEN, errors="invalid_grant invalid_request"),
    _permanent(Cause.GRANT_INVALID, _GRANT, family=Family.REFRESH, errors="invalid_grant"),
    _permanent(
        Cause.GRANT_INVALID,
        _GRANT,
        family=Family.REFRESH,
        errors="invalid_request",
        words=r"invalid (refresh.?)?token",
    ),
)

_TOKEN: Final = (
    # Before the codes: 4711, 104 and 200 all have these words.
    _permanent(Cause.SCOPES_MISSING, _SCOPES, family=Family.REST, words=r"(not|n't) contain (the )?(required )?scope"),
    # Only a refresh decides over the consent: this may be the access token of an older one.
    _transient(Cause.TOKEN_EXPIRED, _EXPIRED, family=Family.REST, status=(400, 401), codes="4740 4741"),
    _transient(Cause.TOKEN_EXPIRED, _EXPIRED, family=Family.REST, status=401, codes="124"),
    _transient(
        Cause.TOKEN_EXPIRED, _EXPIRED, family=Family.REST, codes="124", words=r"expired|invalid access token|revoked"
    ),
    _permanent(Cause.WRONG_TOKEN_KIND, "the call does not accept this grant's token", family=Family.REST, codes="124"),
    _transient(Cause.TOKEN_EXPIRED, _EXPIRED, family=Family.REST, status=401),
    _transient(
        Cause.PAGE_EXPIRED, "the list was interrupted for too long", family=Family.LISTS, words=r"next.?page.?token"
    ),
)

_MEETING: Final = (
    _permanent(
        Cause.USER_NOT_IN_MEETING,
        "the user on whose behalf the bot would join is not in the meeting",
        family=Family.ON_BEHALF,
        words=r"\bnot (yet )?(in|join|present|part)|must (be in|join|have joined)|has ?n.t joined",
    ),
    _permanent(
        Cause.IS_WEBINAR, "the ID is a webinar's, not a meeting's", family=_OF_MEETINGS, codes="3000", words="webinar"
    ),
    _permanent(
        Cause.IS_MEETING,
        "the ID is a meeting's, not a webinar's",
        family=_OF_MEETINGS,
        codes="3000",
        words="cannot access meeting",
    ),
    _permanent(
        Cause.LOCAL_RECORDING_DISABLED,
        "local recording is switched off for the host or the account",
        family=Family.RECORDING_TOKEN,
        codes="3000",
    ),
    _permanent(Cause.FEATURE_DISABLED, _NO_FEATURE, family=Family.OTHER_JOIN_TOKEN, codes="3000"),
    _permanent(Cause.FEATURE_DISABLED, _NO_FEATURE, family=Family.JOIN_TOKEN, codes="200", words=r"\bpaid\b|\bplan\b"),
    _permanent(Cause.NOT_THE_HOST, _NOT_HOST, family=_OF_MEETINGS, codes="200 3003 3161"),
    _permanent(Cause.NOT_THE_HOST, "this user has no licence to host", family=Family.LISTS, codes="3161"),
    _permanent(Cause.FEATURE_DISABLED, _NO_FEATURE, family=Family.LISTS, codes="200", words=r"\bplan\b"),
    _permanent(Cause.MEETING_NOT_FOUND, _NO_MEETING, family=_OF_MEETINGS, codes="3001"),
    _permanent(Cause.MEETING_NOT_FOUND, _NO_MEETING, family=_OF_MEETINGS, status=(404, 404), codes="300"),
    _permanent(Cause.INVALID_MEETING, "Zoom does not accept this meeting ID", family=_OF_MEETINGS, codes="300"),
)

_USER: Final = (
    _permanent(
        Cause.USER_INACTIVE,
        "the Zoom user is deactivated",
        family=_OF_USERS | Family.MEETING | Family.JOIN_TOKEN,
        words=r"\buser\b.*\b(inactive|not active|deactivated|disabled|locked)\b",
    ),
    _permanent(Cause.USER_NOT_FOUND, _NO_USER, family=Family.REST, codes="1001 1010"),
    _permanent(Cause.NO_PERMISSION, "this user lacks the permission at Zoom", family=_OF_USERS, codes="200"),
)

TABLE: Final[tuple[Row, ...]] = (*_NO_REAL_ANSWER, *_OAUTH, *_TOKEN, *_MEETING, *_USER)


_UNKNOWN: Final = Row(cause=Cause.UNKNOWN, says="Zoom gave an unknown answer")


def classify(answer: ZoomResponse, *, call: Call) -> ZoomError:
    """Return the error that an answer means; an incomplete answer is an error, too. The caller raises it."""
    reading = read(answer)
    row = next((row for row in TABLE if row.fits(reading, family=call.family)), _UNKNOWN)
    kind = PermanentError if row.definite else TransientError
    scopes = missing_scopes(reading.text) if row.cause is Cause.SCOPES_MISSING else ()
    return kind(
        row.cause,
        message=_message(row, reading=reading, scopes=scopes),
        code=reading.code or reading.oauth_error,
        http_status=answer.status,
        retry_after=None if row.definite else retry_after(answer.headers),
        scopes=scopes,
        daily=row.cause is Cause.RATE_LIMITED and is_daily(answer.headers, text=reading.text),
        maybe_done=row.maybe_done,
    )


def missing_scopes(text: str) -> tuple[str, ...]:
    """Return the scopes that Zoom names as missing: ``… does not contain scopes:[a:b, c:d].``."""
    listed = _SCOPE_LIST.search(text)
    return tuple(dict.fromkeys(_SCOPE.findall(listed.group(1)))) if listed else ()


def _message(row: Row, *, reading: Reading, scopes: tuple[str, ...]) -> str:
    code = reading.code or reading.oauth_error
    where = f"HTTP {reading.status}, {code}" if code else f"HTTP {reading.status}"
    text = f"{row.says} ({where})"
    if scopes:
        return f"{text}: {', '.join(scopes)}"
    if row.cause is Cause.UNKNOWN and reading.text:
        return f"{text}: {plain_words(reading.text)}"
    return text
