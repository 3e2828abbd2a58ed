"""Takes over the failures that an earlier process wrote to a credential's status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from meetingbots.credentials.decide.facts import CredentialFacts, Failure, RequestKind
from meetingbots.credentials.decide.removal import RemovalCheck
from meetingbots.credentials.decide.retry import FIXABLE_SECONDS, ZOOM_BACKOFF
from meetingbots.credentials.decide.revocation import CLOCK_SKEW
from meetingbots.credentials.reconcile.memory import CredentialMemory
from meetingbots.models.conditions import ConditionType, find
from meetingbots.models.credential import CredentialError, CredentialReason, CredentialStatus

_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


def recall_failures(memory: CredentialMemory, facts: CredentialFacts) -> None:
    """Take over the failure that another process, or this one before its start, wrote to the status; once.

    So a restart does not flood Zoom. Later the status is not believed, because the receiver can write to it. Failures
    that a later success has ended are dropped.
    """
    status = facts.credential.status
    error = status.last_error
    if not memory.recalled and error is not None and error.time is not None and error.time <= facts.now + CLOCK_SKEW:
        memory.last_error = error
        memory.failures = _recalled(error, facts) if status.consecutive_failures else {}
    if not memory.recalled and memory.removal is None:
        memory.removal = _recalled_removal(status)
    memory.recalled = True
    tokens = facts.state.tokens
    refreshed = tokens.last_refresh if tokens and tokens.last_refresh else _LONG_AGO
    for kind in (RequestKind.GRANT, RequestKind.TOKENS):
        failure = memory.failures.get(kind)
        if failure is not None and failure.time.replace(microsecond=0) < refreshed:
            del memory.failures[kind]
    if facts.state.user_id and status.user_id == facts.state.user_id:
        memory.failures.pop(RequestKind.IDENTITY, None)


def _recalled_removal(status: CredentialStatus) -> RemovalCheck | None:
    """Return the removal that Zoom had confirmed before the start of this process."""
    removal, shown = status.user_removal, find(status.conditions, ConditionType.READY)
    if removal is None or removal.time is None or shown is None or shown.reason != CredentialReason.USER_INACTIVE:
        return None
    return RemovalCheck(reported=removal.time, confirmed=True)


def _recalled(error: CredentialError, facts: CredentialFacts) -> dict[RequestKind, Failure]:
    try:
        reason = CredentialReason(error.reason)
    except ValueError:
        return {}
    status, time = facts.credential.status, error.time or facts.now
    definite = reason is not CredentialReason.ZOOM_UNAVAILABLE
    kind = _kind(facts)
    wait = FIXABLE_SECONDS if definite else ZOOM_BACKOFF.delay(status.consecutive_failures)
    planned = None if definite or kind is RequestKind.IDENTITY else status.next_refresh_time
    failure = Failure(
        reason=reason,
        definite=definite,
        code=error.code,
        message=error.message,
        time=time,
        failures=status.consecutive_failures,
        retry_at=min(planned or time + timedelta(seconds=wait), facts.now + timedelta(seconds=ZOOM_BACKOFF.cap)),
    )
    return {kind: failure}


def _kind(facts: CredentialFacts) -> RequestKind:
    """Return which request the failure in the status was about, as far as the token Secret shows."""
    if facts.state.tokens is None or facts.changed_grant:
        return RequestKind.GRANT
    return RequestKind.TOKENS if facts.state.user_id else RequestKind.IDENTITY
