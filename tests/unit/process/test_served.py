"""The operator waits for its kinds before kopf looks for them once."""

from __future__ import annotations

import asyncio

from meetingbots.kube.errors import UnavailableError
from meetingbots.kube.resources import Resource
from meetingbots.process.served import wait_until_served
from meetingbots.runtime.plan import Backoff

from tests.unit.fake_kube import FakeKube

ALL = frozenset({"meetingbots", "meetingmappings", "zoomcredentials"})
AT_ONCE = Backoff(first=0.0, cap=0.0)


class StartingKube(FakeKube):
    """An API server that gives these answers to discovery, one after another."""

    def __init__(self, *answers: frozenset[str] | UnavailableError) -> None:
        super().__init__()
        self.answers = list(answers)

    async def discover(self, resource: Resource) -> frozenset[str]:
        answer = self.answers.pop(0)
        if isinstance(answer, UnavailableError):
            raise answer
        return answer


async def test_the_operator_waits_until_all_kinds_are_served() -> None:
    away = UnavailableError("away", status=503)
    kube = StartingKube(away, frozenset(), frozenset({"zoomcredentials"}), ALL)
    assert await wait_until_served(kube, stop=asyncio.Event(), backoff=AT_ONCE)
    assert kube.answers == []


async def test_a_shutdown_ends_the_wait() -> None:
    stop = asyncio.Event()
    stop.set()
    assert not await wait_until_served(StartingKube(), stop=stop)


async def test_a_shutdown_ends_the_pause() -> None:
    stop = asyncio.Event()
    waiting = asyncio.create_task(
        wait_until_served(StartingKube(frozenset()), stop=stop, backoff=Backoff(first=600.0, cap=600.0))
    )
    await asyncio.sleep(0)
    stop.set()
    assert not await waiting
