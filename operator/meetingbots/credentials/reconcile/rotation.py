"""The renewal of tokens, in an order in which none is ever lost: claim, ask Zoom, store, and only then use.

Zoom kills a refresh token with the answer that brings the next. So before the question the token Secret has a claim,
which only one process can get; after the answer the new tokens are written until they are in. Whoever finds a claim of
a dead process knows that an answer may have been lost, and can say so.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol
from uuid import uuid4

from pydantic import SecretStr

from meetingbots.credentials.decide.facts import CredentialFacts, Step
from meetingbots.credentials.decide.retry import code_of, error_for_status, is_final, reason_of, sentence, trouble_after
from meetingbots.credentials.decide.token_state import (
    Claim,
    Rejection,
    Slot,
    Tokens,
    TokenState,
    Unsaved,
    claimed,
    mark_of,
    obtained,
    refused,
    released,
)
from meetingbots.credentials.manifests.token_secret import TokenSecret
from meetingbots.credentials.reconcile.gather import Gathered
from meetingbots.credentials.reconcile.grants import Grant
from meetingbots.credentials.reconcile.memory import CredentialMemories, CredentialMemory
from meetingbots.credentials.reconcile.token_store import NotStoredError, TokenStore
from meetingbots.kube.errors import KubeError
from meetingbots.models.credential import CredentialReason
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.errors import Cause, PermanentError, TransientError, ZoomError
from meetingbots.zoom.oauth import AppCredentials, TokenSet

_log = logging.getLogger(__name__)
_CLAIM_FRESH = timedelta(seconds=8)
"""With Zoom's time-out of 20 s this ends before others take a claim over (30 s)."""
_STORE_AGAIN = timedelta(seconds=2)


class _Ask(Protocol):
    def __call__(self, *, now: datetime) -> Awaitable[TokenSet]: ...


@dataclass(frozen=True, kw_only=True)
class _Asking:
    """One question to Zoom: what it spends (`mark`), where the answer goes, and the question itself."""

    slot: Slot
    fingerprint: str
    mark: str
    previous: Tokens | None
    grant: Grant | None
    step: Step
    ask: _Ask

    @property
    def renewable(self) -> bool:
        """Whether the same question may be asked as often as one likes."""
        return self.grant is not None and self.grant.renewable


class Rotation:
    """Renews tokens. What fails is remembered for the next decision; only `KubeError` is raised."""

    def __init__(
        self,
        *,
        services: OperatorContext,
        memory: CredentialMemories,
        store: TokenStore,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._services = services
        self._memory = memory
        self._store = store
        self._jitter = jitter

    async def redeem(self, gathered: Gathered, *, slot: Slot) -> None:
        """Ask with the grant; the answer goes to `slot`."""
        if gathered.app is not None and gathered.grant is not None:
            await self._turn(gathered, self._by_grant(gathered.app, gathered.grant, slot=slot, step=Step.GRANT))

    async def refresh(self, gathered: Gathered, *, slot: Slot) -> None:
        """Renew the tokens of `slot`: with their refresh token or, where there is none, with the grant again."""
        app, grant, facts = gathered.app, gathered.grant, gathered.facts
        tokens = facts.state.held(slot)
        if app is None or tokens is None:
            return
        step = Step.TOKENS if slot is Slot.CURRENT else Step.GRANT
        if tokens.refresh_token is not None:
            await self._turn(gathered, self._by_token(app, tokens.refresh_token, facts=facts, slot=slot, step=step))
        elif grant is not None and facts.asks_again(slot):
            await self._turn(gathered, self._by_grant(app, grant, slot=slot, step=step))

    async def save(self, key: Key) -> None:
        """Store what is still only in memory."""
        await self._save(self._memory.of(key), claim=None)

    def _by_grant(self, app: AppCredentials, grant: Grant, *, slot: Slot, step: Step) -> _Asking:
        return _Asking(
            slot=slot,
            fingerprint=grant.fingerprint,
            mark=grant.fingerprint,
            previous=None,
            grant=grant,
            step=step,
            ask=partial(grant.redeem, oauth=self._services.oauth, app=app),
        )

    def _by_token(
        self, app: AppCredentials, token: SecretStr, *, facts: CredentialFacts, slot: Slot, step: Step
    ) -> _Asking:
        candidate = facts.state.candidate
        return _Asking(
            slot=slot,
            fingerprint=candidate.fingerprint if slot is Slot.CANDIDATE and candidate else facts.state.fingerprint,
            mark=mark_of(token),
            previous=facts.state.held(slot),
            grant=None,
            step=step,
            ask=partial(self._services.oauth.refresh, app, refresh_token=token),
        )

    async def _turn(self, gathered: Gathered, asking: _Asking) -> None:
        memory = self._memory.of(gathered.key)
        request = gathered.facts.pending_request
        begun = self._services.clock()
        claim = await self._claim(gathered, asking, memory=memory)
        if claim is None or self._services.clock() - begun > _CLAIM_FRESH:
            return  # someone else was faster, or the claim would end before Zoom's answer: look again
        memory.tried_request = request or memory.tried_request
        now = self._services.clock()
        memory.ended_claim = ""
        try:
            got = await asking.ask(now=now)
            await self._check(gathered, asking, got)
        except ZoomError as error:
            await self._failed(gathered, asking, claim=claim, error=error)
            return
        # From here until it is stored, this is the only copy.
        memory.credential = gathered.facts.credential
        memory.unsaved = Unsaved(
            tokens=obtained(got, previous=asking.previous, now=now, jitter=self._jitter()),
            slot=asking.slot,
            fingerprint=asking.fingerprint,
            spent=asking.mark,
            before=claim.state,
            uid=claim.uid,
            handled_refresh=request,
        )
        memory.troubles.pop(asking.step, None)
        memory.troubles.pop(Step.IDENTITY, None)  # it is asked with the new token, at once
        self._services.metrics.credential_refreshes.labels("success").inc()
        await self._save(memory, claim=claim)

    async def _check(self, gathered: Gathered, asking: _Asking, got: TokenSet) -> None:
        """Whether tokens that take the place of those in use without a consent may do so. Raises `ZoomError`.

        Nothing is lost by a refusal: such a grant gives tokens again.
        """
        facts = gathered.facts
        if not asking.renewable or asking.slot is not Slot.CURRENT:
            return
        if mark_of(got.access_token) == facts.refused_token:
            raise TransientError(Cause.TOKEN_EXPIRED, message="the access token that came is one that Zoom refuses")
        checked = bool(facts.state.user_id) or facts.taken_back is not None
        if asking.grant is None or not asking.grant.any_user or not checked:
            return
        api = self._services.zoom_api(got.api_url, account=facts.state.account_id)
        user = await api.me(got.access_token)
        if facts.state.user_id and user.id != facts.state.user_id:
            raise PermanentError(
                Cause.OTHER_USER, message="the access token that came is another Zoom user's than the first one"
            )

    async def _claim(self, gathered: Gathered, asking: _Asking, *, memory: CredentialMemory) -> TokenSecret | None:
        facts = gathered.facts
        secret = facts.secret if isinstance(facts.secret, TokenSecret) else None
        claim_id = uuid4().hex
        state = claimed(
            facts.state,
            claim_id=claim_id,
            holder=self._services.instance,
            mark=asking.mark,
            now=self._services.clock(),
            ended_claim=memory.ended_claim,
        )
        # Should the answer to this write be lost, then nothing was asked under this claim.
        memory.ended_claim = claim_id
        return await self._store.replace(secret, state, credential=facts.credential)

    async def _save(self, memory: CredentialMemory, *, claim: TokenSecret | None) -> None:
        if memory.unsaved is None or memory.credential is None:
            return
        try:
            await self._store.save(memory.unsaved, credential=memory.credential, claim=claim)
        except NotStoredError as problem:
            memory.unsaved_problem, memory.nowhere = str(problem), problem.nowhere
            memory.unsaved_retry_at = self._services.clock() + _STORE_AGAIN
            return
        memory.saved()

    async def _failed(self, gathered: Gathered, asking: _Asking, *, claim: TokenSecret, error: ZoomError) -> None:
        memory = self._memory.of(gathered.key)
        held = claim.state.claim
        claim_id = held.id if held is not None else ""
        memory.ended_claim = "" if error.maybe_done else claim_id
        self._services.metrics.credential_refreshes.labels("refused" if error.definite else "failed").inc()
        _log.warning("tokens of %s were not renewed: %s", gathered.key, error)
        if is_final(error) and not asking.renewable:
            rejection = _rejection(asking, claim=held, error=error, client_id=gathered.facts.client_id)
            change = partial(
                _refuse,
                asked=claim.state,
                slot=asking.slot if asking.grant is None else None,
                rejection=rejection,
                request=gathered.facts.pending_request,
            )
            await self._end(gathered, change)
            memory.troubles.pop(asking.step, None)
            memory.last_error = error_for_status(
                error, reason=rejection.reason, before=memory.last_error, now=self._services.clock()
            )
            return
        trouble = trouble_after(
            error,
            before=memory.troubles.get(asking.step),
            now=self._services.clock(),
            renewable=asking.renewable,
        )
        memory.troubles[asking.step] = trouble
        memory.last_error = error_for_status(error, reason=trouble.reason, before=memory.last_error, now=trouble.time)
        try:
            await self._end(gathered, partial(released, claim_id=claim_id, unanswered=error.maybe_done))
        except KubeError as failure:
            # The claim is ours and stands in nobody's way for long; what Zoom said is told all the same.
            _log.warning("the claim on the tokens of %s stays for now: HTTP %s", gathered.key, failure.status)

    async def _end(self, gathered: Gathered, change: Callable[[TokenState], TokenState]) -> None:
        await self._store.amend(gathered.facts.credential, change)


def _refuse(
    state: TokenState, *, asked: TokenState, slot: Slot | None, rejection: Rejection, request: str
) -> TokenState:
    """The refusal as content, unless there are other tokens by now than when it was asked: then they are to be used.

    Nor while another process asks, which took our claim over: Zoom may have refused us because it gave that one tokens.
    """
    taken_over = state.claim is not None and asked.claim is not None and state.claim.id != asked.claim.id
    if taken_over or _marks(state) != _marks(asked):
        return state
    return refused(state, slot=slot, rejection=rejection, handled_refresh=request)


def _marks(state: TokenState) -> tuple[str, ...]:
    return tuple(held.mark if held is not None else "" for held in map(state.held, Slot))


def _rejection(asking: _Asking, *, claim: Claim | None, error: ZoomError, client_id: str) -> Rejection:
    interrupted = claim is not None and claim.interrupted
    reason = CredentialReason.ROTATION_INTERRUPTED if interrupted else reason_of(error)
    # A candidate that died takes its grant along: the same grant cannot be asked with again.
    mark = asking.mark if asking.slot is Slot.CURRENT or asking.grant is not None else asking.fingerprint
    if asking.grant is not None and error.kind is Cause.REDIRECT_MISMATCH:
        # The code may still be good: whoever corrects the redirect URI is to be served.
        mark = asking.grant.attempt or mark
    return Rejection(mark=mark, client_id=client_id, reason=reason, code=code_of(error), message=sentence(error))
