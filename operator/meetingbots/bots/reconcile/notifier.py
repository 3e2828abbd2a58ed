"""Sends notices about bots to a namespace's own webhook: in order for each bot, each until the webhook accepts it.

The status records what was accepted, so that a restart repeats nothing; a notice that was sent but not recorded is sent
again with the same id.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from meetingbots.bots.decide.notices import BotNotice, due_notices, with_accepted
from meetingbots.bots.manifests.notice_message import notice_message
from meetingbots.egress.addresses import EgressError
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.kube.resources import BOTS
from meetingbots.models import names
from meetingbots.models.base import ModelError
from meetingbots.models.bot import BotNotification, MeetingBot
from meetingbots.runtime.object_cache import Key, ObjectCache
from meetingbots.runtime.outward_webhooks import NoWebhook, OutwardWebhook, OutwardWebhooks
from meetingbots.runtime.plan import Backoff

_log = logging.getLogger(__name__)
_BACKOFF: Final = Backoff(first=5.0, cap=600.0)


class BotNotifier:
    """Sends the due notices of one bot at a time. Without `enabled` it makes no request at all."""

    def __init__(
        self,
        *,
        kube: Kube,
        bots: ObjectCache,
        webhooks: OutwardWebhooks,
        recorder: EventRecorder,
        clock: Callable[[], datetime],
        enabled: bool,
    ) -> None:
        self._kube = kube
        self._bots = bots
        self._webhooks = webhooks
        self._recorder = recorder
        self._clock = clock
        self._enabled = enabled
        self._failures: dict[Key, int] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Send what is due; return the seconds until the next try. Raises `KubeError`."""
        item = self._bots.get(key) if self._enabled else None
        if item is None:
            self._failures.pop(key, None)
            return None
        webhook = await self._webhooks.find(key.namespace)
        if isinstance(webhook, NoWebhook):
            return webhook.look_again
        try:
            bot = MeetingBot.from_object(item)
        except ModelError:
            return None  # the bot's own reconciliation reports it
        return await self._send(key, item, bot, webhook)

    def holds(self, bot: MeetingBot) -> bool:
        """Whether a notice about the bot is still to be sent, so that its deletion waits."""
        if not self._enabled or self._webhooks.is_absent(bot.namespace):
            return False
        return bool(due_notices(bot, now=self._clock()))

    async def _send(self, key: Key, item: Object, bot: MeetingBot, webhook: OutwardWebhook) -> float | None:
        accepted = known = bot.status.notifications
        failed: tuple[BotNotice, EgressError] | None = None
        for notice in due_notices(bot, now=self._clock(), webhook_created_at=webhook.created_at):
            failure = await self._webhooks.send(webhook, notice_message(notice, bot=bot))
            if failure is not None:
                failed = notice, failure
                break
            accepted = with_accepted(accepted, notice, now=self._clock())
        if accepted is not known:
            self._failures.pop(key, None)
            await self._record(bot, accepted)
        return self._failed(key, item, *failed) if failed is not None else None

    def _failed(self, key: Key, item: Object, notice: BotNotice, failure: EgressError) -> float:
        self._failures[key] = failures = self._failures.get(key, 0) + 1
        text = f"{notice.type} was not accepted by the webhook in Secret {names.NOTIFY_SECRET}: {failure.message}."
        _log.warning("MeetingBot %s: %s", key, text)
        if failures == 1:
            self._recorder.event(item, reason="NotificationFailed", note=text, warning=True)
        return failure.retry_after or _BACKOFF.delay(failures)

    async def _record(self, bot: MeetingBot, accepted: list[BotNotification]) -> None:
        """Write the accepted notices. No other code writes this field, so that the write needs no resourceVersion."""
        patch: Object = {
            "metadata": {"uid": bot.metadata.uid},
            "status": {"notifications": [one.to_dict() for one in accepted]},
        }
        try:
            answer = await self._kube.patch(
                BOTS, namespace=bot.namespace, name=bot.name, subresource="status", patch=patch
            )
        except NotFoundError:
            return
        self._bots.put(answer)
