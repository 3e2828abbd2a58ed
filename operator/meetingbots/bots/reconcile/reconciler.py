"""Reconciles a MeetingBot: gather, decide, apply, until it has to wait."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from meetingbots.bots.decide import status as bot_status
from meetingbots.bots.decide.facts import (
    BotAction,
    BotFacts,
    BotPlan,
    CheckTemplate,
    Commit,
    CreatePod,
    DeleteBot,
    DeletePod,
    DeleteSecret,
    DeliverWithout,
    IssueTokens,
    PrepareTokens,
    TouchPod,
)
from meetingbots.bots.decide.next_step import decide
from meetingbots.bots.decide.schedule import start_deadline
from meetingbots.bots.reconcile.delivery import BotDelivery
from meetingbots.bots.reconcile.gather import BotGatherer
from meetingbots.bots.reconcile.memory import BotMemories, BotMemory
from meetingbots.bots.reconcile.observer import BotObserver
from meetingbots.bots.reconcile.pods import BotPods
from meetingbots.kube.client import Kube, Object, merge_patch
from meetingbots.kube.errors import ConflictError, NotFoundError
from meetingbots.kube.resources import BOTS
from meetingbots.models.base import ModelError
from meetingbots.models.bot import BotStatus, MeetingBot
from meetingbots.runtime.object_cache import Key, ObjectCache, key_of

_log = logging.getLogger(__name__)
_MAX_STEPS: Final = 12
_FROZEN_AFTER: Final = timedelta(seconds=5)
"""A request that takes longer may mean that the process was frozen and lost its Lease."""


class BotReconciler:
    """Takes a MeetingBot's steps."""

    def __init__(
        self,
        *,
        kube: Kube,
        bots: ObjectCache,
        memories: BotMemories,
        gatherer: BotGatherer,
        pods: BotPods,
        delivery: BotDelivery,
        observer: BotObserver,
        clock: Callable[[], datetime],
    ) -> None:
        self._kube = kube
        self._bots = bots
        self._gatherer = gatherer
        self._pods = pods
        self._delivery = delivery
        self._observer = observer
        self._clock = clock
        self._memories = memories

    async def reconcile(self, key: Key) -> float | None:
        """Take steps until the bot has to wait; returns for how many seconds. None: until its next event."""
        for _ in range(_MAX_STEPS):
            item = self._bots.get(key)
            if item is None or "deletionTimestamp" in item["metadata"]:
                self._memories.forget(key)
                return None
            memory = self._memories.of(key, item["metadata"]["uid"])
            try:
                bot = memory.model_of(item)
            except ModelError as error:
                await self._report_invalid(item, str(error))
                return None
            facts = await self._gatherer.gather(bot, memory, now=self._clock())
            self._observer.measure(facts, memory)
            plan = decide(facts)
            try:
                if plan.action is not None:
                    await self._apply(item, facts, memory, plan)
                elif not await self._write(item, bot, plan.status):
                    if bot.status.finished:
                        self._memories.forget(key)  # A finished bot is rarely reconciled again.
                    return plan.requeue_after
            except ConflictError:
                await self._read_again(key)
            except NotFoundError:
                if await self._read_again(key) is not None:
                    raise
        _log.warning("MeetingBot %s is not settled after %s steps", key, _MAX_STEPS)
        return 1.0

    async def _apply(self, item: Object, facts: BotFacts, memory: BotMemory, plan: BotPlan) -> None:
        match plan.action:
            case Commit():
                await self._commit(item, facts, memory, plan.status)
            case CheckTemplate():
                await self._pods.check_template(facts, memory)
            case CreatePod(name):
                await self._create_pod(item, facts, memory, name)
            case DeletePod(name, uid):
                # No read: it could find the Pod gone before the watch shows how its container ended.
                if await self._pods.delete(facts.bot, name, uid):
                    memory.of_attempt(name).pod_looked_at = facts.now
                else:
                    await self._gatherer.read_pod(facts.bot.namespace, name)
            case TouchPod(name, number):
                await self._pods.touch(facts, memory, name, number=number)
            case DeleteBot():
                await self._delete_bot(key_of(item), facts)
            case _:
                await self._apply_to_tokens(facts, memory, plan.action)

    async def _apply_to_tokens(self, facts: BotFacts, memory: BotMemory, action: BotAction | None) -> None:
        match action:
            case PrepareTokens(name):
                await self._delivery.prepare(facts, memory, name)
            case IssueTokens(name, absent, settle):
                await self._delivery.issue(facts, memory, name, absent=absent, settle=settle)
            case DeliverWithout(name, reason, message):
                await self._delivery.without(facts, memory, name, reason=reason, message=message)
            case DeleteSecret(name):
                await self._delivery.delete_secret(facts.bot, memory, name)

    async def _commit(self, item: Object, facts: BotFacts, memory: BotMemory, status: BotStatus) -> None:
        claimed = status.pod_name is not None and status.pod_name != facts.bot.status.pod_name
        before = self._clock()
        await self._write(item, facts.bot, status)
        if claimed and status.pod_name is not None:
            memory.of_attempt(status.pod_name).claimed(now=before)

    async def _write(self, item: Object, bot: MeetingBot, status: BotStatus) -> bool:
        """Write the changes of the status over the state that was read; returns whether there were any."""
        patch = {} if status is bot.status else merge_patch(bot.status.to_dict(), status.to_dict())
        if not patch:
            return False
        answer = await self._kube.patch(
            BOTS,
            namespace=bot.namespace,
            name=bot.name,
            subresource="status",
            patch={"status": patch},
            resource_version=bot.metadata.resource_version,
        )
        self._bots.put(answer)
        self._observer.written(item, bot, status)
        return True

    async def _create_pod(self, item: Object, facts: BotFacts, memory: BotMemory, name: str) -> None:
        attempt, known_at = memory.of_attempt(name), self._clock()
        claimed_at = attempt.claimed_at if attempt.fresh else None
        if claimed_at is None or known_at - claimed_at > _FROZEN_AFTER:
            # Another process may have finished this attempt, so the cached state is not enough.
            newest = await self._read_again(key_of(item))
            if newest is None or newest["metadata"]["resourceVersion"] != facts.bot.metadata.resource_version:
                return
            known_at = self._clock()
        uid = await self._pods.create(facts, memory, name)
        if uid is not None and self._clock() - known_at > _FROZEN_AFTER:
            # This process was frozen within the request, while another one may have finished the attempt.
            newest = await self._read_again(key_of(item))
            if newest is None or newest.get("status", {}).get("podName") != name:
                await self._pods.delete(facts.bot, name, uid)

    async def _delete_bot(self, key: Key, facts: BotFacts) -> None:
        bot = facts.bot
        self._memories.done(key, join_at=bot.join_at, until=start_deadline(bot), now=facts.now)
        await self._kube.delete(BOTS, namespace=bot.namespace, name=bot.name, uid=bot.metadata.uid)
        self._bots.drop(key, uid=bot.metadata.uid)

    async def _report_invalid(self, item: Object, message: str) -> None:
        status = bot_status.unreadable(item, message, now=self._clock())
        if status is not None:
            name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
            patch = {"status": status}
            await self._kube.patch(BOTS, namespace=namespace, name=name, subresource="status", patch=patch)

    async def _read_again(self, key: Key) -> Object | None:
        try:
            item = await self._kube.get(BOTS, namespace=key.namespace, name=key.name)
        except NotFoundError:
            self._bots.drop(key)
            return None
        self._bots.put(item)
        return item
