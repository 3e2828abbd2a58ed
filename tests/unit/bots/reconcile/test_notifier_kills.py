"""A process killed at every call of a bot's life and of its notices: none is lost, none is out of order.

A notice that the dead process sent but did not record is sent again with the same id.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest

from tests.unit.bots.reconcile.bot_harness import BotHarness, Operator
from tests.unit.bots.reconcile.notice_harness import Webhook, configure, operator
from tests.unit.fake_kube import Call

MOST_CALLS: Final = 60
SPECS: Final[dict[str, dict[str, Any]]] = {
    "kept": {},
    "deleted at once": {"joinAt": "2026-11-24T12:00:00Z", "ttlSecondsAfterFinished": 0},
}
LIFE: Final = ["bot.scheduled", "bot.joining", "bot.done"]


class Death:
    """Kills the process once, before or after its n-th call of the API server or of the webhook."""

    def __init__(self, harness: BotHarness, webhook: Webhook, *, number: int, moment: str) -> None:
        self.happened = False
        self._at = (number, moment)
        self._calls = 0
        harness.cluster.inner = self._of_api_server
        webhook.hook = self._of_webhook

    async def _of_api_server(self, call: Call) -> None:
        await self._of_webhook(call.moment)

    async def _of_webhook(self, moment: str) -> None:
        self._calls += moment == "before"
        if not self.happened and (self._calls, moment) == self._at:
            self.happened = True
            raise asyncio.CancelledError


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("spec", SPECS)
async def test_killed_at_every_call_of_a_life_with_notices(spec: str, moment: str) -> None:
    repeated = set()
    for number in range(1, MOST_CALLS):
        webhook, harness = Webhook(), BotHarness()
        harness.outside = webhook
        harness.put_mapping()
        configure(harness)
        harness.put_bot(**SPECS[spec])
        death = Death(harness, webhook, number=number, moment=moment)
        await survive(harness)
        assert once_each(webhook) == LIFE, number
        repeats = len(webhook.ids) - len(LIFE)
        repeated.add(repeats)
        assert repeats <= 2, "one batch of notices at most"
        if not death.happened:
            assert repeats == 0
            break
    else:
        raise AssertionError("the life has too many calls")
    assert number > 14
    assert len(repeated) > 1, "some deaths fell between the sending and the record"


def once_each(webhook: Webhook) -> list[str]:
    """The types of the accepted notices in the order in which their ids first came."""
    types = dict[str, str]()
    for one, kind in zip(webhook.ids, webhook.types(), strict=True):
        assert types.setdefault(one, kind) == kind
    return list(types.values())


async def survive(harness: BotHarness) -> None:
    """Let operators work until the bot is over and nothing is due."""
    for _ in range(3):
        try:
            await whole_life(harness, operator(harness))
        except asyncio.CancelledError:
            continue
        return
    raise AssertionError("it died more than once")


async def whole_life(harness: BotHarness, running: Operator) -> None:
    def gone() -> bool:
        return not harness.exists()

    if not gone():
        await harness.live(running, until=lambda: gone() or harness.finished() or harness.running())
        await running.send_notices()
    if not gone():
        await harness.live(running, until=lambda: gone() or harness.finished())
        await running.send_notices()
    for _ in range(5):
        if not gone():
            await running.look()
            await running.send_notices()
