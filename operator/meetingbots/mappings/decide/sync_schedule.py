"""Decides when a credential's meetings are read from Zoom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from meetingbots.credentials.decide.revocation import consent_end
from meetingbots.mappings.decide.sync_status import SyncStatus, SyncVerdict, not_read
from meetingbots.models import names
from meetingbots.models.conditions import ConditionStatus, ConditionType, find
from meetingbots.models.credential import CredentialReason, SyncReason, ZoomCredential
from meetingbots.runtime.plan import Backoff, Plan
from meetingbots.zoom.errors import ZoomError

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
