"""Notices about a bot to its namespace's webhook."""

from __future__ import annotations

import pytest
from meetingbots.egress.addresses import EgressError
from meetingbots.kube.errors import ConflictError
from meetingbots.kube.resources import BOTS

from tests.unit.bots.bot_builders import bot_object
from tests.unit.bots.reconcile.bot_harness import BotHarness
from tests.unit.bots.reconcile.notice_harness import Webhook, configure, operator
from tests.unit.fake_kube import Call


@pytest.fixture
def webhook() -> Webhook:
    return Webhook()


@pytest.fixture
def harness(webhook: Webhook) -> BotHarness:
    harness = BotHarness()
    harness.outside = webhook
    harness.put_mapping()
    return harness


async def test_a_life_is_noticed_in_order_and_once(harness: BotHarness, webhook: Webhook) -> None:
    configure(harness)
    harness.put_bot()
    running = operator(harness)
    await harness.live(running, until=harness.running)
    assert await running.send_notices() is None
    assert webhook.types() == ["bot.scheduled", "bot.joining"]
    await harness.live(running)
    for _ in range(3):
        assert await running.send_notices() is None
    assert webhook.types() == ["bot.scheduled", "bot.joining", "bot.done"]
    data = webhook.accepted[-1]["data"]
    assert (data["namespace"], data["name"], data["phase"], data["reason"]) == (
        "team",
        "standup",
        "Succeeded",
        "Succeeded",
    )
    assert {"joinAt", "startTime", "completionTime"} <= set(data)
    assert [one.type for one in harness.bot().status.notifications] == webhook.types()


async def test_a_restart_repeats_nothing(harness: BotHarness, webhook: Webhook) -> None:
    configure(harness)
    harness.put_bot()
    running = operator(harness)
    await harness.live(running)
    await running.send_notices()
    assert await operator(harness).send_notices() is None
    assert webhook.types() == ["bot.scheduled", "bot.joining", "bot.done"]


async def test_a_notice_that_fails_holds_back_the_later_ones_and_keeps_its_id(
    harness: BotHarness, webhook: Webhook
) -> None:
    configure(harness)
    harness.put_bot()
    running = operator(harness)
    webhook.failure = EgressError("it answered HTTP 500", status=500)
    await harness.live(running)
    running.events()
    assert [await running.send_notices() for _ in range(3)] == [5, 10, 20]
    assert len(set(webhook.ids)) == 1
    assert [event["reason"] for event in running.events()] == ["NotificationFailed"]
    webhook.failure = EgressError("it answered HTTP 429", status=429, retry_after=77)
    assert await running.send_notices() == 77
    webhook.failure = None
    assert await operator(harness).send_notices() is None
    assert webhook.types() == ["bot.scheduled", "bot.joining", "bot.done"]
    assert webhook.ids[-3] == webhook.ids[0]


async def test_a_bot_is_deleted_after_its_notices(harness: BotHarness, webhook: Webhook) -> None:
    configure(harness)
    harness.put_bot(joinAt="2026-11-24T12:00:00Z", ttlSecondsAfterFinished=0)
    running = operator(harness)
    await harness.live(running)
    assert await running.look() == 1
    await running.send_notices()
    assert webhook.types()[-1] == "bot.done"
    await running.look()
    assert not harness.exists()


async def test_a_dead_webhook_holds_the_deletion_for_two_minutes(harness: BotHarness, webhook: Webhook) -> None:
    configure(harness)
    webhook.failure = EgressError("there was no response")
    harness.put_bot(joinAt="2026-11-24T12:00:00Z", ttlSecondsAfterFinished=0)
    running = operator(harness)
    await harness.live(running)
    await running.send_notices()
    assert await running.look() == 1
    harness.clock.forward(121)
    await running.look()
    assert not harness.exists()


async def test_without_a_webhook_nothing_is_sent_and_nothing_waits(harness: BotHarness, webhook: Webhook) -> None:
    harness.put_bot(joinAt="2026-11-24T12:00:00Z", ttlSecondsAfterFinished=0)
    running = operator(harness)
    await harness.live(running, until=harness.running)
    assert await running.send_notices() is None
    await harness.live(running, until=lambda: not harness.exists())
    assert not webhook.ids


async def test_a_webhook_that_appears_is_found_although_its_absence_was_cached(
    harness: BotHarness, webhook: Webhook
) -> None:
    harness.put_bot()
    running = operator(harness)
    await harness.live(running, until=harness.running)
    assert await running.send_notices() is None
    configure(harness)
    wait = await running.send_notices()
    assert wait is not None
    harness.clock.forward(wait)
    await running.send_notices()
    assert webhook.types() == ["bot.scheduled", "bot.joining"]


async def test_a_bot_gets_no_record_of_the_notices_of_a_deleted_bot_with_its_name(
    harness: BotHarness, webhook: Webhook
) -> None:
    configure(harness)
    harness.put_bot()
    running = operator(harness)
    await harness.live(running, until=harness.running)

    async def create_again(call: Call) -> None:
        if (call.moment, call.verb, call.plural) == ("before", "patch", BOTS.plural):
            harness.cluster.remove(BOTS, namespace="team", name="standup")
            item = bot_object()
            item["metadata"]["uid"] = "uid-of-the-next"
            harness.cluster.put(BOTS, item)

    harness.cluster.inner = create_again
    with pytest.raises(ConflictError):
        await running.send_notices()
    assert webhook.types() == ["bot.scheduled", "bot.joining"]
    assert harness.bot().status.notifications == []


async def test_it_is_off_without_allowed_hosts(harness: BotHarness, webhook: Webhook) -> None:
    configure(harness)
    harness.put_bot()
    running = harness.operator()
    await harness.live(running)
    before = harness.cluster.versions()
    assert await running.send_notices() is None
    assert harness.cluster.versions() == before
    assert not webhook.ids
