"""Identifies the user of new tokens, once for each consent: after they are stored, before anyone may use them.

The first consent's user is pinned in the token Secret. Tokens of a changed grant replace those in use only if they
belong to the same user. Tokens of another user go to that user's own credential, if there is one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

from pydantic import SecretStr

from meetingbots.credentials.decide.consents import fate_of_tokens
from meetingbots.credentials.decide.facts import RequestKind, unproven_account
from meetingbots.credentials.decide.failures import error_for_status, next_failure, not_handed_over
from meetingbots.credentials.decide.granted import Proof
from meetingbots.credentials.decide.token_changes import identified, refused
from meetingbots.credentials.decide.token_state import Rejection, TokenSlot, TokenState
from meetingbots.credentials.reconcile.gather import Gathered, ProcessClock
from meetingbots.credentials.reconcile.handover import TokenHandover
from meetingbots.credentials.reconcile.memory import CredentialMemories
from meetingbots.credentials.reconcile.token_store import NotStoredError, TokenStore
from meetingbots.models.credential import ConnectGrant, CredentialReason
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.api import ZoomAPI
from meetingbots.zoom.errors import Cause, ZoomError
from meetingbots.zoom.resources import User

_OTHER_USER: Final = (
    "The tokens belong to another Zoom user than the first consent. To consent as another user, delete the token "
    "Secret or create another ZoomCredential."
)


class IdentityAPIFactory(Protocol):
    """Makes REST clients for tokens of unknown users."""

    def __call__(self, api_url: str, *, account: str, asker: Key | None = None) -> ZoomAPI:
        """Return the client for a token's `api_url`, limited by the rate of `account` as `asker` allows it."""


class RefusedTokens(Protocol):
    """Takes note of access tokens that Zoom rejects."""

    def refuse(self, key: Key, token: SecretStr) -> None:
        """Do not hand out this token again."""


@dataclass(frozen=True, kw_only=True)
class Identification:
    """Asks Zoom for the user and records the result in the token Secret. Raises only `KubeError`."""

    api_factory: IdentityAPIFactory
    refused_tokens: RefusedTokens
    memories: CredentialMemories
    store: TokenStore
    handover: TokenHandover
    clock: ProcessClock

    async def identify(self, gathered: Gathered, *, slot: TokenSlot) -> None:
        """Identify the user of the tokens in `slot`."""
        tokens = gathered.facts.state.held(slot)
        if tokens is None:
            return
        memory = self.memories.of(gathered.key)
        kind = RequestKind.IDENTITY if slot is TokenSlot.CURRENT else RequestKind.GRANT
        # The account that a token claims is unproven and must not use up another tenant's rate.
        account = unproven_account(gathered.key.namespace, gathered.key.name)
        api = self.api_factory(tokens.api_url, account=account, asker=gathered.key)
        try:
            user = await api.me(tokens.access_token)
        except ZoomError as error:
            if error.kind is Cause.TOKEN_EXPIRED and slot is TokenSlot.CURRENT:
                self.refused_tokens.refuse(gathered.key, tokens.access_token)
            now = self.clock.utc()
            failure = next_failure(error, before=memory.failures.get(kind), now=now)
            memory.failures[kind] = failure
            memory.last_error = error_for_status(error, reason=failure.reason, before=memory.last_error, now=now)
            return
        memory.failures.pop(kind, None)
        memory.user = user
        pinned = gathered.facts.pinned_user
        if pinned in ("", user.id):
            known = memory.proof_of(tokens) or Proof()
            memory.prove(tokens, replace(known, user_id=user.id, account_id=user.account_id))
        mismatch = self._mismatch(gathered, user, slot=slot)
        if mismatch and slot is TokenSlot.CANDIDATE:
            # Before the candidate is dropped: it is the only copy of the user's tokens.
            try:
                receiver = await self.handover.give(gathered, tokens, user=user)
            except NotStoredError as problem:
                memory.failures[kind] = not_handed_over(str(problem), now=self.clock.utc())
                return
            mismatch = f"{mismatch} {fate_of_tokens(receiver)}"
        elif not mismatch and (slot is TokenSlot.CANDIDATE or not pinned):
            self.handover.announce(gathered, user=user)
        change = partial(
            _conclude, slot=slot, mark=tokens.mark, user=user, client_id=gathered.facts.client_id, mismatch=mismatch
        )
        await self.store.amend(gathered.facts.credential, change)

    def _mismatch(self, gathered: Gathered, user: User, *, slot: TokenSlot) -> str:
        """Return why the tokens are not to be used; empty if they are the right user's."""
        expected = gathered.facts.credential.spec.grant.connect
        unexpected = _unexpected(user, expected) if slot is TokenSlot.CANDIDATE and expected is not None else ""
        return unexpected or ("" if gathered.facts.pinned_user in ("", user.id) else _OTHER_USER)


def _conclude(
    state: TokenState, *, slot: TokenSlot, mark: str, user: User, client_id: str, mismatch: str
) -> TokenState:
    held = state.held(slot)
    if held is None or held.mark != mark:
        return state  # the tokens have been replaced since the request
    if not mismatch:
        return identified(state, slot=slot, user_id=user.id, account_id=user.account_id)
    candidate = state.candidate.fingerprint if state.candidate else ""
    rejection = Rejection(
        mark=mark if slot is TokenSlot.CURRENT else candidate,
        client_id=client_id,
        reason=CredentialReason.USER_MISMATCH,
        message=mismatch,
    )
    # A claim in progress is unrelated to this result.
    return replace(refused(state, slot=slot, rejection=rejection), claim=state.claim)


def _unexpected(user: User, expected: ConnectGrant) -> str:
    """Return why this user is not the expected one; empty if it is."""
    if expected.expected_email and user.email.strip().casefold() != expected.expected_email.strip().casefold():
        return "The Zoom user who consented is not the one in spec.grant.connect.expectedEmail."
    if expected.expected_account_id and user.account_id != expected.expected_account_id.strip():
        return "The account of the Zoom user who consented is not the one in spec.grant.connect.expectedAccountId."
    return ""
