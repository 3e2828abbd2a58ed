"""What a failure means for a credential: when to ask Zoom again, and what people can do about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from meetingbots.credentials.decide.facts import CredentialFacts, Failure
from meetingbots.models.credential import CredentialError, CredentialReason
from meetingbots.models.credential import CredentialReason as Reason
from meetingbots.runtime.plan import Backoff
from meetingbots.zoom.errors import Cause, ZoomError

ZOOM_BACKOFF: Final = Backoff(first=5.0, cap=600.0)
FIXABLE_SECONDS: Final = 30.0
"""Retry interval for a definite refusal that somebody may fix at Zoom or in a Secret."""

_IN_THE_TOKEN: Final = frozenset({Cause.SCOPES_MISSING, Cause.NO_PERMISSION})
"""Only a newer token can fix these; with that one, Zoom is asked at once."""

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
    """Return whether Zoom will never accept this token or grant again."""
    return error.definite and error.kind in _SPENT


def reason_of(error: ZoomError, *, renewable: bool = False) -> CredentialReason:
    """Return the reason for the condition Ready; ZoomUnavailable for whatever is not definite.

    A `renewable` grant has no person who could consent again: what Zoom rejects there is the app's configuration.
    """
    if not error.definite:
        return CredentialReason.ZOOM_UNAVAILABLE
    if renewable and error.kind in _SPENT:
        return CredentialReason.APP_INVALID
    return _REASONS.get(error.kind, CredentialReason.ZOOM_UNAVAILABLE)


def next_failure(error: ZoomError, *, before: Failure | None, now: datetime, renewable: bool = False) -> Failure:
    """Return the failure record after one more error at `now`.

    A definite error that repeats the one before is not counted, so that the status does not change every half minute
    for the same cause. Errors for missing scopes are retried ever less often, up to 10 minutes apart.
    """
    reason, message = reason_of(error, renewable=renewable), sentence(error)
    same = before is not None and (before.reason, before.code, before.message) == (reason, code_of(error), message)
    failures = 1 if before is None else before.failures if same and error.definite else before.failures + 1
    due = retry_at(error, failures=failures, now=now)
    if before is not None and same and error.definite and error.kind in _IN_THE_TOKEN:
        due = now + min(2 * (before.retry_at - before.time), timedelta(seconds=ZOOM_BACKOFF.cap))
    return Failure(
        reason=reason,
        definite=error.definite,
        code=code_of(error),
        message=message,
        time=now,
        failures=failures,
        retry_at=due,
    )


def not_handed_over(message: str, *, now: datetime) -> Failure:
    """Return the failure record while another user's tokens cannot be written to that user's own credential."""
    return Failure(
        reason=CredentialReason.SECRET_CONFLICT,
        definite=True,
        code="",
        message=message,
        time=now,
        failures=1,
        retry_at=now + timedelta(seconds=FIXABLE_SECONDS),
    )


def retry_at(error: ZoomError, *, failures: int, now: datetime) -> datetime:
    """Return when to ask again: soon for what somebody may fix, else when Zoom says, else with growing delays."""
    if error.definite:
        return now + timedelta(seconds=FIXABLE_SECONDS)
    return error.retry_at(now) or now + timedelta(seconds=ZOOM_BACKOFF.delay(failures))


def code_of(error: ZoomError) -> str:
    """Return Zoom's code, else the HTTP status, else an empty text."""
    return error.code or (str(error.http_status) if error.http_status else "")


def sentence(error: ZoomError) -> str:
    """Return the error's message as a sentence."""
    text = error.message.rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def error_for_status(
    error: ZoomError, *, reason: str, before: CredentialError | None, now: datetime
) -> CredentialError:
    """Return `lastError`. A definite error that repeats the one before keeps its time."""
    shown = CredentialError(
        reason=reason, code=code_of(error), message=sentence(error), time=now.replace(microsecond=0)
    )
    if before is not None and error.definite and before.model_copy(update={"time": shown.time}) == shown:
        return before
    return shown


_NEW_CONSENT: Final = "The user must consent again: put the new grant into the grant's Secret."
_CONNECT_AGAIN: Final = "The user must consent again: send them the link in status.connectURL."
_ADVICE: Final = {
    Reason.REAUTHORIZATION_REQUIRED: _NEW_CONSENT,
    Reason.DEAUTHORIZED: _NEW_CONSENT,
    Reason.ROTATION_INTERRUPTED: "Zoom's answer to an earlier refresh was lost, and with it the next refresh token. "
    + _NEW_CONSENT,
    Reason.APP_INVALID: "Check client_id and client_secret in the app Secret, and the app in Zoom's Marketplace.",
    Reason.USER_INACTIVE: "Activate the user in Zoom; the operator retries.",
    Reason.DISABLED_BY_ADMIN: "The account's administrator must allow the app in Zoom; the operator retries.",
    Reason.SCOPES_MISSING: "Add the scopes to the app in Zoom's Marketplace, and have the user consent again.",
    Reason.ZOOM_UNAVAILABLE: "The operator retries.",
}


def advice(reason: Reason, facts: CredentialFacts) -> str:
    """Return what to do about a reason; empty when there is nothing to do."""
    text = _ADVICE.get(reason, "")
    if facts.credential.spec.grant.connect is None:
        return text
    if reason is Reason.USER_MISMATCH:
        return "Send the link in status.connectURL to the user who is expected."
    return text.replace(_NEW_CONSENT, _CONNECT_AGAIN)
