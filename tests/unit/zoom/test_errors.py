from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from meetingbots.zoom.errors import Cause, PermanentError, TransientError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("retry_after", "daily", "expected"),
    [
        (None, False, None),
        (30.0, False, NOW + timedelta(seconds=30)),
        (30.0, True, NOW + timedelta(seconds=30)),
        (NOW + timedelta(hours=3), True, NOW + timedelta(hours=3)),
        (NOW - timedelta(hours=3), False, NOW),
        (None, True, datetime(2026, 11, 25, tzinfo=UTC)),
    ],
)
def test_when_to_ask_again(retry_after: float | datetime | None, daily: bool, expected: datetime | None) -> None:
    error = TransientError(Cause.RATE_LIMITED, message="limited", retry_after=retry_after, daily=daily)
    assert error.retry_at(NOW) == expected


def test_class_and_text() -> None:
    error = PermanentError(Cause.MEETING_NOT_FOUND, message="no such meeting", code="3001", http_status=404)
    assert error.definite
    assert not TransientError(Cause.UNKNOWN, message="?").definite
    assert str(error) == "no such meeting"
    assert repr(error) == "PermanentError(MeetingNotFound, code='3001', http_status=404)"
