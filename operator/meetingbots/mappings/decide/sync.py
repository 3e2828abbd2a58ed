"""Decides when a credential's meetings are read from Zoom, and what the sync writes into the credential's status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from meetingbots.credentials.decide.failures import sentence
from meetingbots.credentials.decide.revocation import consent_end
from meetingbots.models import names
from meetingbots.models.conditions import ConditionStatus, ConditionType, find, set_condition
from meetingbots.models.credential import (
    CredentialReason,
    CredentialStatus,
    MeetingsStatus,
    SyncProgress,
    SyncReason,
    ZoomCredential,
)
from meetingbots.runtime.plan import Backoff, Plan
from meetingbots.zoom.errors import Cause, ZoomError

_MAX_NAMED: Final = 10


@dataclass(frozen=True)
class SyncVerdict:
    """Status, reason and message of condition MeetingsSynced."""

    synced: bool
    reason: SyncReason
    message: str


@dataclass(frozen=True, kw_only=True)
class SyncStatus:
    """The sync's part of the status. `handled_request`: the sync request that is now done; empty: unchanged."""

    verdict: SyncVerdict
    meetings: MeetingsStatus | None
    handled_request: str = ""

    def applied_to(self, status: CredentialStatus, *, generation: int | None, now: datetime) -> CredentialStatus:
        """Return `status` with this part of it replaced."""
        conditions = set_condition(
            status.conditions,
            type=ConditionType.MEETINGS_SYNCED,
            status=self.verdict.synced,
            reason=self.verdict.reason,
            message=self.verdict.message,
            generation=generation,
            now=now,
        )
        handled = self.handled_request or status.last_handled_sync_request
        return status.model_copy(
            update={"conditions": conditions, "meetings": self.meetings, "last_handled_sync_request": handled}
        )


def not_read(credential: ZoomCredential, verdict: SyncVerdict) -> SyncStatus:
    """Return the status while no read is made."""
    meetings = credential.status.meetings
    return SyncStatus(
        verdict=verdict, meetings=meetings.model_copy(update={"progress": None}) if meetings is not None else None
    )


def not_ready(credential: ZoomCredential, message: str) -> SyncStatus:
    """Return the status while the credential has no usable access token."""
    return not_read(credential, SyncVerdict(False, SyncReason.CREDENTIAL_NOT_READY, message))


def in_progress(credential: ZoomCredential, progress: SyncProgress) -> SyncStatus:
    """Return the status during a long read. The result of the previous read stays valid."""
    condition = find(credential.status.conditions, ConditionType.MEETINGS_SYNCED)
    if condition is not None and condition.status is ConditionStatus.TRUE:
        verdict = SyncVerdict(True, SyncReason.SYNCED, condition.message)
    else:
        verdict = SyncVerdict(
            False, SyncReason.SYNCING, "Meetings are being read from Zoom; see status.meetings.progress."
        )
    known = credential.status.meetings or MeetingsStatus()
    return SyncStatus(verdict=verdict, meetings=known.model_copy(update={"progress": progress}))


def completed(
    *, count: int, skipped: Sequence[str], finished: datetime, following: datetime, request: str
) -> SyncStatus:
    """Return the status after a complete read; the next one is due at `following`.

    `skipped` are the IDs of users that Zoom refused to list.
    """
    message = f"{count} meetings were read from Zoom."
    if skipped:
        named = ", ".join(skipped[:_MAX_NAMED]) + (", …" if len(skipped) > _MAX_NAMED else "")
        message += f" Zoom refused the lists of {len(skipped)} users, who were skipped: {named}."
    return SyncStatus(
        verdict=SyncVerdict(True, SyncReason.SYNCED, message),
        meetings=MeetingsStatus(count=count, last_sync_time=finished, next_sync_time=following),
        handled_request=request,
    )


def failed(credential: ZoomCredential, error: ZoomError, *, retry: datetime) -> SyncStatus:
    """Return the status after a failure; the next read is due at `retry`."""
    reason = SyncReason.SCOPES_MISSING if error.kind is Cause.SCOPES_MISSING else SyncReason.SYNC_FAILED
    known = credential.status.meetings or MeetingsStatus()
    return SyncStatus(
        verdict=SyncVerdict(False, reason, f"Meetings could not be read: {sentence(error)} The sync is retried."),
        meetings=known.model_copy(update={"next_sync_time": retry, "progress": None}),
    )


NOT_READY_SECONDS: Final = 30.0
_JITTER_SHARE: Final = 0.1
_SECOND_READ: Final = timedelta(seconds=60)
"""After the first read of a re-created credential; by then the garbage collector has finished."""
_PERMANENT_PAUSE: Final = timedelta(minutes=10)
_MAX_RETRY_PAUSE: Final = timedelta(days=1)
"""Zoom's longest wish: a day, when the daily limit is used up."""
_BACKOFF: Final = Backoff(first=5.0, cap=600.0)
_REQUEST_LIMIT: Final = 256
_NOT_TRIED: Final = frozenset({SyncReason.SUSPENDED, SyncReason.SYNC_DISABLED, SyncReason.CREDENTIAL_NOT_READY})
"""Reasons for which no read was tried; when they no longer apply, a read is due."""


@dataclass(frozen=True, kw_only=True)
class SyncFacts:
    """What decides over a sync. `attempted_request` is the sync request of the last read that this process began."""

    credential: ZoomCredential
    now: datetime
    attempted_request: str = ""


@dataclass(frozen=True)
class ReadMeetings:
    """Read the credential's meetings from Zoom; `request` is the sync request that this answers, if any."""

    request: str


SyncPlan: TypeAlias = Plan[SyncStatus | None, ReadMeetings]


def decide(facts: SyncFacts) -> SyncPlan:
    """Decide whether to read the meetings now."""
    credential = facts.credential
    disabled = _disabled(credential)
    if disabled is not None:
        return Plan(status=not_read(credential, disabled))
    wait = (due_at(credential, now=facts.now, attempted_request=facts.attempted_request) - facts.now).total_seconds()
    if wait > 0:
        return Plan(status=None, requeue_after=wait)
    not_ready = _not_ready(credential)
    if not_ready is not None:
        return Plan(status=not_read(credential, not_ready), requeue_after=NOT_READY_SECONDS)
    return Plan(status=None, action=ReadMeetings(pending_request(credential)))


def pending_request(credential: ZoomCredential) -> str:
    """Return the sync request that is not handled yet; empty without one."""
    value = credential.metadata.annotations.get(names.SYNC_REQUESTED_AT_ANNOTATION, "")[:_REQUEST_LIMIT]
    return value if value != (credential.status.last_handled_sync_request or "") else ""


def due_at(credential: ZoomCredential, *, now: datetime, attempted_request: str = "") -> datetime:
    """Return when to read; `now` or earlier: at once."""
    request, meetings = pending_request(credential), credential.status.meetings
    condition = find(credential.status.conditions, ConditionType.MEETINGS_SYNCED)
    if meetings is None or meetings.next_sync_time is None or (request and request != attempted_request):
        return now
    if credential.status.user_removal is not None and consent_end(credential) is not None:
        return now  # so that the status says at once that nothing is read
    if _has_returned(credential, since=meetings.last_sync_time):
        return now
    if condition is None or condition.reason in _NOT_TRIED or meetings.progress is not None:
        # With progress: another process did not finish its read.
        return now
    # The interval may be shorter than when nextSyncTime was written, and other writers of the status may be wrong.
    interval = timedelta(seconds=credential.spec.meeting_sync.interval_seconds)
    if meetings.last_sync_time is None or condition.status is not ConditionStatus.TRUE:
        return min(meetings.next_sync_time, now + max(interval, _MAX_RETRY_PAUSE))
    return min(meetings.next_sync_time, meetings.last_sync_time + interval)


def next_after(credential: ZoomCredential, *, finished: datetime, jitter: float, adopted: bool = False) -> datetime:
    """Return when to read after a complete read: after the interval less up to 10 % (`jitter` is 0 to 1).

    A re-created credential reads again after a minute: an event that a receiver with an outdated watch mapped for the
    predecessor may have been lost with it. `adopted` mappings of the predecessor, or tokens that are older than the
    credential, show that it was re-created.
    """
    meetings = credential.status.meetings
    first = meetings is None or meetings.last_sync_time is None
    if adopted or (first and _is_recreated(credential)):
        return finished + _SECOND_READ
    seconds = credential.spec.meeting_sync.interval_seconds
    return finished + timedelta(seconds=seconds * (1 - _JITTER_SHARE * jitter))


def retry_after(error: ZoomError, *, failures: int, now: datetime) -> datetime:
    """Return when to read after a failure: at Zoom's time, else with backoff. `failures` counts from 1."""
    if error.definite:
        return now + _PERMANENT_PAUSE
    return error.retry_at(now) or now + timedelta(seconds=_BACKOFF.delay(failures))


def _disabled(credential: ZoomCredential) -> SyncVerdict | None:
    if credential.spec.suspend:
        return SyncVerdict(False, SyncReason.SUSPENDED, "spec.suspend is true: Zoom is not called.")
    if not credential.sync_enabled:
        message = "Meetings are not read from Zoom; mappings come from webhooks and manual entries."
        return SyncVerdict(False, SyncReason.SYNC_DISABLED, message)
    return None


def _not_ready(credential: ZoomCredential) -> SyncVerdict | None:
    """Return why the credential cannot be used, according to its conditions. Without any, a read is tried."""
    if consent_end(credential) is not None:
        message = "Zoom reported that the user revoked the consent or left the account; Zoom is asked for confirmation."
        return SyncVerdict(False, SyncReason.CREDENTIAL_NOT_READY, message)
    ready = find(credential.status.conditions, ConditionType.READY)
    if ready is None or ready.status is ConditionStatus.TRUE or ready.reason == CredentialReason.SCOPES_MISSING:
        return None
    return SyncVerdict(False, SyncReason.CREDENTIAL_NOT_READY, f"The credential is not ready ({ready.reason}).")


def _has_returned(credential: ZoomCredential, *, since: datetime | None) -> bool:
    """Return whether the consent exists again after an end that removed its mappings."""
    status = credential.status
    end = status.deauthorization.time if status.deauthorization is not None else None
    return end is not None and consent_end(credential) is None and (since is None or since <= end)


def _is_recreated(credential: ZoomCredential) -> bool:
    created, renewed = credential.metadata.creation_timestamp, credential.status.last_refresh_time
    return created is not None and renewed is not None and renewed < created
