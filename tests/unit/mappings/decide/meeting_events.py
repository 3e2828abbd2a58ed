"""Meeting events as the receiver gets them, for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from meetingbots.mappings.decide.ownership import Concern
from meetingbots.zoom.webhooks.events import MeetingEvent

MEETING = "81234567890"
START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def at(seconds: float) -> int:
    """Zoom's event_ts, so many seconds after the tests' beginning of time."""
    return int((START + timedelta(seconds=seconds)).timestamp() * 1000)


def moment(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def meeting_event(action: str, seconds: float, **fields: Any) -> MeetingEvent:
    values: dict[str, Any] = {
        "name": f"meeting.{action}",
        "event_ts": at(seconds),
        "account_id": "account",
        "meeting_id": MEETING,
        "webinar": False,
        "uuid": "",
        "host_id": "host-alice",
        "operator_id": None,
        "operation": "",
        "scope": "",
        "meeting_type": 2,
        "start_time": None,
        "alternative_hosts": None,
        "pmi": None,
        "old_host_id": None,
        "participant": None,
    }
    return MeetingEvent(**(values | fields))


def concern(
    *hosts: str,
    app: str = "zoom-app",
    alternatives: tuple[str, ...] = (),
    operators: tuple[str, ...] = (),
    present: tuple[str, ...] = (),
    claims: bool = True,
    scope: tuple[str, ...] = ("alice", "bob", "carol", "dora", "eve", "finn", "olga"),
    personal_ids: tuple[str, ...] = (),
) -> Concern:
    return Concern(
        namespace="team",
        app=app,
        scope=frozenset(scope),
        hosts=hosts,
        alternatives=alternatives,
        operators=operators,
        present=present,
        personal_ids=frozenset(personal_ids),
        claims=claims,
        uids={name: f"uid-{name}" for name in (*hosts, *alternatives, *operators)},
    )
