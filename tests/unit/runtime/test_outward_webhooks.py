"""How often a namespace's Secret with its webhook is looked up."""

import asyncio
from datetime import UTC, datetime, timedelta

from meetingbots.egress.addresses import AllowedHosts
from meetingbots.egress.client import EgressClient
from meetingbots.kube.resources import SECRETS
from meetingbots.runtime.outward_webhooks import NoWebhook, OutwardWebhook, OutwardWebhooks

from tests.unit.fake_kube import Call, FakeKube

START = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Namespace:
    """One namespace with a clock and the operator's view of its webhook."""

    def __init__(self) -> None:
        self.kube, self.now, self.looks = FakeKube(hook=self._count), START, 0
        hosts = AllowedHosts((), name="allowed notify URL hosts")
        self.webhooks = OutwardWebhooks(kube=self.kube, egress=EgressClient(), hosts=hosts, clock=lambda: self.now)

    async def _count(self, call: Call) -> None:
        self.looks += (call.moment, call.verb, call.plural) == ("before", "get", SECRETS.plural)
        await asyncio.sleep(0)

    async def ask(self, *, seconds: float, since: datetime) -> list[OutwardWebhook | NoWebhook]:
        """What twenty messages that came due at `since` get, so many seconds after the start."""
        self.now = START + timedelta(seconds=seconds)
        return list(await asyncio.gather(*(self.webhooks.find("team", since=since) for _ in range(20))))


async def test_messages_share_one_look_after_they_came_due() -> None:
    namespace = Namespace()
    await namespace.webhooks.find("team")
    due = START + timedelta(seconds=2)
    assert set(await namespace.ask(seconds=2, since=due)) == {NoWebhook(look_again=3.0)}
    assert namespace.looks == 1
    assert set(await namespace.ask(seconds=5, since=due)) == {NoWebhook(look_again=None)}
    assert namespace.looks == 2


async def test_every_message_finds_a_webhook_that_appears_after_the_first_look() -> None:
    namespace = Namespace()
    await namespace.webhooks.find("team")
    due = START + timedelta(seconds=2)
    await namespace.ask(seconds=2, since=due)
    namespace.kube.put(SECRETS, {"metadata": {"namespace": "team", "name": "meetingbots-notify"}, "data": {}})
    assert all(isinstance(one, OutwardWebhook) for one in await namespace.ask(seconds=5, since=due))
    assert namespace.looks == 2
