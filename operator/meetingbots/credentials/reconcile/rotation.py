"""Refreshes tokens in an order that loses none: claim, ask Zoom, store, and only then use.

Zoom invalidates a refresh token with the answer that brings the next one. So before the request, the token Secret
holds a claim that only one process can get; after the answer, the new tokens are written until they are stored. The
claim of a dead process shows the next one that an answer may have been lost.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import uuid4

from pydantic import SecretStr

from meetingbots.credentials.decide.facts import CredentialFacts, RequestKind
from meetingbots.credentials.decide.failures import error_for_status, is_final, next_failure
from meetingbots.credentials.decide.granted import refreshed_proof
from meetingbots.credentials.decide.token_changes import claimed, obtained, released
from meetingbots.credentials.decide.token_state import TokenSecret, TokenSlot, Unsaved, mark_of
from meetingbots.credentials.reconcile.gather import Gathered, ProcessClock
from meetingbots.credentials.reconcile.grants import GrantExchange, TokenRequest, record_rejection, rejection_of
from meetingbots.credentials.reconcile.memory import CredentialMemories, CredentialMemory
from meetingbots.credentials.reconcile.token_store import NotStoredError, TokenStore
from meetingbots.credentials.sessions.zoom_session import APIFactory
from meetingbots.kube.errors import KubeError
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.errors import Cause, PermanentError, TransientError, ZoomError
from meetingbots.zoom.oauth import AppCredentials, OAuthClient, TokenSet

_log = logging.getLogger(__name__)
_CLAIM_WRITE_SECONDS: Final = 8.0
"""With Zoom's time limit of 20 s, a request that starts this late ends before others take the claim over (30 s)."""
_STORE_AGAIN: Final = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True)
class TokenClients:
    """What tokens are requested with. `api_factory` makes clients that identify the user of an access token."""

    oauth: OAuthClient
    api_factory: APIFactory
    metrics: Metrics


class Rotation:
    """Refreshes tokens. Failures are remembered for the next decision; only `KubeError` is raised.

    `instance` names this process in claims; `jitter` (0 to 1) spreads the times of the next refreshes.
    """

    def __init__(
        self,
        *,
        clients: TokenClients,
        store: TokenStore,
        memories: CredentialMemories,
        clock: ProcessClock,
        instance: str,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._clients = clients
        self._store = store
        self._memories = memories
        self._clock = clock
        self._instance = instance
        self._jitter = jitter

    async def redeem(self, gathered: Gathered, *, slot: TokenSlot) -> None:
        """Exchange the grant; the tokens go to `slot`."""
        if gathered.app is not None and gathered.grant is not None:
            await self._run(gathered, self._by_grant(gathered.app, gathered.grant, slot=slot, kind=RequestKind.GRANT))

    async def refresh(self, gathered: Gathered, *, slot: TokenSlot) -> None:
        """Replace the tokens of `slot`: by their refresh token or, without one, by another exchange of the grant."""
        app, grant, facts = gathered.app, gathered.grant, gathered.facts
        tokens = facts.state.held(slot)
        if app is None or tokens is None:
            return
        kind = RequestKind.TOKENS if slot is TokenSlot.CURRENT else RequestKind.GRANT
        if tokens.refresh_token is not None:
            await self._run(gathered, self._by_token(app, tokens.refresh_token, facts=facts, slot=slot, kind=kind))
        elif grant is not None and facts.renewed_by_grant(slot):
            await self._run(gathered, self._by_grant(app, grant, slot=slot, kind=kind))

    async def save(self, key: Key) -> None:
        """Store the tokens that are only in memory."""
        await self._save(self._memories.of(key), claim=None)

    def _by_grant(
        self, app: AppCredentials, grant: GrantExchange, *, slot: TokenSlot, kind: RequestKind
    ) -> TokenRequest:
        return TokenRequest(
            slot=slot,
            fingerprint=grant.fingerprint,
            mark=grant.fingerprint,
            previous=None,
            grant=grant,
            kind=kind,
            send=partial(grant.redeem, oauth=self._clients.oauth, app=app),
        )

    def _by_token(
        self, app: AppCredentials, token: SecretStr, *, facts: CredentialFacts, slot: TokenSlot, kind: RequestKind
    ) -> TokenRequest:
        candidate = facts.state.candidate
        return TokenRequest(
            slot=slot,
            fingerprint=candidate.fingerprint if slot is TokenSlot.CANDIDATE and candidate else facts.state.fingerprint,
            mark=mark_of(token),
            previous=facts.state.held(slot),
            grant=None,
            kind=kind,
            send=partial(self._clients.oauth.refresh, app, refresh_token=token),
        )

    async def _run(self, gathered: Gathered, request: TokenRequest) -> None:
        memory = self._memories.of(gathered.key)
        handled = gathered.facts.pending_request
        started = self._clock.monotonic()
        claim = await self._claim(gathered, request, memory=memory)
        if claim is None or self._clock.monotonic() - started > _CLAIM_WRITE_SECONDS:
            return  # another process was faster, or may take the claim over before Zoom's answer: decide again
        memory.tried_request = handled or memory.tried_request
        memory.checked_report = gathered.facts.doubted_since
        now = self._clock.utc()
        memory.ended_claim = ""
        try:
            got = await request.send(now=now)
            await self._check(gathered, request, got)
        except ZoomError as error:
            await self._failed(gathered, request, claim=claim, error=error)
            return
        # Until it is stored, this is the only copy.
        memory.credential = gathered.facts.credential
        memory.unsaved = Unsaved(
            tokens=obtained(got, previous=request.previous, now=now, jitter=self._jitter()),
            slot=request.slot,
            fingerprint=request.fingerprint,
            spent=request.mark,
            before=claim.state,
            uid=claim.uid,
            handled_refresh=handled,
        )
        held = memory.proof_of(gathered.facts.state.held(request.slot)) if request.continues(gathered.facts) else None
        memory.prove(memory.unsaved.tokens, refreshed_proof(held, scope=got.scope))
        memory.failures.pop(request.kind, None)
        memory.failures.pop(RequestKind.IDENTITY, None)  # the new token is identified at once
        self._clients.metrics.credential_refreshes.labels("success").inc()
        await self._save(memory, claim=claim)

    async def _check(self, gathered: Gathered, request: TokenRequest, got: TokenSet) -> None:
        """Check tokens that replace those in use without a new consent. Raises `ZoomError`.

        A refusal loses nothing: such a grant gives tokens again.
        """
        facts = gathered.facts
        if not request.renewable or request.slot is not TokenSlot.CURRENT:
            return
        if mark_of(got.access_token) == facts.refused_token:
            raise TransientError(Cause.TOKEN_EXPIRED, message="the new access token is one that Zoom rejects")
        needed = bool(facts.state.user_id) or facts.revoked is not None
        if request.grant is None or not request.grant.any_user or not needed:
            return
        api = self._clients.api_factory(got.api_url, account=facts.rate_account)
        try:
            user = await api.me(got.access_token)
        except ZoomError as error:
            if error.kind is Cause.TOKEN_EXPIRED and facts.doubted_since is not None:
                raise PermanentError(
                    Cause.CONSENT_REVOKED, message="Zoom rejects the new access token since the user removed the app"
                ) from None
            raise
        if facts.pinned_user and user.id != facts.pinned_user:
            raise PermanentError(
                Cause.OTHER_USER, message="the new access token belongs to another Zoom user than the first one"
            )

    async def _claim(
        self, gathered: Gathered, request: TokenRequest, *, memory: CredentialMemory
    ) -> TokenSecret | None:
        facts = gathered.facts
        secret = facts.secret if isinstance(facts.secret, TokenSecret) else None
        claim_id = uuid4().hex
        state = claimed(
            facts.state,
            claim_id=claim_id,
            holder=self._instance,
            mark=request.mark,
            now=self._clock.utc(),
            ended_claim=memory.ended_claim,
        )
        # If the answer to this write is lost, Zoom has not been asked under this claim.
        memory.ended_claim = claim_id
        return await self._store.replace(secret, state, credential=facts.credential)

    async def _save(self, memory: CredentialMemory, *, claim: TokenSecret | None) -> None:
        if memory.unsaved is None or memory.credential is None:
            return
        try:
            await self._store.save(memory.unsaved, credential=memory.credential, claim=claim)
        except NotStoredError as problem:
            memory.unsaved_problem, memory.nowhere = str(problem), problem.nowhere
            memory.unsaved_retry_at = self._clock.utc() + _STORE_AGAIN
            return
        memory.saved()

    async def _failed(self, gathered: Gathered, request: TokenRequest, *, claim: TokenSecret, error: ZoomError) -> None:
        memory = self._memories.of(gathered.key)
        held = claim.state.claim
        claim_id = held.id if held is not None else ""
        memory.ended_claim = "" if error.maybe_done else claim_id
        self._clients.metrics.credential_refreshes.labels("refused" if error.definite else "failed").inc()
        _log.warning("tokens of %s were not refreshed: %s", gathered.key, error)
        if is_final(error) and (not request.renewable or gathered.facts.doubted_since is not None):
            await self._reject(gathered, request, claim=claim, error=error)
            return
        failure = next_failure(
            error,
            before=memory.failures.get(request.kind),
            now=self._clock.utc(),
            renewable=request.renewable,
        )
        memory.failures[request.kind] = failure
        memory.last_error = error_for_status(error, reason=failure.reason, before=memory.last_error, now=failure.time)
        try:
            await self._store.amend(
                gathered.facts.credential, partial(released, claim_id=claim_id, unanswered=error.maybe_done)
            )
        except KubeError as problem:
            # The claim is our own and expires soon; Zoom's answer is reported all the same.
            _log.warning("the claim on the tokens of %s stays for now: HTTP %s", gathered.key, problem.status)

    async def _reject(self, gathered: Gathered, request: TokenRequest, *, claim: TokenSecret, error: ZoomError) -> None:
        memory, facts = self._memories.of(gathered.key), gathered.facts
        rejection = rejection_of(request, asked=claim.state, error=error, client_id=facts.client_id)
        change = partial(
            record_rejection,
            asked=claim.state,
            slot=request.slot if request.grant is None or request.renewable else None,
            rejection=rejection,
            request=facts.pending_request,
        )
        await self._store.amend(facts.credential, change)
        memory.failures.pop(request.kind, None)
        memory.last_error = error_for_status(
            error, reason=rejection.reason, before=memory.last_error, now=self._clock.utc()
        )
