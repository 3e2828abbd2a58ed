from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from meetingbots.mappings.decide.sync_schedule import (
    due_at,
    failed,
    may_read,
    next_after,
    pending_request,
    retry_after,
    stopped,
    under_way,
)
from meetingbots.models.credential import (
    Deauthorization,
    RemovalKind,
    SyncProgress,
    SyncReason,
    UserRemoval,
    ZoomCredential,
)
from meetingbots.zoom.errors import Cause, PermanentError, TransientError

from tests.unit.credentials.decide.credential_cases import credential

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
REQUEST = {"meetingbots.dev/sync-requested-at": "now"}


def condition(kind: str, status: str, reason: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "",
        "lastTransitionTime": "2026-11-24T11:00:00Z",
    }


def synced(*, left: float, reason: str = "Synced", **other: Any) -> ZoomCredential:
    """A credential whose meetings were read 12 h ago and are to be read in `left` seconds."""
    status = {
        "meetings": {
            "count": 1,
            "lastSyncTime": (NOW - timedelta(hours=12)).isoformat(),
            "nextSyncTime": (NOW + timedelta(seconds=left)).isoformat(),
        },
        "conditions": [condition("MeetingsSynced", "True" if reason == "Synced" else "False", reason)],
    }
    return credential(status=status, **other)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (credential(status={}), 0),
        (synced(left=40_000), 40_000),
        (synced(left=-5), -5),
        (synced(left=40_000, annotations=REQUEST), 0),
        (synced(left=40_000, meetingSync={"intervalSeconds": 3600}), 3600 - 12 * 3600),
        (synced(left=300, reason="SyncFailed", meetingSync={"intervalSeconds": 3600}), 300),
        (synced(left=40_000, reason="Suspended"), 0),
        (synced(left=40_000, reason="CredentialNotReady"), 0),
        (synced(left=40_000, reason="SyncDisabled"), 0),
    ],
)
def test_due(given: ZoomCredential, seconds: float) -> None:
    assert due_at(given, now=NOW, tried_request="") == NOW + timedelta(seconds=seconds)


def test_a_read_that_broke_off_with_its_process_is_due() -> None:
    given = synced(left=40_000)
    meetings = given.status.meetings
    assert meetings is not None
    broken = meetings.model_copy(update={"progress": SyncProgress(start_time=NOW, users_done=3)})
    given = given.model_copy(update={"status": given.status.model_copy(update={"meetings": broken})})
    assert due_at(given, now=NOW, tried_request="") == NOW


def test_a_long_read_leaves_what_is_known_true() -> None:
    known = synced(left=5)
    assert under_way(known).synced
    first = under_way(credential(status={}))
    assert (first.synced, first.reason) == (False, SyncReason.SYNCING)


def ended(hours: float, *, renewed: float, **other: Any) -> ZoomCredential:
    """A credential whose user took the consent back so many hours ago; meetings were read 12 h ago."""
    given = synced(left=40_000, **other)
    told = Deauthorization(time=NOW - timedelta(hours=hours))
    status = {"deauthorization": told, "last_refresh_time": NOW - timedelta(hours=renewed)}
    return given.model_copy(update={"status": given.status.model_copy(update=status)})


def test_after_the_end_of_a_consent_nothing_is_read() -> None:
    why_not = may_read(ended(1, renewed=2))
    assert why_not is not None
    assert why_not.reason is SyncReason.CREDENTIAL_NOT_READY
    assert may_read(ended(2, renewed=1)) is None


@pytest.mark.parametrize(("hours", "renewed", "due"), [(2, 1, True), (1, 2, False), (13, 1, False)])
def test_what_went_with_a_consent_is_read_again_once_it_is_back(hours: float, renewed: float, due: bool) -> None:
    assert (due_at(ended(hours, renewed=renewed), now=NOW, tried_request="") == NOW) is due


def test_request_that_was_tried_in_vain_waits_for_its_retry() -> None:
    given = synced(left=300, reason="SyncFailed", annotations=REQUEST)
    assert due_at(given, now=NOW, tried_request="now") == NOW + timedelta(seconds=300)


def test_handled_request_is_over() -> None:
    assert pending_request(credential(annotations=REQUEST, status={})) == "now"
    assert pending_request(credential(annotations=REQUEST, status={"lastHandledSyncRequest": "now"})) == ""


def test_stopped() -> None:
    assert stopped(credential()) is None
    disabled = stopped(credential(level="Account"))
    assert disabled is not None
    assert disabled.reason is SyncReason.SYNC_DISABLED
    suspended = stopped(credential(suspend=True))
    assert suspended is not None
    assert suspended.reason is SyncReason.SUSPENDED


@pytest.mark.parametrize(
    ("status", "reason", "may"),
    [
        ("True", "TokenValid", True),
        ("False", "ScopesMissing", True),
        ("False", "ReauthorizationRequired", False),
        ("False", "ZoomUnavailable", False),
    ],
)
def test_may_read(status: str, reason: str, may: bool) -> None:
    given = credential(status={"conditions": [condition("Ready", status, reason)]})
    assert (may_read(given) is None) is may
    assert may_read(credential(status={})) is None


def test_next_read_is_spread() -> None:
    assert next_after(credential(), finished=NOW, jitter=0) == NOW + timedelta(days=1)
    assert next_after(credential(), finished=NOW, jitter=1) == NOW + timedelta(hours=21, minutes=36)


def test_failures() -> None:
    scopes = PermanentError(Cause.SCOPES_MISSING, message="scopes lack", scopes=("a:b",))
    assert failed(scopes).reason is SyncReason.SCOPES_MISSING
    assert retry_after(scopes, failures=1, now=NOW) == NOW + timedelta(minutes=10)
    away = TransientError(Cause.UNAVAILABLE, message="away")
    assert failed(away).reason is SyncReason.SYNC_FAILED
    assert retry_after(away, failures=2, now=NOW) == NOW + timedelta(seconds=10)
    limited = TransientError(Cause.RATE_LIMITED, message="x", retry_after=77.0)
    assert retry_after(limited, failures=2, now=NOW) == NOW + timedelta(seconds=77)


def test_a_credential_that_was_made_anew_reads_once_more_soon() -> None:
    soon = NOW + timedelta(seconds=60)
    old = credential(status={"lastRefreshTime": (NOW - timedelta(hours=1)).isoformat()})
    created = old.metadata.model_copy(update={"creation_timestamp": NOW - timedelta(seconds=5)})
    anew = old.model_copy(update={"metadata": created})
    assert next_after(anew, finished=NOW, jitter=0) == soon
    assert next_after(synced(left=-1), finished=NOW, jitter=0, adopted=True) == soon
    assert next_after(synced(left=-1), finished=NOW, jitter=0) == NOW + timedelta(days=1)
    first = old.model_copy(update={"status": old.status.model_copy(update={"last_refresh_time": NOW})})
    first = first.model_copy(update={"metadata": created})
    assert next_after(first, finished=NOW, jitter=0) == NOW + timedelta(days=1)


def test_that_nothing_is_read_for_a_user_who_went_is_told_at_once() -> None:
    gone = synced(left=40_000)
    removal = UserRemoval(time=NOW, kind=RemovalKind.DEACTIVATED)
    gone = gone.model_copy(update={"status": gone.status.model_copy(update={"user_removal": removal})})
    assert due_at(gone, now=NOW, tried_request="") == NOW
    assert may_read(gone) is not None
