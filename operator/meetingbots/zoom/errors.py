"""Errors of calls to Zoom.

The class says whether a retry helps: a permanent error stands until a person acts; a transient one may pass, and never
ends a consent.
``kind`` is the cause.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime, timedelta


class Cause(enum.StrEnum):
    """The cause of an error. The values are stable: statuses show them and metrics use them as labels."""

    APP_INVALID = "AppInvalid"
    """Zoom does not know the client ID, or the client secret is wrong, or the app is of a type without this grant."""
    APP_DISABLED = "AppDisabled"
    """The app itself is disabled."""
    DISABLED_BY_ADMIN = "DisabledByAdmin"
    """The administrator of the user's account has disabled the app."""
    GRANT_INVALID = "GrantInvalid"
    """Zoom rejects the refresh token, or the account ID of a server-to-server app."""
    CODE_EXPIRED = "CodeExpired"
    """The authorization code is older than five minutes."""
    CODE_INVALID = "CodeInvalid"
    """The authorization code is unknown or used, or its PKCE verifier is wrong."""
    REDIRECT_MISMATCH = "RedirectMismatch"
    """The redirect URI differs from the one of the app or the consent; every character counts."""
    CONSENT_REVOKED = "ConsentRevoked"
    """The user revoked the consent or gave a newer one."""
    USER_INACTIVE = "UserInactive"
    """The token's user was deactivated or has left the account."""
    TOKEN_EXPIRED = "TokenExpired"  # noqa: S105 - a cause, not a token
    """Zoom no longer accepts the access token: refresh it and repeat the call. The consent may be valid."""
    SCOPES_MISSING = "ScopesMissing"
    """The token lacks the scopes in ``ZoomError.scopes``."""
    WRONG_TOKEN_KIND = "WrongTokenKind"  # noqa: S105 - a cause, not a token
    """The call does not accept a token of this grant."""
    NO_PERMISSION = "NoPermission"
    """The token's user lacks the permission."""
    MEETING_NOT_FOUND = "MeetingNotFound"
    """The meeting does not exist, or the token may not see it."""
    INVALID_MEETING = "InvalidMeeting"
    """Zoom does not accept the meeting ID, or the meeting is not this user's."""
    IS_WEBINAR = "IsWebinar"
    """The ID belongs to a webinar: use the calls for webinars."""
    IS_MEETING = "IsMeeting"
    """The ID belongs to a meeting: use the calls for meetings."""
    LOCAL_RECORDING_DISABLED = "LocalRecordingDisabled"
    """Local recording is disabled for the user or the account."""
    FEATURE_DISABLED = "FeatureDisabled"
    """The feature is disabled, or not in the account's plan."""
    NOT_THE_HOST = "NotTheHost"
    """The token's user is not the meeting's host, or has no licence to host."""
    USER_NOT_FOUND = "UserNotFound"
    """The user does not exist in the token's account."""
    OTHER_USER = "OtherUser"
    """The token belongs to another user than the consent is meant for."""
    USER_NOT_IN_MEETING = "UserNotInMeeting"
    """The user of an on-behalf token is not in the meeting."""
    PAGE_EXPIRED = "PageExpired"
    """The token of the next page has expired (15 min): read the list from its start."""
    RATE_LIMITED = "RateLimited"
    """Too many requests: see ``ZoomError.daily`` and ``ZoomError.retry_at``."""
    UNAVAILABLE = "Unavailable"
    """No answer, or not one of Zoom's API: see ``ZoomError.maybe_done``."""
    UNKNOWN = "Unknown"
    """An unknown answer, treated as transient."""


class ZoomError(Exception):
    """A failed call to Zoom; always a :class:`PermanentError` or a :class:`TransientError`.

    ``str()`` is fit for people, logs and statuses: it has our own words, the HTTP status and Zoom's code, but no secret
    and no quoted body.

    Attributes:
        kind: the cause.
        message: the text of ``str()``.
        code: Zoom's numeric code (``"3001"``), else the OAuth error (``"invalid_grant"``), else ``""``.
        http_status: status of the answer; None without an answer.
        retry_after: Zoom's wish: seconds from the answer, or a time (UTC); None without one.
        scopes: the scopes that Zoom names as missing (``SCOPES_MISSING`` only).
        daily: the limit of the day is used up, not only that of the second (``RATE_LIMITED`` only).
        maybe_done: Zoom may have acted although there is no answer, so a refresh token may be used up. False when the
            request certainly had no effect.

    """

    definite: bool = False

    def __init__(
        self,
        kind: Cause,
        *,
        message: str,
        code: str = "",
        http_status: int | None = None,
        retry_after: float | datetime | None = None,
        scopes: tuple[str, ...] = (),
        daily: bool = False,
        maybe_done: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.code = code
        self.http_status = http_status
        self.retry_after = retry_after
        self.scopes = scopes
        self.daily = daily
        self.maybe_done = maybe_done

    def retry_at(self, now: datetime) -> datetime | None:
        """Return Zoom's earliest time for a retry; ``now`` is the time of the answer (UTC).

        A daily limit without a time ends at the next midnight, UTC. None: Zoom gave no time, use a backoff.
        """
        if isinstance(self.retry_after, datetime):
            return max(self.retry_after, now)
        if self.retry_after is not None:
            return now + timedelta(seconds=self.retry_after)
        if self.daily:
            return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.kind.value}, code={self.code!r}, http_status={self.http_status})"


class PermanentError(ZoomError):
    """Zoom has decided: a retry fails until a person acts or another token is used."""

    definite = True


class TransientError(ZoomError):
    """A retry may succeed: network failures, timeouts, 429, 5xx, HTML pages, unknown answers."""
