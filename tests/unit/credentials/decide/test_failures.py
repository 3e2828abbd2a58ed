from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from meetingbots.credentials.decide.failures import (
    code_of,
    error_for_status,
    is_final,
    next_failure,
    reason_of,
    retry_at,
    sentence,
)
from meetingbots.models.credential import CredentialReason as Reason
from meetingbots.zoom.errors import Cause, PermanentError, TransientError, ZoomError

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("cause", list(Cause))
def test_passing_failures_never_cost_a_consent(cause: Cause) -> None:
    error = TransientError(cause, message="x")
    assert reason_of(error) is Reason.ZOOM_UNAVAILABLE
    assert not is_final(error)


@pytest.mark.parametrize(
    ("cause", "reason", "final"),
    [
        (Cause.APP_INVALID, Reason.APP_INVALID, False),
        (Cause.APP_DISABLED, Reason.APP_INVALID, False),
        (Cause.DISABLED_BY_ADMIN, Reason.DISABLED_BY_ADMIN, False),
        (Cause.USER_INACTIVE, Reason.USER_INACTIVE, False),
        (Cause.USER_NOT_FOUND, Reason.USER_INACTIVE, False),
        (Cause.SCOPES_MISSING, Reason.SCOPES_MISSING, False),
        (Cause.NO_PERMISSION, Reason.SCOPES_MISSING, False),
        (Cause.GRANT_INVALID, Reason.REAUTHORIZATION_REQUIRED, True),
        (Cause.CONSENT_REVOKED, Reason.REAUTHORIZATION_REQUIRED, True),
        (Cause.CODE_EXPIRED, Reason.REAUTHORIZATION_REQUIRED, True),
        (Cause.CODE_INVALID, Reason.REAUTHORIZATION_REQUIRED, True),
        (Cause.REDIRECT_MISMATCH, Reason.REAUTHORIZATION_REQUIRED, True),
    ],
)
def test_definite_answers(cause: Cause, reason: Reason, final: bool) -> None:
    error = PermanentError(cause, message="x")
    assert reason_of(error) is reason
    assert is_final(error) is final


def test_account_that_zoom_does_not_take_is_the_apps_setting() -> None:
    assert reason_of(PermanentError(Cause.GRANT_INVALID, message="x"), renewable=True) is Reason.APP_INVALID


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (TransientError(Cause.UNAVAILABLE, message="x"), 20),
        (TransientError(Cause.RATE_LIMITED, message="x", retry_after=2.0), 2),
        (TransientError(Cause.RATE_LIMITED, message="x", retry_after=900.0), 900),
        (TransientError(Cause.RATE_LIMITED, message="x", retry_after=NOW + timedelta(hours=3)), 10_800),
        (TransientError(Cause.RATE_LIMITED, message="x", daily=True), 43_200),
        (PermanentError(Cause.APP_INVALID, message="x"), 30),
    ],
)
def test_zooms_own_time_wins(error: ZoomError, seconds: float) -> None:
    assert retry_at(error, failures=3, now=NOW) == NOW + timedelta(seconds=seconds)


def test_failures_count_but_not_the_same_refusal_again() -> None:
    away = TransientError(Cause.UNAVAILABLE, message="away", http_status=503)
    first = next_failure(away, before=None, now=NOW)
    second = next_failure(away, before=first, now=NOW)
    assert (first.failures, second.failures) == (1, 2)
    no = PermanentError(Cause.APP_INVALID, message="wrong", code="invalid_client")
    third = next_failure(no, before=second, now=NOW)
    fourth = next_failure(no, before=third, now=NOW + timedelta(seconds=30))
    assert (third.failures, fourth.failures) == (3, 3)
    assert fourth.retry_at == NOW + timedelta(seconds=60)


def test_error_for_the_status_keeps_its_time_while_a_refusal_is_the_same() -> None:
    no = PermanentError(Cause.APP_INVALID, message="wrong", code="invalid_client")
    first = error_for_status(no, reason="AppInvalid", before=None, now=NOW)
    later = NOW + timedelta(seconds=30)
    assert error_for_status(no, reason="AppInvalid", before=first, now=later) == first
    assert error_for_status(no, reason="Other", before=first, now=later).time == later
    away = TransientError(Cause.UNAVAILABLE, message="away")
    before = error_for_status(away, reason="ZoomUnavailable", before=None, now=NOW)
    assert error_for_status(away, reason="ZoomUnavailable", before=before, now=later).time == later


def test_words() -> None:
    assert sentence(TransientError(Cause.UNAVAILABLE, message="the app is away")) == "The app is away."
    assert code_of(TransientError(Cause.UNAVAILABLE, message="x", http_status=503)) == "503"
    assert code_of(PermanentError(Cause.APP_INVALID, message="x", code="4702", http_status=400)) == "4702"
    assert code_of(TransientError(Cause.UNAVAILABLE, message="x")) == ""
