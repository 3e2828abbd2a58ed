from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from meetingbots.mappings.decide.sync import (
    ReadMeetings,
    SyncFacts,
    SyncStatus,
    decide,
    due_at,
    failed,
    in_progress,
    next_after,
    pending_request,
    retry_after,
)
from meetingbots.models.conditions import Condition, set_condition
from meetingbots.models.credential import (
    CredentialReason,
    Deauthorization,
    RemovalKind,
    SyncProgress,
    SyncReason,
    UserRemoval,
    ZoomCredential,
)
from meetingbots.zoom.errors import Cause, PermanentError, TransientError, ZoomError

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
        (synced(left=10_000_000, reason="SyncFailed"), 86_400),
        (synced(left=40_000, reason="Suspended"), 0),
        (synced(left=40_000, reason="CredentialNotReady"), 0),
        (synced(left=40_000, reason="SyncDisabled"), 0),
    ],
)
def test_due(given: ZoomCredential, seconds: float) -> None:
    assert due_at(given, now=NOW) == NOW + timedelta(seconds=seconds)


def refusal(given: ZoomCredential) -> SyncReason | None:
    """Return why a read that is due is not made; None when it is made."""
    plan = decide(SyncFacts(credential=given, now=NOW))
    assert (plan.status is None) is (plan.action is not None)
    return None if plan.status is None else plan.status.verdict.reason


def test_a_read_that_another_process_did_not_finish_is_due() -> None:
    given = synced(left=40_000)
    meetings = given.status.meetings
    assert meetings is not None
    unfinished = meetings.model_copy(update={"progress": SyncProgress(start_time=NOW, users_done=3)})
    given = given.model_copy(update={"status": given.status.model_copy(update={"meetings": unfinished})})
    assert due_at(given, now=NOW) == NOW


def test_a_long_read_keeps_the_previous_result_valid() -> None:
    progress = SyncProgress(start_time=NOW)
    assert in_progress(synced(left=5), progress).verdict.synced
    first = in_progress(credential(status={}), progress).verdict
    assert (first.synced, first.reason) == (False, SyncReason.SYNCING)


def test_a_read_that_is_not_due_is_requeued() -> None:
    plan = decide(SyncFacts(credential=synced(left=300), now=NOW))
    assert (plan.status, plan.action, plan.requeue_after) == (None, None, 300)


def test_a_due_read_answers_the_pending_request() -> None:
    plan = decide(SyncFacts(credential=synced(left=300, annotations=REQUEST), now=NOW))
    assert plan.action == ReadMeetings("now")


def ended(hours: float, *, renewed: float, **other: Any) -> ZoomCredential:
    """A credential whose user removed the app so many hours ago; meetings were read 12 h ago."""
    given = synced(left=40_000, **other)
    report = Deauthorization(time=NOW - timedelta(hours=hours))
    status: dict[str, Any] = {"deauthorization": report, "last_refresh_time": NOW - timedelta(hours=renewed)}
    if renewed > hours:
        status["conditions"] = set_condition(
            given.status.conditions,
            type="Ready",
            status=False,
            reason=CredentialReason.DEAUTHORIZED,
            message="",
            generation=1,
            now=NOW,
        )
    return given.model_copy(update={"status": given.status.model_copy(update=status)})


def test_nothing_is_read_after_the_end_of_a_consent() -> None:
    due = {"annotations": REQUEST}
    assert refusal(ended(1, renewed=2, **due)) is SyncReason.CREDENTIAL_NOT_READY
    assert refusal(ended(2, renewed=1, **due)) is None


@pytest.mark.parametrize(("hours", "renewed", "due"), [(2, 1, True), (1, 2, False), (13, 1, False)])
def test_a_returned_consent_is_due_at_once(hours: float, renewed: float, due: bool) -> None:
    assert (due_at(ended(hours, renewed=renewed), now=NOW) == NOW) is due


def test_a_request_whose_read_failed_waits_for_its_retry() -> None:
    given = synced(left=300, reason="SyncFailed", annotations=REQUEST)
    assert due_at(given, now=NOW, attempted_request="now") == NOW + timedelta(seconds=300)


def test_a_handled_request_is_not_pending() -> None:
    assert pending_request(credential(annotations=REQUEST, status={})) == "now"
    assert pending_request(credential(annotations=REQUEST, status={"lastHandledSyncRequest": "now"})) == ""


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (credential(status={}), None),
        (credential(level="Account", status={}), SyncReason.SYNC_DISABLED),
        (credential(suspend=True, status={}), SyncReason.SUSPENDED),
    ],
)
def test_disabled_and_suspended_credentials_are_not_read(given: ZoomCredential, reason: SyncReason | None) -> None:
    assert refusal(given) is reason


@pytest.mark.parametrize(
    ("status", "reason", "may"),
    [
        ("True", "TokenValid", True),
        ("False", "ScopesMissing", True),
        ("False", "ReauthorizationRequired", False),
        ("False", "ZoomUnavailable", False),
    ],
)
def test_the_condition_ready_decides(status: str, reason: str, may: bool) -> None:
    given = credential(status={"conditions": [condition("Ready", status, reason)]})
    assert (refusal(given) is None) is may


def test_next_read_is_spread() -> None:
    assert next_after(credential(), finished=NOW, jitter=0) == NOW + timedelta(days=1)
    assert next_after(credential(), finished=NOW, jitter=1) == NOW + timedelta(hours=21, minutes=36)


def failure(error: ZoomError) -> SyncStatus:
    return failed(synced(left=5), error, retry=NOW)


def test_failures() -> None:
    scopes = PermanentError(Cause.SCOPES_MISSING, message="scopes lack", scopes=("a:b",))
    assert failure(scopes).verdict.reason is SyncReason.SCOPES_MISSING
    assert retry_after(scopes, failures=1, now=NOW) == NOW + timedelta(minutes=10)
    away = TransientError(Cause.UNAVAILABLE, message="away")
    assert failure(away).verdict.reason is SyncReason.SYNC_FAILED
    assert retry_after(away, failures=2, now=NOW) == NOW + timedelta(seconds=10)
    limited = TransientError(Cause.RATE_LIMITED, message="x", retry_after=77.0)
    assert retry_after(limited, failures=2, now=NOW) == NOW + timedelta(seconds=77)


def test_a_recreated_credential_reads_again_after_a_minute() -> None:
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


def test_a_removed_user_is_reported_at_once() -> None:
    gone = synced(left=40_000)
    removal = UserRemoval(time=NOW, kind=RemovalKind.DEACTIVATED)
    reported = gone.model_copy(update={"status": gone.status.model_copy(update={"user_removal": removal})})
    assert due_at(reported, now=NOW) > NOW, "Zoom has not confirmed it"
    ready = Condition.model_validate(condition("Ready", "False", "UserInactive"))
    conditions = [*gone.status.conditions, ready]
    gone = reported.model_copy(update={"status": reported.status.model_copy(update={"conditions": conditions})})
    assert due_at(gone, now=NOW) == NOW
    assert refusal(gone) is SyncReason.CREDENTIAL_NOT_READY
