"""One request for tokens, and what a rejection by Zoom means for the content of the token Secret."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from meetingbots.credentials.decide.facts import CredentialFacts, RequestKind
from meetingbots.credentials.decide.retry import code_of, reason_of, sentence
from meetingbots.credentials.decide.token_state import Rejection, Tokens, TokenSlot, TokenState, refused
from meetingbots.credentials.reconcile.grants import GrantExchange
from meetingbots.models.credential import CredentialReason
from meetingbots.zoom.errors import Cause, ZoomError
from meetingbots.zoom.oauth import TokenSet


class SendRequest(Protocol):
    """Sends a request to Zoom."""

    def __call__(self, *, now: datetime) -> Awaitable[TokenSet]:
        """Send it; `now` is the time before the request. Raises `ZoomError`."""


@dataclass(frozen=True, kw_only=True)
class TokenRequest:
    """One request to Zoom: what it spends (`mark`), where the answer goes, and how it is sent."""

    slot: TokenSlot
    fingerprint: str
    mark: str
    previous: Tokens | None
    grant: GrantExchange | None
    kind: RequestKind
    send: SendRequest

    @property
    def renewable(self) -> bool:
        """Whether the request can be repeated any number of times."""
        return self.grant is not None and self.grant.renewable

    def continues(self, facts: CredentialFacts) -> bool:
        """Return whether the new tokens are of the same consent, and so of the same user, as those in the slot."""
        return self.grant is None or facts.renewed_by_grant(self.slot)


def record_rejection(
    state: TokenState, *, asked: TokenState, slot: TokenSlot | None, rejection: Rejection, request: str
) -> TokenState:
    """Record a rejection, unless it no longer applies.

    Tokens that differ from those of the request are to be used. And while another process that took over our claim
    asks, Zoom may have rejected us because it issued tokens to that process.
    """
    taken_over = state.claim is not None and asked.claim is not None and state.claim.id != asked.claim.id
    if taken_over or _marks(state) != _marks(asked):
        return state
    return refused(state, slot=slot, rejection=rejection, handled_refresh=request)


def _marks(state: TokenState) -> tuple[str, ...]:
    return tuple(held.mark if held is not None else "" for held in map(state.held, TokenSlot))


def rejection_of(request: TokenRequest, *, asked: TokenState, error: ZoomError, client_id: str) -> Rejection:
    """Return the rejection to record after a definite error; `asked` is the content at the time of the request."""
    interrupted = asked.claim is not None and asked.claim.interrupted
    reason = CredentialReason.ROTATION_INTERRUPTED if interrupted else reason_of(error)
    # The rejection of a candidate holds for its grant: the same grant cannot be redeemed again.
    current = request.slot is TokenSlot.CURRENT or request.grant is not None
    mark = request.mark if current else request.fingerprint
    if request.grant is not None and error.kind is Cause.REDIRECT_MISMATCH:
        # The code may still be valid with the right redirect URI.
        mark = request.grant.attempt or mark
    held = asked.held(request.slot)
    if request.renewable and held is not None:
        mark = held.mark  # the grant may bring other tokens later; these are rejected
    return Rejection(mark=mark, client_id=client_id, reason=reason, code=code_of(error), message=sentence(error))
