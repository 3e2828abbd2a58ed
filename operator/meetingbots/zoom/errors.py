"""What can go wrong between us and Zoom, in one type.

Whoever holds a token on its way asks one question of a failure: is it definite (Zoom has decided; asking again changes
nothing until a person acts) or passing (ask again later; never costs a credential its consent)? The class answers it,
``kind`` says what it is about.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime, timedelta


class Cause(enum.StrEnum):
    """What a failure is about. The values are stable: they may be shown to people and used as metric labels."""

    APP_INVALID = "AppInvalid"
    """Zoom does not know the client ID, or the client secret is wrong, or the app is of a type without this grant."""
    APP_DISABLED = "AppDisabled"
    """The app itself is disabled."""
    DISABLED_BY_ADMIN = "DisabledByAdmin"
    """The administrator of the user's account has disabled the app."""
    GRANT_INVALID = "GrantInvalid"
    """The refresh token (or the account ID of a server-to-server app) is not accepted."""
    CODE_EXPIRED = "CodeExpired"
    """The authorization code is older than its five minutes."""
    CODE_INVALID = "CodeInvalid"
    """The authorization code was never given, or was used before, or its PKCE verifier is wrong."""
    REDIRECT_MISMATCH = "RedirectMismatch"
    """The redirect URI is not, character by character, the one that the app or the consent used."""
    CONSENT_REVOKED = "ConsentRevoked"
    """The user took the consent back, or gave a newer one."""
    USER_INACTIVE = "UserInactive"
    """The user whose token it is has been deactivated or has left the account."""
    TOKEN_EXPIRED = "TokenExpired"  # noqa: S105 - a cause, not a token
    """The access token is no longer accepted: refresh it once and ask again. Says nothing about the consent."""
    SCOPES_MISSING = "ScopesMissing"
    """The token lacks the scopes in ``ZoomError.scopes``."""
    WRONG_TOKEN_KIND = "WrongTokenKind"  # noqa: S105 - a cause, not a token
    """This call does not take a token from this kind of grant."""
    NO_PERMISSION = "NoPermission"
    """The token's user may not see or do this."""
    MEETING_NOT_FOUND = "MeetingNotFound"
    """There is no such meeting, or none that this token may see."""
    INVALID_MEETING = "InvalidMeeting"
    """Zoom does not take the meeting's ID as one (or it is not this user's meeting)."""
    IS_WEBINAR = "IsWebinar"
    """The ID belongs to a webinar: ask the webinar's calls."""
    IS_MEETING = "IsMeeting"
    """The ID belongs to a meeting, but was asked for as a webinar."""
    LOCAL_RECORDING_DISABLED = "LocalRecordingDisabled"
    """Local recording is switched off for the user or the account."""
    FEATURE_DISABLED = "FeatureDisabled"
    """Live streaming or local archiving is switched off, or not in the account's plan."""
    NOT_THE_HOST = "NotTheHost"
    """The token's user is not the meeting's host (or may not host at all)."""
    USER_NOT_FOUND = "UserNotFound"
    """There is no such user in the token's account."""
    OTHER_USER = "OtherUser"
    """The token is another user's than the one whose consent it was to be."""
    USER_NOT_IN_MEETING = "UserNotInMeeting"
    """An on-behalf token needs its user to be in the meeting, who is not."""
    PAGE_EXPIRED = "PageExpired"
    """The token for the next page is too old (15 min): begin the list again."""
    RATE_LIMITED = "RateLimited"
    """Too many requests: see ``ZoomError.daily`` and ``ZoomError.retry_at``."""
    UNAVAILABLE = "Unavailable"
    """No answer, or none that Zoom's API would give: see ``ZoomError.maybe_done``."""
    UNKNOWN = "Unknown"
    """An answer that we know nothing of: treated as passing."""


class ZoomError(Exception):
    """A call to Zoom that did not succeed; always a :class:`PermanentError` or a :class:`TransientError`.

    ``str()`` is fit for people, logs and statuses: our own words, the HTTP status and Zoom's code; never a request's
    secret, and never a quoted body.

    Attributes:
        kind: what it is about.
        message: the text, as ``str()`` gives it.
        code: Zoom's numeric code (``"3001"``), else the OAuth error (``"invalid_grant"``), else ``""``.
        http_status: status of the answer; None when there was none.
        retry_after: what Zoom asked for: seconds from the answer, or a moment (UTC); None when it said nothing.
        scopes: the scopes that Zoom names as missing (``SCOPES_MISSING`` only).
        daily: the daily limit is used up, not only this second's (``RATE_LIMITED`` only).
        maybe_done: Zoom may have done what was asked although we have no answer: a refresh token that was sent
            may be spent. False when the request surely did nothing.

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
        """Tell when Zoom wants to be asked again at the earliest; ``now`` is when the answer came (UTC).

        A daily limit without a time ends at the next midnight, UTC. None: Zoom gave no time, use your own back-off.
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
    """Zoom has decided: nothing changes until a person (or another token) acts."""

    definite = True


class TransientError(ZoomError):
    """It may go away by itself: network, time-out, 429, 5xx, an HTML page, an answer that nobody knows."""
