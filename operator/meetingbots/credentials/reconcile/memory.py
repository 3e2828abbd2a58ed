"""What the process remembers of each credential between reconciliations. Only unsaved tokens must not be lost."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from meetingbots.credentials.decide.facts import CredentialFacts, Failure, RequestKind
from meetingbots.credentials.decide.failures import FIXABLE_SECONDS, ZOOM_BACKOFF
from meetingbots.credentials.decide.granted import Proof, initial_proof, proof_key
from meetingbots.credentials.decide.revocation import CLOCK_SKEW, RemovalCheck
from meetingbots.credentials.decide.token_state import Claim, Tokens, TokenSlot, TokenState, Unsaved
from meetingbots.models.base import ModelError
from meetingbots.models.conditions import ConditionType, find
from meetingbots.models.credential import (
    CredentialError,
    CredentialReason,
    CredentialStatus,
    HandledConsent,
    ZoomCredential,
)
from meetingbots.runtime.object_cache import Key, ObjectCache
from meetingbots.zoom.resources import User

_BURST: Final = 5
_BURST_SECONDS: Final = 10.0


@dataclass
class CredentialMemory:
    """What is remembered of one credential. Times in seconds are by the monotonic clock.

    Attributes:
        unsaved: the only copy of tokens from Zoom, with the `credential` that they belong to.
        nowhere: the namespace of the unsaved tokens is gone.
        claim_id: the claim that was seen last, since `claim_since`.
        ended_claim: an own claim that has ended although the end could not be written.
        proofs: what Zoom has said about the tokens in the Secret, by `proof_key`; None before the first reconciliation.
        user: the user that Zoom named since the status was last written.
        recalled: the failure in the status, from before the start of this process, has been taken over.
        removal: what Zoom said about the removal of the user that the status reports.
        concluded: consents that have been concluded and that the status does not show yet.
        writes: times of the last few writes of the status.

    """

    unsaved: Unsaved | None = None
    unsaved_problem: str = ""
    unsaved_retry_at: datetime | None = None
    nowhere: bool = False
    credential: ZoomCredential | None = None
    failures: dict[RequestKind, Failure] = field(default_factory=dict)
    last_error: CredentialError | None = None
    claim_id: str = ""
    claim_since: float = 0.0
    ended_claim: str = ""
    proofs: dict[str, Proof] | None = None
    user: User | None = field(default=None, repr=False)
    recalled: bool = False
    concluded: tuple[HandledConsent, ...] = ()
    tried_request: str = ""
    checked_report: datetime | None = None
    removal: RemovalCheck | None = None
    app_secret: str = ""
    writes: deque[float] = field(default_factory=lambda: deque(maxlen=_BURST))

    def see_claim(self, claim: Claim | None, *, monotonic: float) -> float:
        """Return the seconds since this claim was first seen here."""
        if claim is None:
            self.claim_id = ""
            return 0.0
        if claim.id != self.claim_id:
            self.claim_id, self.claim_since = claim.id, monotonic
        return monotonic - self.claim_since

    def proof_of(self, tokens: Tokens | None) -> Proof | None:
        """Return what Zoom has said about these tokens."""
        return (self.proofs or {}).get(proof_key(tokens)) if tokens is not None else None

    def prove(self, tokens: Tokens, proof: Proof) -> None:
        """Record what Zoom has said about these tokens."""
        self.proofs = {**(self.proofs or {}), proof_key(tokens): proof}

    def keep_proofs(self, state: TokenState, status: CredentialStatus) -> None:
        """Drop proofs of tokens that are no longer held; trust the Secret at first, as far as the status agrees."""
        held = [tokens for tokens in map(state.held, TokenSlot) if tokens is not None]
        if self.unsaved is not None:
            held.append(self.unsaved.tokens)
        if self.proofs is None:
            self.proofs = {}
            first = initial_proof(state, status)
            if first is not None and state.tokens is not None:
                self.prove(state.tokens, first)
        kept = {proof_key(tokens) for tokens in held}
        self.proofs = {key: proof for key, proof in self.proofs.items() if key in kept}

    def removal_check(self, status: CredentialStatus) -> RemovalCheck | None:
        """Return the check of the removal that the status reports; None without one.

        Until Zoom has answered about this report, an earlier answer counts, which the condition Ready shows.
        """
        removal, shown = status.user_removal, find(status.conditions, ConditionType.READY)
        if removal is None or removal.time is None:
            return None
        if self.removal is not None and self.removal.reported == removal.time:
            return self.removal
        confirmed = shown is not None and shown.reason == CredentialReason.USER_INACTIVE
        return RemovalCheck(reported=removal.time, confirmed=confirmed)

    def saved(self) -> None:
        """Drop the unsaved tokens: they are stored, or void."""
        self.unsaved, self.credential, self.nowhere = None, None, False
        self.unsaved_problem, self.unsaved_retry_at = "", None

    def may_write(self, monotonic: float) -> bool:
        """Return whether the status may be written. Limits the writes of two processes that disagree."""
        return len(self.writes) < _BURST or monotonic - self.writes[0] > _BURST_SECONDS


class CredentialMemories:
    """The memories of all credentials."""

    def __init__(self) -> None:
        self._of: defaultdict[Key, CredentialMemory] = defaultdict(CredentialMemory)

    def of(self, key: Key) -> CredentialMemory:
        """Return the memory of one credential; empty at first."""
        return self._of[key]

    def forget(self, key: Key) -> None:
        """Drop the memory of a deleted credential."""
        self._of.pop(key, None)

    def unsaved(self) -> list[Key]:
        """Return the credentials that have tokens only in memory."""
        return [key for key, memory in self._of.items() if memory.unsaved is not None]


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
    memory.recalled = True
    tokens = facts.state.tokens
    refreshed = tokens.last_refresh if tokens and tokens.last_refresh else _LONG_AGO
    for kind in (RequestKind.GRANT, RequestKind.TOKENS):
        failure = memory.failures.get(kind)
        if failure is not None and failure.time.replace(microsecond=0) < refreshed:
            del memory.failures[kind]
    if facts.state.user_id and status.user_id == facts.state.user_id:
        memory.failures.pop(RequestKind.IDENTITY, None)


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


@dataclass(frozen=True, kw_only=True)
class SyncedPersonalIds:
    """Puts a new personal meeting ID into the credential's memory; its next reconciliation writes the status."""

    credentials: ObjectCache
    memories: CredentialMemories

    def note(self, key: Key, pmi: str | None) -> None:
        """Show this personal meeting ID in the credential's status."""
        item = self.credentials.get(key)
        if item is None:
            return
        try:
            status = ZoomCredential.from_object(item).status
        except ModelError:
            return
        if status.user_id:
            self.memories.of(key).user = User(
                id=status.user_id,
                account_id=status.account_id or "",
                email=status.email or "",
                pmi=pmi,
                status="",
                type=None,
                vanity_url="",
            )
