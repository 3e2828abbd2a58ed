"""When a credential's meetings are read from Zoom, and what its condition MeetingsSynced says about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from meetingbots.credentials.decide.retry import backoff, sentence
from meetingbots.credentials.decide.revocation import consent_end
from meetingbots.models import names
from meetingbots.models.conditions import ConditionStatus, ConditionType, find
from meetingbots.models.credential import CredentialReason, SyncReason, ZoomCredential
from meetingbots.zoom.errors import Cause, ZoomError

_JITTER_SHARE: Final = 0.1
_ONCE_MORE: Final = timedelta(seconds=60)
"""After the first read of a credential that was made anew: by then the garbage collector has taken what it takes."""
_DEFINITE_PAUSE: Final = timedelta(minutes=10)
_REQUEST_LIMIT: Final = 256
_NOT_TRIED: Final = frozenset({SyncReason.SUSPENDED, SyncReason.SYNC_DISABLED, SyncReason.CREDENTIAL_NOT_READY})
"""Reasons for which a read was not made; once they are gone, it is."""


@dataclass(frozen=True)
class SyncVerdict:
    """What MeetingsSynced says."""

    synced: bool
    reason: SyncReason
    message: str


def pending_request(credential: ZoomCredential) -> str:
    """The sync request that was not acted on yet; empty without one."""
    value = credential.metadata.annotations.get(names.SYNC_REQUESTED_AT_ANNOTATION, "")[:_REQUEST_LIMIT]
    return value if value != (credential.status.last_handled_sync_request or "") else ""


def stopped(credential: ZoomCredential) -> SyncVerdict | None:
    """Why meetings are not read at all, if they are not."""
    if credential.spec.suspend:
        return SyncVerdict(False, SyncReason.SUSPENDED, "spec.suspend is true: Zoom is not called.")
    if not credential.sync_enabled:
        return SyncVerdict(
            False, SyncReason.SYNC_DISABLED, "Meetings are not read from Zoom; mappings come from webhooks and people."
        )
    return None


def due_at(credential: ZoomCredential, *, now: datetime, tried_request: str) -> datetime:
    """When to read next. A request counts at once; after it was tried in vain, its retry does."""
    request, meetings = pending_request(credential), credential.status.meetings
    told = find(credential.status.conditions, ConditionType.MEETINGS_SYNCED)
    if meetings is None or meetings.next_sync_time is None or (request and request != tried_request):
        return now
    if credential.status.user_removal is not None:
        return now  # to be told that nothing is read, so that it is read as soon as the user is one again
    if _is_back(credential, since=meetings.last_sync_time):
        return now
    if told is None or told.reason in _NOT_TRIED or meetings.progress is not None:
        # A read that did not come to its end: this process has only begun.
        return now
    if meetings.last_sync_time is None or told.status is not ConditionStatus.TRUE:
        return meetings.next_sync_time
    # The interval may have been shortened since.
    interval = timedelta(seconds=credential.spec.meeting_sync.interval_seconds)
    return min(meetings.next_sync_time, meetings.last_sync_time + interval)


def _is_back(credential: ZoomCredential, *, since: datetime | None) -> bool:
    """Whether the consent is there again after an end that took its meetings out of the mappings."""
    status = credential.status
    end = status.deauthorization.time if status.deauthorization is not None else None
    return end is not None and consent_end(credential) is None and (since is None or since <= end)


def may_read(credential: ZoomCredential) -> SyncVerdict | None:
    """Why meetings cannot be read now, as far as the credential's own condition tells. Without any, it is tried."""
    if consent_end(credential) is not None:
        says = "Zoom told that the user took the consent back, or is no user any more; Zoom is being asked."
        return SyncVerdict(False, SyncReason.CREDENTIAL_NOT_READY, says)
    told = find(credential.status.conditions, ConditionType.READY)
    if told is None or told.status is ConditionStatus.TRUE or told.reason == CredentialReason.SCOPES_MISSING:
        return None
    return SyncVerdict(False, SyncReason.CREDENTIAL_NOT_READY, f"The credential is not ready ({told.reason}).")


def under_way(credential: ZoomCredential) -> SyncVerdict:
    """What to say during a long read: what was read before stays true till it is read anew."""
    told = find(credential.status.conditions, ConditionType.MEETINGS_SYNCED)
    if told is not None and told.status is ConditionStatus.TRUE:
        return SyncVerdict(True, SyncReason.SYNCED, told.message)
    return SyncVerdict(False, SyncReason.SYNCING, "Meetings are being read from Zoom; see status.meetings.progress.")


def next_after(credential: ZoomCredential, *, finished: datetime, jitter: float, adopted: bool = False) -> datetime:
    """When to read again after a complete read: after the interval, less up to a tenth (`jitter` is 0 to 1).

    A credential that was deleted and made anew reads once more soon: `adopted` says that mappings of its predecessor
    were found; that its tokens are older than itself tells it, too. An event that was mapped for the predecessor by a
    receiver whose watch was behind may have been lost with it.
    """
    meetings = credential.status.meetings
    first = meetings is None or meetings.last_sync_time is None
    if adopted or (first and _is_made_anew(credential)):
        return finished + _ONCE_MORE
    seconds = credential.spec.meeting_sync.interval_seconds
    return finished + timedelta(seconds=seconds * (1 - _JITTER_SHARE * jitter))


def _is_made_anew(credential: ZoomCredential) -> bool:
    created, renewed = credential.metadata.creation_timestamp, credential.status.last_refresh_time
    return created is not None and renewed is not None and renewed < created


def retry_after(error: ZoomError, *, failures: int, now: datetime) -> datetime:
    """When to try again after a failure (`failures` counts from 1): when Zoom says, else after growing delays."""
    if error.definite:
        return now + _DEFINITE_PAUSE
    return error.retry_at(now) or now + backoff(failures)


def failed(error: ZoomError) -> SyncVerdict:
    """What to say after a failure."""
    reason = SyncReason.SCOPES_MISSING if error.kind is Cause.SCOPES_MISSING else SyncReason.SYNC_FAILED
    return SyncVerdict(False, reason, f"Meetings could not be read: {sentence(error)} It is tried again.")
