"""Reconciles a credential: gathers facts, decides and acts until there is nothing to do, then writes the status.

The receiver sets the condition WebhookReceiving as soon as it can judge. While no webhook arrives, the reporter here
sets it; it takes the condition from no field manager, so that the receiver's next apply replaces it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cachetools import TTLCache

from meetingbots.credentials.decide.facts import AppFound, CredentialFacts
from meetingbots.credentials.decide.plan import ConcludeConsents, CredentialPlan, RotateLinkKey, decide
from meetingbots.credentials.decide.webhook_health import WebhookApp, webhook_health
from meetingbots.credentials.reconcile.actions import CredentialActions
from meetingbots.credentials.reconcile.gather import CredentialGatherer, Gathered, ProcessClock
from meetingbots.credentials.reconcile.memory import CredentialMemories
from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.credentials.status_writer import CredentialStatusWriter, StatusManager, StatusTarget, differs
from meetingbots.kube.errors import ConflictError
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.models.base import ModelError
from meetingbots.models.conditions import Condition, ConditionStatus, ConditionType, find
from meetingbots.models.credential import CredentialStatus, TokenDeletionPolicy, WebhookReason, ZoomCredential
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.object_cache import Key, Object, ObjectCache
from meetingbots.runtime.work_queue import WorkQueue

_MAX_MESSAGES: Final = 100_000
_REWRITE_SECONDS: Final = 600.0
"""How long a message stays that another process has written in place of ours."""


class WebhookHealthReporter:
    """Reports the health of webhooks for one credential at a time."""

    def __init__(
        self,
        *,
        credentials: ObjectCache,
        status: CredentialStatusWriter,
        recorder: EventRecorder,
        clock: Callable[[], datetime],
    ) -> None:
        self._credentials = credentials
        self._status = status
        self._recorder = recorder
        self._clock = clock
        self._reasons: dict[Key, str] = {}
        self._written: TTLCache[Key, str] = TTLCache(
            _MAX_MESSAGES, ttl=_REWRITE_SECONDS, timer=lambda: clock().timestamp()
        )
        """Messages of this process. Releases that share a namespace would write their own addresses in turn."""

    async def report(self, key: Key, app: WebhookApp) -> None:
        """Update the condition, and record an Event when signatures become invalid. Raises `KubeError`."""
        item = self._credentials.get(key)
        if item is None:
            return
        credential = ZoomCredential.from_object(item)
        self._record(key, item, credential)
        conditions = webhook_health(credential, app, now=self._clock()) if app.client_id else None
        wanted = find(conditions or (), ConditionType.WEBHOOK_RECEIVING)
        if conditions is None or wanted is None or self._was_replaced(key, credential, wanted):
            return
        with contextlib.suppress(ConflictError):
            # The watch brings the newer object, and with it the next reconciliation.
            await self._status.replace_conditions(StatusTarget.of(credential, unchanged=True), conditions)
            self._written[key] = wanted.message

    def forget(self, key: Key) -> None:
        """Forget a deleted credential."""
        self._reasons.pop(key, None)
        self._written.pop(key, None)

    def _was_replaced(self, key: Key, credential: ZoomCredential, wanted: Condition) -> bool:
        """Return whether another process has just replaced this message, and nothing else of the condition."""
        known = find(credential.status.conditions, ConditionType.WEBHOOK_RECEIVING)
        same = known is not None and (known.status, known.reason) == (wanted.status, wanted.reason)
        return same and self._written.get(key) == wanted.message

    def _record(self, key: Key, item: Object, credential: ZoomCredential) -> None:
        shown = find(credential.status.conditions, ConditionType.WEBHOOK_RECEIVING)
        before, reason = self._reasons.get(key), shown.reason if shown is not None else ""
        self._reasons[key] = reason
        if shown is not None and reason == WebhookReason.SIGNATURE_INVALID and before not in (None, reason):
            self._recorder.event(item, reason="WebhookSignatureInvalid", note=shown.message, warning=True)


_MAX_ACTIONS: Final = 8
_SOON_SECONDS: Final = 1.0
_UNSAVED_SECONDS: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Reporting:
    """Where results go: the status, WebhookReceiving, Events, metrics and access tokens.

    `public_url` is the base of the address for webhooks that messages name.
    """

    status: CredentialStatusWriter
    webhooks: WebhookHealthReporter
    recorder: EventRecorder
    metrics: Metrics
    access_tokens: AccessTokens
    public_url: str


@dataclass(frozen=True, kw_only=True)
class DependentQueues:
    """Queues of work that follows from a credential: app Secrets to project, and meetings to read."""

    projections: WorkQueue[Key]
    syncs: WorkQueue[Key]


class CredentialReconciler:
    """Keeps the tokens of credentials alive and their statuses correct."""

    def __init__(
        self,
        *,
        credentials: ObjectCache,
        gatherer: CredentialGatherer,
        actions: CredentialActions,
        reporting: Reporting,
        queues: DependentQueues,
        memories: CredentialMemories,
        clock: ProcessClock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._credentials = credentials
        self._gatherer = gatherer
        self._actions = actions
        self._reporting = reporting
        self._queues = queues
        self._memories = memories
        self._clock = clock
        self._sleep = sleep

    async def reconcile(self, key: Key) -> float | None:
        """Reconcile one credential; return the seconds until the next time. Raises `KubeError`."""
        item = self._credentials.get(key)
        if item is None or item["metadata"].get("deletionTimestamp"):
            return await self._deleted(key)
        try:
            credential = ZoomCredential.from_object(item)
        except ModelError as error:
            self._reporting.recorder.event(item, reason="Invalid", note=str(error), warning=True)
            return None
        self._request_projection(key, credential)
        gathered = await self._gatherer.gather(key, item=item, credential=credential)
        gathered, plan = await self._act(gathered)
        requeue_after = await self._report(gathered, plan)
        facts = gathered.facts
        self._reporting.access_tokens.settled(key, credential=facts.credential, state=facts.state, proof=facts.proof)
        await self._reporting.webhooks.report(key, self._webhook_app(facts))
        self._queues.syncs.add(key)
        return requeue_after

    async def finish(self) -> None:
        """Store tokens that are only in memory, at shutdown after the workers; return when all are stored."""
        while pending := self._memories.unsaved():
            for key in pending:
                await self._actions.rotation.save(key)
            if self._memories.unsaved():
                await self._sleep(_UNSAVED_SECONDS)

    async def _act(self, gathered: Gathered) -> tuple[Gathered, CredentialPlan]:
        plan = decide(gathered.facts)
        for _ in range(_MAX_ACTIONS):
            if plan.action is None:
                break
            await self._actions.apply(gathered, plan.action)
            if isinstance(plan.action, ConcludeConsents | RotateLinkKey):
                credential = ZoomCredential.from_object(gathered.item)
                gathered = await self._gatherer.gather(gathered.key, item=gathered.item, credential=credential)
            else:
                gathered = await self._gatherer.refresh(gathered)
            plan = decide(gathered.facts)
        return gathered, plan

    async def _report(self, gathered: Gathered, plan: CredentialPlan) -> float:
        """Write the status if it has changed; return the seconds until the next reconciliation."""
        memory, now = self._memories.of(gathered.key), self._clock.monotonic()
        self._measure(gathered, plan)
        requeue_after = _SOON_SECONDS if plan.action is not None else plan.requeue_after or 0.0
        present = ZoomCredential.from_object(gathered.item).status
        if differs(plan.status, present, manager=StatusManager.TOKENS):
            if not memory.may_write(now):
                return min(requeue_after, _SOON_SECONDS)
            memory.writes.append(now)
            target = StatusTarget.of(gathered.facts.credential)
            if not await self._reporting.status.apply(target, plan.status, manager=StatusManager.TOKENS):
                return requeue_after
            self._record_events(gathered.item, before=present, after=plan.status)
        memory.user, memory.concluded = None, ()
        return requeue_after

    def _record_events(self, item: Object, *, before: CredentialStatus, after: CredentialStatus) -> None:
        """Record an Event when the reason of Ready changes, and when a valid token can no longer be refreshed."""
        ready = find(after.conditions, ConditionType.READY)
        known = find(before.conditions, ConditionType.READY)
        if ready is None:
            return
        valid = ready.status is ConditionStatus.TRUE
        if known is None or known.reason != ready.reason:
            self._reporting.recorder.event(item, reason=ready.reason, note=ready.message, warning=not valid)
        blocked, known = (find(one.conditions, ConditionType.RECONCILING) for one in (after, before))
        if valid and blocked is not None and (known is None or known.reason != blocked.reason):
            self._reporting.recorder.event(item, reason=blocked.reason, note=blocked.message, warning=True)

    def _webhook_app(self, facts: CredentialFacts) -> WebhookApp:
        signed = not isinstance(facts.app, AppFound) or facts.app.signs_webhooks
        return WebhookApp(
            client_id=facts.client_id,
            public_url=self._reporting.public_url,
            secret_name="" if signed else facts.credential.spec.app_secret_ref.name,
        )

    def _measure(self, gathered: Gathered, plan: CredentialPlan) -> None:
        key, tokens = gathered.key, gathered.facts.state.tokens
        metrics = self._reporting.metrics
        shown = find(plan.status.conditions, ConditionType.READY)
        ready = shown is not None and shown.status is ConditionStatus.TRUE
        metrics.credential_ready.labels(key.namespace, key.name).set(1 if ready else 0)
        blocked = find(plan.status.conditions, ConditionType.RECONCILING) if ready else None
        metrics.credential_blocked.labels(key.namespace, key.name).set(1 if blocked is not None else 0)
        if tokens is not None and tokens.expires_at is not None:
            metrics.credential_expiry.labels(key.namespace, key.name).set(tokens.expires_at.timestamp())

    def _request_projection(self, key: Key, credential: ZoomCredential) -> None:
        """Have the receiver learn about the app that is now in use, and forget the one before."""
        memory = self._memories.of(key)
        name = credential.spec.app_secret_ref.name
        if name == memory.app_secret:
            return
        for app in filter(None, (name, memory.app_secret)):
            self._queues.projections.add(Key(key.namespace, app))
        memory.app_secret = name

    async def _deleted(self, key: Key) -> float | None:
        memory = self._memories.of(key)
        if memory.credential is not None and _outlives(memory.credential):
            # The object was deleted during a refresh: the consent outlives it, so its tokens are stored.
            await self._actions.rotation.save(key)
            if memory.unsaved is not None and not memory.nowhere:
                return _UNSAVED_SECONDS
        if memory.app_secret:
            self._queues.projections.add(Key(key.namespace, memory.app_secret))
        metrics = self._reporting.metrics
        for gauge in (metrics.credential_ready, metrics.credential_blocked, metrics.credential_expiry):
            with contextlib.suppress(KeyError):
                gauge.remove(key.namespace, key.name)
        self._reporting.access_tokens.forget(key)
        self._reporting.webhooks.forget(key)
        self._queues.syncs.add(key)
        self._memories.forget(key)
        return None


def _outlives(credential: ZoomCredential) -> bool:
    return credential.spec.token_deletion_policy is TokenDeletionPolicy.RETAIN
