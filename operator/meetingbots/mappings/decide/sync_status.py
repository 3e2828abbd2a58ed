"""What a sync writes into its credential's status: condition MeetingsSynced, `meetings`, the handled request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meetingbots.credentials.decide.failures import sentence
from meetingbots.models.conditions import ConditionStatus, ConditionType, find, set_condition
from meetingbots.models.credential import CredentialStatus, MeetingsStatus, SyncProgress, SyncReason, ZoomCredential
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
