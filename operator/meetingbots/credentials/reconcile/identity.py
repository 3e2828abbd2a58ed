"""Whose tokens they are: asked once per consent, after the tokens are stored and before anyone may use them.

The first consent's user is pinned in the token Secret. Tokens of a changed grant take the place of those in use only
if they are the same user's.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from meetingbots.credentials.decide.facts import Step
from meetingbots.credentials.decide.retry import error_for_status, trouble_after
from meetingbots.credentials.decide.token_state import Rejection, Slot, TokenState, identified, refused
from meetingbots.credentials.reconcile.gather import Gathered
from meetingbots.credentials.reconcile.memory import CredentialMemories
from meetingbots.credentials.reconcile.token_store import TokenStore
from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.models.credential import ConnectGrant, CredentialReason
from meetingbots.runtime.context import OperatorContext
from meetingbots.zoom.errors import Cause, ZoomError
from meetingbots.zoom.jwt_claims import claimed_account
from meetingbots.zoom.resources import User


class Identification:
    """Asks Zoom whose tokens they are and draws the conclusion in the token Secret. Raises `KubeError` only."""

    def __init__(
        self, *, services: OperatorContext, access_tokens: AccessTokens, memory: CredentialMemories, store: TokenStore
    ) -> None:
        self._services = services
        self._access_tokens = access_tokens
        self._memory = memory
        self._store = store

    async def identify(self, gathered: Gathered, *, slot: Slot) -> None:
        """Ask for the tokens of `slot`."""
        tokens = gathered.facts.state.held(slot)
        if tokens is None:
            return
        memory = self._memory.of(gathered.key)
        step = Step.IDENTITY if slot is Slot.CURRENT else Step.GRANT
        # Whose they are is what is asked: those that do not say it themselves share one limit for each app.
        account = claimed_account(tokens.access_token) or f"?{gathered.facts.client_id}"
        api = self._services.zoom_api(tokens.api_url, account=account, asker=gathered.key)
        try:
            user = await api.me(tokens.access_token)
        except ZoomError as error:
            if error.kind is Cause.TOKEN_EXPIRED and slot is Slot.CURRENT:
                self._access_tokens.refuse(gathered.key, tokens.access_token)
            now = self._services.clock()
            trouble = trouble_after(error, before=memory.troubles.get(step), now=now)
            memory.troubles[step] = trouble
            memory.last_error = error_for_status(error, reason=trouble.reason, before=memory.last_error, now=now)
            return
        memory.troubles.pop(step, None)
        memory.user = user
        change = partial(
            _conclude,
            slot=slot,
            mark=tokens.mark,
            user=user,
            client_id=gathered.facts.client_id,
            expected=gathered.facts.credential.spec.grant.connect,
        )
        await self._store.amend(gathered.facts.credential, change)


def _conclude(
    state: TokenState, *, slot: Slot, mark: str, user: User, client_id: str, expected: ConnectGrant | None
) -> TokenState:
    held = state.held(slot)
    if held is None or held.mark != mark:
        return state  # these are other tokens than those that were asked about
    unexpected = _unexpected(user, expected) if slot is Slot.CANDIDATE and expected is not None else ""
    if not unexpected and (not state.user_id or state.user_id == user.id):
        return identified(state, slot=slot, user_id=user.id, account_id=user.account_id)
    candidate = state.candidate.fingerprint if state.candidate else ""
    rejection = Rejection(
        mark=mark if slot is Slot.CURRENT else candidate,
        client_id=client_id,
        reason=CredentialReason.USER_MISMATCH,
        message=unexpected
        or "The tokens are another Zoom user's than the one who consented first. To consent as another user, "
        "delete the token Secret or create another ZoomCredential.",
    )
    # The claim, if there is one, is about something else.
    return replace(refused(state, slot=slot, rejection=rejection), claim=state.claim)


def _unexpected(user: User, expected: ConnectGrant) -> str:
    """Why this user is not the one who was expected to consent; empty if it is."""
    if expected.expected_email and user.email.strip().casefold() != expected.expected_email.strip().casefold():
        return "Another Zoom user consented than the one that spec.grant.connect.expectedEmail names."
    if expected.expected_account_id and user.account_id != expected.expected_account_id.strip():
        return "A Zoom user consented whose account is not the one that spec.grant.connect.expectedAccountId names."
    return ""
