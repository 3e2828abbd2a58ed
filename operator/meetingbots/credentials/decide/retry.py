"""When Zoom is asked again after it did not give what was asked for, and what its refusal means for a credential."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from meetingbots.credentials.decide.facts import Failure
from meetingbots.models.credential import CredentialError, CredentialReason
from meetingbots.zoom.errors import Cause, ZoomError

_FIRST_SECONDS: Final = 5.0
_LONGEST_SECONDS: Final = 600.0
MENDABLE_SECONDS: Final = 30.0
"""A definite refusal that someone may mend at Zoom or in a Secret is looked at again this often."""

_IN_THE_TOKEN: Final = frozenset({Cause.SCOPES_MISSING, Cause.NO_PERMISSION})
"""What no waiting mends: the next token may have it, and with that one it is asked at once."""

_SPENT: Final = frozenset(
    {
        Cause.GRANT_INVALID,
        Cause.CONSENT_REVOKED,
        Cause.CODE_EXPIRED,
        Cause.CODE_INVALID,
        Cause.REDIRECT_MISMATCH,
    }
)
_REASONS: Final = {
    Cause.APP_INVALID: CredentialReason.APP_INVALID,
    Cause.APP_DISABLED: CredentialReason.APP_INVALID,
    Cause.WRONG_TOKEN_KIND: CredentialReason.APP_INVALID,
    Cause.DISABLED_BY_ADMIN: CredentialReason.DISABLED_BY_ADMIN,
    Cause.USER_INACTIVE: CredentialReason.USER_INACTIVE,
    Cause.USER_NOT_FOUND: CredentialReason.USER_INACTIVE,
    Cause.OTHER_USER: CredentialReason.USER_MISMATCH,
    Cause.SCOPES_MISSING: CredentialReason.SCOPES_MISSING,
    Cause.NO_PERMISSION: CredentialReason.SCOPES_MISSING,
    **dict.fromkeys(_SPENT, CredentialReason.REAUTHORIZATION_REQUIRED),
}


def is_final(error: ZoomError) -> bool:
    """Whether this token or grant is dead: asking with it again is of no use, whatever someone mends."""
    return error.definite and error.kind in _SPENT


def reason_of(error: ZoomError, *, renewable: bool = False) -> CredentialReason:
    """The reason of Ready that fits; whatever is not definite is `ZoomUnavailable`.

    `renewable` grants have no person who could consent anew: what Zoom does not take there is the app's setting.
    """
    if not error.definite:
        return CredentialReason.ZOOM_UNAVAILABLE
    if renewable and error.kind in _SPENT:
        return CredentialReason.APP_INVALID
    return _REASONS.get(error.kind, CredentialReason.ZOOM_UNAVAILABLE)


def trouble_after(error: ZoomError, *, before: Failure | None, now: datetime, renewable: bool = False) -> Failure:
    """What is known after one more failure at `now`.

    A definite refusal that is the same as before does not count again, so that a status does not change every half
    minute for one and the same cause. For want of a scope it is asked ever less often, up to 10 min apart.
    """
    reason, message = reason_of(error, renewable=renewable), sentence(error)
    same = before is not None and (before.reason, before.code, before.message) == (reason, code_of(error), message)
    failures = 1 if before is None else before.failures if same and error.definite else before.failures + 1
    again = retry_at(error, failures=failures, now=now)
    if before is not None and same and error.definite and error.kind in _IN_THE_TOKEN:
        again = now + min(2 * (before.retry_at - before.time), timedelta(seconds=_LONGEST_SECONDS))
    return Failure(
        reason=reason,
        definite=error.definite,
        code=code_of(error),
        message=message,
        time=now,
        failures=failures,
        retry_at=again,
    )


def retry_at(error: ZoomError, *, failures: int, now: datetime) -> datetime:
    """When to ask again: when Zoom says, else soon for what someone may mend, else after growing delays."""
    if error.definite:
        return now + timedelta(seconds=MENDABLE_SECONDS)
    return error.retry_at(now) or now + backoff(failures)


def backoff(failures: int) -> timedelta:
    """5 s, doubled with each failure in a row, up to 10 min; `failures` counts from 1."""
    return timedelta(seconds=min(_LONGEST_SECONDS, _FIRST_SECONDS * 2 ** min(max(failures, 1) - 1, 10)))


def code_of(error: ZoomError) -> str:
    """Zoom's code, else the HTTP status, else nothing."""
    return error.code or (str(error.http_status) if error.http_status else "")


def sentence(error: ZoomError) -> str:
    """The error as a sentence."""
    text = error.message.rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def error_for_status(
    error: ZoomError, *, reason: str, before: CredentialError | None, now: datetime
) -> CredentialError:
    """The failure as `lastError`. One that is definite and the same as before keeps the time when it was first told."""
    told = CredentialError(reason=reason, code=code_of(error), message=sentence(error), time=now.replace(microsecond=0))
    if before is not None and error.definite and before.model_copy(update={"time": told.time}) == told:
        return before
    return told
