"""A MeetingBot's reconciliation: gather, decide, apply, until nothing is left to do now."""

from __future__ import annotations

import logging
from functools import partial

from meetingbots.bots.decide import actions
from meetingbots.bots.decide import status as bot_status
from meetingbots.bots.decide.actions import BotPlan
from meetingbots.bots.decide.facts import BotFacts
from meetingbots.bots.decide.next_step import decide
from meetingbots.bots.decide.schedule import attempt_due, start_deadline
from meetingbots.bots.reconcile.default_template import DefaultTemplate
from meetingbots.bots.reconcile.delivery import BotDelivery
from meetingbots.bots.reconcile.gather import BotGatherer
from meetingbots.bots.reconcile.memory import BotMemories, BotMemory
from meetingbots.bots.reconcile.pods import BotPods
from meetingbots.bots.reconcile.token_issuer import TokenIssuer
from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.kube.client import Object
from meetingbots.kube.errors import ConflictError, NotFoundError
from meetingbots.kube.merge_patch import merge_patch
from meetingbots.kube.resources import BOTS
from meetingbots.models.base import ModelError
from meetingbots.models.bot import BotPhase, BotStatus, MeetingBot
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key, key_of

_log = logging.getLogger(__name__)
_MOST_STEPS = 12


class BotReconciler:
    """Brings one MeetingBot as far as it can go now."""

    def __init__(self, *, services: OperatorContext, access_tokens: AccessTokens) -> None:
        self._services = services
        template = DefaultTemplate(services.settings.bot_template_file)
        issuer = TokenIssuer(services=services, access_tokens=access_tokens)
        self._gatherer = BotGatherer(services=services, access_tokens=access_tokens, default_template=template)
        self._pods = BotPods(services=services, default_template=template)
        self._delivery = BotDelivery(services=services, issuer=issuer)
        self._memories = BotMemories()
        for phase in BotPhase:
            services.metrics.bots.labels(phase).set_function(partial(self._count, phase))

    async def reconcile(self, key: Key) -> float | None:
        """Take steps until the bot has to wait; answers for how many seconds (None: for an event)."""
        for _ in range(_MOST_STEPS):
            item = self._services.caches.bots.get(key)
            if item is None or "deletionTimestamp" in item["metadata"]:
                self._memories.forget(key)
                return None
            memory = self._memories.of(key, item["metadata"]["uid"])
            try:
                bot = memory.model_of(item)
            except ModelError as error:
                await self._tell_unreadable(item, str(error))
                return None
            facts = await self._gatherer.gather(bot, memory, now=self._services.clock())
            self._observe(facts, memory)
            plan = decide(facts)
            try:
                if plan.action is None:
                    if not await self._write(item, bot, plan.status):
                        if bot_status.is_finished(bot.status):
                            memory.model = None  # it will hardly be looked at again
                        return plan.requeue_after
                    continue  # what was written is looked at as any other change
                await self._apply(item, facts, memory, plan)
            except ConflictError:
                await self._read_again(key)
            except NotFoundError:
                if await self._read_again(key) is not None:
                    raise
        _log.warning("MeetingBot %s is not at rest after %s steps", key, _MOST_STEPS)
        return 1.0

    async def _apply(self, item: Object, facts: BotFacts, memory: BotMemory, plan: BotPlan) -> None:
        match plan.action:
            case actions.Commit():
                await self._commit(item, facts, memory, plan.status)
            case actions.CheckTemplate():
                await self._pods.check_template(facts, memory)
            case actions.CreatePod(name):
                await self._create_pod(item, facts, memory, name)
            case actions.DeletePod(name, uid):
                await self._pods.delete(facts.bot, name, uid)
                await self._gatherer.read_pod(facts.bot.namespace, name)
            case actions.DeleteBot():
                metadata = facts.bot.metadata
                self._memories.done(
                    key_of(item), join_at=facts.bot.join_at, until=start_deadline(facts.bot), now=facts.now
                )
                await self._services.kube.delete(
                    BOTS, namespace=metadata.namespace, name=metadata.name, uid=metadata.uid
                )
                self._services.caches.bots.drop(Key(metadata.namespace, metadata.name), uid=metadata.uid)
            case _:
                await self._apply_token_action(facts, memory, plan.action)

    async def _apply_token_action(self, facts: BotFacts, memory: BotMemory, action: actions.BotAction | None) -> None:
        match action:
            case actions.PrepareTokens(name):
                await self._delivery.prepare(facts, memory, name)
            case actions.IssueTokens(name, absent, settle):
                await self._delivery.issue(facts, memory, name, absent=absent, settle=settle)
            case actions.DeliverWithout(name, reason, message):
                await self._delivery.without(facts, memory, name, reason=reason, message=message)
            case actions.TouchPod(name, number):
                await self._pods.touch(facts, memory, name, number=number)
            case actions.DeleteSecret(name):
                await self._delivery.delete_secret(facts.bot, memory, name)

    async def _commit(self, item: Object, facts: BotFacts, memory: BotMemory, status: BotStatus) -> None:
        claimed = status.pod_name is not None and status.pod_name != facts.bot.status.pod_name
        await self._write(item, facts.bot, status)
        if claimed and status.pod_name is not None:
            memory.of_attempt(status.pod_name).claimed()

    async def _write(self, item: Object, bot: MeetingBot, status: BotStatus) -> bool:
        """Write what changed of the status, only onto the very state that it was decided from; whether it did."""
        patch = {} if status is bot.status else merge_patch(bot.status.to_dict(), status.to_dict())
        if not patch:
            return False
        answer = await self._services.kube.patch(
            BOTS,
            namespace=bot.namespace,
            name=bot.name,
            subresource="status",
            patch={"status": patch},
            resource_version=bot.metadata.resource_version,
        )
        self._services.caches.bots.put(answer)
        self._tell(item, bot.status, status)
        return True

    async def _create_pod(self, item: Object, facts: BotFacts, memory: BotMemory, name: str) -> None:
        if not memory.of_attempt(name).fresh:
            # Another process may have gone through this attempt already: nothing is made from an old state.
            newest = await self._read_again(key_of(item))
            if newest is None or newest["metadata"]["resourceVersion"] != facts.bot.metadata.resource_version:
                return
        await self._pods.create(facts, memory, name)

    async def _tell_unreadable(self, item: Object, words: str) -> None:
        told = bot_status.unreadable(item, words, now=self._services.clock())
        if told is not None:
            name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
            patch = {"status": told}
            await self._services.kube.patch(BOTS, namespace=namespace, name=name, subresource="status", patch=patch)

    async def _read_again(self, key: Key) -> Object | None:
        try:
            item = await self._services.kube.get(BOTS, namespace=key.namespace, name=key.name)
        except NotFoundError:
            self._services.caches.bots.drop(key)
            return None
        self._services.caches.bots.put(item)
        return item

    def _tell(self, item: Object, before: BotStatus, after: BotStatus) -> None:
        """An Event at each transition, in the words of the Ready condition."""
        told, was = bot_status.ready(after), bot_status.ready(before)
        if told is None or (was is not None and was.reason == told.reason and before.phase == after.phase):
            return
        self._services.recorder.event(item, reason=told.reason, note=told.message, warning=told.status == "False")

    def _observe(self, facts: BotFacts, memory: BotMemory) -> None:
        """The two figures that matter: age of the token at the start, and delay of the start behind joinAt."""
        attempt, pod = memory.attempt, facts.pod
        if attempt is None or pod is None or not pod.started or attempt.started_seen:
            return
        attempt.started_seen = True
        if facts.bot.status.phase is BotPhase.RUNNING:
            return  # seen before by an earlier process
        if facts.delivery is not None and facts.delivery.issued_at is not None:
            age = (facts.now - facts.delivery.issued_at).total_seconds()
            self._services.metrics.token_age_at_start.observe(max(0.0, age))
        delay = (facts.now - attempt_due(facts.bot)).total_seconds()
        self._services.metrics.join_delay.observe(max(0.0, delay))

    def _count(self, phase: BotPhase) -> float:
        cache = self._services.caches.bots
        return sum(1 for key in cache if (cache.get(key) or {}).get("status", {}).get("phase", "Pending") == phase)
