"""A credential's reconciliation: gather what is so, decide, act, and again until there is nothing to do; then tell it.

Each action leaves the token Secret in a state from which another process could go on, so this can end at any line.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final

from meetingbots.credentials.decide.next_action import Action, CredentialPlan, Kind, plan
from meetingbots.credentials.decide.ready import Verdict, ready
from meetingbots.credentials.decide.status import previous_reason, status_of
from meetingbots.credentials.decide.status_fields import StatusManager, differs
from meetingbots.credentials.manifests.token_secret import TokenSecret
from meetingbots.credentials.reconcile.consents import Connecting, Connection
from meetingbots.credentials.reconcile.gather import CredentialGatherer, Gathered
from meetingbots.credentials.reconcile.identity import Identification
from meetingbots.credentials.reconcile.memory import CredentialMemories
from meetingbots.credentials.reconcile.personal_ids import SyncedPersonalIds
from meetingbots.credentials.reconcile.rotation import Rotation
from meetingbots.credentials.reconcile.token_store import TokenStore
from meetingbots.credentials.reconcile.webhook_health import tell_silence
from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.credentials.status_writer import CredentialStatusWriter, StatusTarget
from meetingbots.models.base import ModelError
from meetingbots.models.credential import TokenDeletionPolicy, ZoomCredential
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key

_log = logging.getLogger(__name__)
_MOST_ACTIONS: Final = 8
_SOON_SECONDS: Final = 1.0
_UNSAVED_SECONDS: Final = 2.0


class CredentialReconciler:
    """Keeps the tokens of credentials alive and their statuses true.

    `sleep` and `jitter` (0 to 1) take the place of pausing and chance, for tests.
    """

    def __init__(
        self,
        *,
        services: OperatorContext,
        access_tokens: AccessTokens,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._services = services
        self._access_tokens = access_tokens
        self._sleep = sleep
        self._memory = CredentialMemories()
        self.personal_ids = SyncedPersonalIds(credentials=services.caches.credentials, memory=self._memory)
        self._gatherer = CredentialGatherer(services=services, access_tokens=access_tokens, memory=self._memory)
        self._status = CredentialStatusWriter(kube=services.kube, cache=services.caches.credentials)
        self._store = TokenStore(kube=services.kube, sleep=sleep)
        self._rotation = Rotation(services=services, memory=self._memory, store=self._store, jitter=jitter)
        self._connecting = Connecting(services=services, memory=self._memory)
        self._identification = Identification(
            services=services, access_tokens=access_tokens, memory=self._memory, store=self._store
        )

    async def reconcile(self, key: Key) -> float | None:
        """Bring one credential forward; in how many seconds to look again. Raises `KubeError`."""
        item = self._services.caches.credentials.get(key)
        if item is None or item["metadata"].get("deletionTimestamp"):
            return await self._gone(key)
        try:
            credential = ZoomCredential.from_object(item)
        except ModelError as error:
            self._services.recorder.event(item, reason="Invalid", note=str(error), warning=True)
            return None
        self._ask_for_projection(key, credential)
        gathered = await self._gatherer.gather(key, item=item, credential=credential)
        gathered, planned = await self._act(gathered)
        gathered, connection = await self._connecting.settle(gathered)
        after = await self._tell(gathered, planned, connection)
        self._access_tokens.settled(key, credential=gathered.facts.credential, state=gathered.facts.state)
        await tell_silence(self._services, key, client_id=gathered.facts.client_id, status_writer=self._status)
        self._services.queues.syncs.add(key)
        return after

    async def finish(self) -> None:
        """At the process's end, after the workers: store what is still only in memory; ends once all of it is."""
        while pending := self._memory.unsaved():
            for key in pending:
                await self._rotation.save(key)
            if self._memory.unsaved():
                await self._sleep(_UNSAVED_SECONDS)

    async def _act(self, gathered: Gathered) -> tuple[Gathered, CredentialPlan]:
        planned = plan(gathered.facts)
        for _ in range(_MOST_ACTIONS):
            if planned.action is None:
                break
            await self._carry_out(gathered, planned.action)
            gathered = await self._gatherer.again(gathered)
            planned = plan(gathered.facts)
        return gathered, planned

    async def _carry_out(self, gathered: Gathered, action: Action) -> None:
        _log.debug("%s: %s, tokens: %s", gathered.key, action.kind, action.slot)
        match action.kind:
            case Kind.STORE:
                await self._rotation.save(gathered.key)
            case Kind.OWN:
                facts = gathered.facts
                if isinstance(facts.secret, TokenSecret):
                    await self._store.replace(facts.secret, facts.state, credential=facts.credential)
            case Kind.REDEEM:
                await self._rotation.redeem(gathered, slot=action.slot)
            case Kind.REFRESH:
                await self._rotation.refresh(gathered, slot=action.slot)
            case Kind.END:
                await self._end(gathered)
            case Kind.IDENTIFY:
                await self._identification.identify(gathered, slot=action.slot)

    async def _end(self, gathered: Gathered) -> None:
        """Remove what is left of a consent that its user took back, whatever the deletion policy says."""
        if isinstance(gathered.facts.secret, TokenSecret):
            await self._store.remove(gathered.facts.secret)
        memory = self._memory.of(gathered.key)
        memory.troubles.clear()
        memory.user = None

    async def _tell(self, gathered: Gathered, planned: CredentialPlan, connection: Connection) -> float:
        """Write the status where it is not so; in how many seconds to look again."""
        facts, memory = gathered.facts, self._memory.of(gathered.key)
        verdict = ready(facts)
        self._measure(gathered, verdict)
        after = _SOON_SECONDS if planned.action is not None or connection.more else planned.after
        link = await self._connecting.link(facts, verdict=verdict, connection=connection)
        wanted = status_of(
            facts, verdict=link.told(verdict), next_refresh=planned.next_refresh, user=memory.user
        ).model_copy(update={"handled_consents": list(connection.handled), "connect_url": link.url or None})
        present = ZoomCredential.from_object(gathered.item).status
        if differs(wanted, present, manager=StatusManager.TOKENS):
            if not memory.may_tell(facts.now):
                return min(after, _SOON_SECONDS)
            memory.told.append(facts.now)
            target = StatusTarget.of(facts.credential)
            if not await self._status.apply(target, wanted, manager=StatusManager.TOKENS):
                return after
            if previous_reason(facts) != verdict.reason:
                self._services.recorder.event(
                    gathered.item, reason=verdict.reason, note=verdict.message, warning=not verdict.ready
                )
        memory.user = None
        return after

    def _measure(self, gathered: Gathered, verdict: Verdict) -> None:
        key, tokens = gathered.key, gathered.facts.state.tokens
        metrics = self._services.metrics
        metrics.credential_ready.labels(key.namespace, key.name).set(1 if verdict.ready else 0)
        if tokens is not None and tokens.expires_at is not None:
            metrics.credential_expiry.labels(key.namespace, key.name).set(tokens.expires_at.timestamp())

    def _ask_for_projection(self, key: Key, credential: ZoomCredential) -> None:
        """The receiver must know the app that is used now, and not one that is not used any more."""
        memory = self._memory.of(key)
        name = credential.spec.app_secret_ref.name
        if name == memory.app_secret:
            return
        for app in filter(None, (name, memory.app_secret)):
            self._services.queues.receiver.add(Key(key.namespace, app))
        memory.app_secret = name

    async def _gone(self, key: Key) -> float | None:
        memory = self._memory.of(key)
        if memory.credential is not None and _outlives(memory.credential):
            # The object went while its tokens were under way: the consent outlives it.
            await self._rotation.save(key)
            if memory.unsaved is not None and not memory.nowhere:
                return _UNSAVED_SECONDS
        if memory.app_secret:
            self._services.queues.receiver.add(Key(key.namespace, memory.app_secret))
        metrics = self._services.metrics
        for gauge in (metrics.credential_ready, metrics.credential_expiry):
            with contextlib.suppress(KeyError):
                gauge.remove(key.namespace, key.name)
        self._access_tokens.forget(key)
        self._services.queues.syncs.add(key)
        self._memory.forget(key)
        return None


def _outlives(credential: ZoomCredential) -> bool:
    return credential.spec.token_deletion_policy is TokenDeletionPolicy.RETAIN
