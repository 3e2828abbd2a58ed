"""The pure transitions from one content of a token Secret to the next."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from meetingbots.credentials.decide.token_state import (
    Candidate,
    Claim,
    Rejection,
    Tokens,
    TokenSlot,
    TokenState,
    Unsaved,
)
from meetingbots.zoom.oauth import TokenSet

_LIFE_SHARE = 2 / 3
_JITTER_SHARE = 0.1
_SHORTEST_PAUSE = 1.0
"""A customer's server may return the same token until it expires."""
_STORED_TO = timedelta(seconds=1)
"""The precision of times in the Secret."""


def obtained(got: TokenSet, *, previous: Tokens | None, now: datetime, jitter: float) -> Tokens:
    """Return the tokens to store from Zoom's answer. `jitter` is between 0 and 1, `now` the time before the request.

    The next refresh is planned at two thirds of the life, less up to a tenth of that. `previous` are the tokens that
    were refreshed: without a new refresh token the old one stays valid (RFC 6749, section 6), and so do the scopes.
    """
    life = (got.expires_at - now).total_seconds()
    return Tokens(
        access_token=got.access_token,
        refresh_token=got.refresh_token or (previous.refresh_token if previous else None),
        expires_at=got.expires_at,
        token_type=got.token_type,
        scope=got.scope or (previous.scope if previous else ""),
        api_url=got.api_url,
        last_refresh=now,
        next_refresh=now + timedelta(seconds=max(_SHORTEST_PAUSE, life * _LIFE_SHARE * (1 - _JITTER_SHARE * jitter))),
    )


def saved(state: TokenState, unsaved: Unsaved) -> TokenState | None:
    """Return the content with the new tokens; None if a newer consent has replaced them."""
    before = unsaved.before
    kept = before if state == TokenState() else state
    slot = unsaved.slot
    spent_in_use = kept.tokens is not None and kept.tokens.mark == unsaved.spent
    if slot is TokenSlot.CANDIDATE and kept.candidate is None and spent_in_use:
        slot = TokenSlot.CURRENT  # another process identified the candidate and put it to use
    taken = kept.tokens is not None and not spent_in_use
    if slot is TokenSlot.CANDIDATE:
        if taken and kept.fingerprint == unsaved.fingerprint:
            return None
        changed = replace(kept, candidate=Candidate(tokens=unsaved.tokens, fingerprint=unsaved.fingerprint))
    else:
        if taken and kept.fingerprint not in ("", before.fingerprint, unsaved.fingerprint):
            return None
        if taken and kept.tokens is not None and _is_newer(kept.tokens, unsaved.tokens):
            return None  # a newer consent of the same user
        changed = replace(kept, tokens=unsaved.tokens, fingerprint=unsaved.fingerprint, rejected_token=None)
    rejected = changed.rejected_grant
    return replace(
        changed,
        user_id=kept.user_id or before.user_id,
        account_id=kept.account_id or before.account_id,
        claim=None,
        rejected_grant=None if rejected is not None and rejected.mark == unsaved.fingerprint else rejected,
        handled_refresh=unsaved.handled_refresh or kept.handled_refresh,
        received_from=kept.received_from if slot is TokenSlot.CANDIDATE else "",
    )


def received(state: TokenState, tokens: Tokens, *, user_id: str, sender: str) -> TokenState:
    """Return the content after the user consented again on the link of the credential `sender`: its grant stays.

    A repetition after a crash changes nothing, also when the tokens have been refreshed since.
    """
    held = state.tokens
    is_known = held is not None and (held.mark == tokens.mark or _is_newer(held, tokens))
    if held is None or is_known or state.user_id != user_id:
        return state
    return replace(state, tokens=tokens, claim=None, rejected_token=None, received_from=sender)


def _is_newer(one: Tokens, other: Tokens) -> bool:
    """Return whether Zoom issued `one` later than `other`, by whole seconds, as the Secret stores them."""
    if one.last_refresh is None or other.last_refresh is None:
        return False
    return one.last_refresh.replace(microsecond=0) > other.last_refresh.replace(microsecond=0)


def holds(state: TokenState, unsaved: Unsaved) -> bool:
    """Return whether the content already holds these tokens, because the answer to a write was lost."""
    held, given = state.held(unsaved.slot), unsaved.tokens
    if held is None or (held.mark, held.access_token) != (given.mark, given.access_token):
        return False
    # A customer's server may return the same token again; the later time makes it a new answer.
    if held.last_refresh is None or given.last_refresh is None:
        return held.last_refresh == given.last_refresh
    return abs(held.last_refresh - given.last_refresh) < _STORED_TO


def claimed(
    state: TokenState, *, claim_id: str, holder: str, mark: str, now: datetime, ended_claim: str = ""
) -> TokenState:
    """Return the content with a new claim. It records an earlier claim on the same token without a known outcome.

    `ended_claim` is an own claim that has ended although the end could not be written.
    """
    before = state.claim
    same = before is not None and before.mark == mark
    endless = before is not None and before.open and before.id != ended_claim
    interrupted = same and before is not None and (endless or before.interrupted)
    return replace(
        state, claim=Claim(id=claim_id, holder=holder, time=now, mark=mark, open=True, interrupted=interrupted)
    )


def released(state: TokenState, *, claim_id: str, unanswered: bool) -> TokenState:
    """Return the content after a failed request; `unanswered`: Zoom may have spent the token all the same."""
    claim = state.claim
    if claim is None or claim.id != claim_id:
        return state
    if unanswered or claim.interrupted:
        return replace(state, claim=replace(claim, open=False, interrupted=True))
    return replace(state, claim=None)


def refused(
    state: TokenState, *, slot: TokenSlot | None, rejection: Rejection, handled_refresh: str = ""
) -> TokenState:
    """Return the content after a definite rejection: of the tokens in `slot`, or (None) of a grant."""
    ended = replace(state, claim=None, handled_refresh=handled_refresh or state.handled_refresh)
    if slot is TokenSlot.CURRENT:
        return replace(ended, rejected_token=rejection)
    return replace(ended, rejected_grant=rejection, candidate=None if slot is TokenSlot.CANDIDATE else state.candidate)


def identified(state: TokenState, *, slot: TokenSlot, user_id: str, account_id: str) -> TokenState:
    """Return the content after identification: the user is pinned, and a candidate replaces the tokens in use."""
    pinned = replace(state, user_id=user_id, account_id=account_id)
    if slot is TokenSlot.CURRENT or state.candidate is None:
        return pinned
    return replace(
        pinned,
        tokens=state.candidate.tokens,
        fingerprint=state.candidate.fingerprint,
        candidate=None,
        rejected_grant=None,
        rejected_token=None,
        received_from="",
    )
