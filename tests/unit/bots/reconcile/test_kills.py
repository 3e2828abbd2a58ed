"""Exactly one: a process killed at every call of a bot's life, lost answers, and two processes at once.

Whatever happens: never two Pods for an attempt, never two Secrets (or tokens) for a Pod, never a token in two Pods.
"""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from meetingbots.bots.decide.facts import Delivery
from meetingbots.kube.errors import KubeError, UnavailableError
from meetingbots.kube.resources import BOTS, MAPPINGS
from meetingbots.models import names
from meetingbots.models.base import format_time

from tests.unit.bots.bot_builders import MEETING, POD, at
from tests.unit.bots.reconcile.bot_harness import KEY, BotHarness, Operator
from tests.unit.fake_kube import Call

SPECS: dict[str, dict[str, Any]] = {
    "immediate": {},
    "scheduled": {"joinAt": at(300).isoformat()},
    "required": {"tokenPolicy": "Required"},
    "before-pod": {"tokenDelivery": "BeforePod"},
    "with-secret": {"meeting": {"urlSecretKeyRef": {"name": "links", "key": "url"}}},
}
MOST_CALLS = 40


def start(name: str, *, exits: tuple[int, ...] = ()) -> BotHarness:
    harness = BotHarness()
    harness.put_bot(**SPECS[name])
    harness.put_mapping()
    harness.put_secret("links", url="https://zoom.us/j/81234567890?pwd=open")
    harness.kubelet.exits = list(exits)
    return harness


class Once:
    """Something that happens at one call, before or after its work is done."""

    def __init__(self, harness: BotHarness, *, number: int, moment: str, error: BaseException) -> None:
        self.happened = False
        self._at = (number, moment)
        self._error = error
        harness.cluster.inner = self

    async def __call__(self, call: Call) -> None:
        if not self.happened and (call.number, call.moment) == self._at:
            self.happened = True
            raise self._error


def check(harness: BotHarness, *, starts: int = 1) -> None:
    harness.check()
    assert harness.condition()[:2] == ("True", "Succeeded")
    assert len(harness.kubelet.starts) == starts
    assert all(harness.heard())
    assert harness.join_secrets() == []


async def survive(
    harness: BotHarness, error: type[BaseException], *, restart: bool, until: Callable[[], bool] | None = None
) -> None:
    """Let the bot live on through one error, with the same process or a new one."""
    operator = harness.operator()
    for _ in range(10):
        try:
            await harness.live(operator, until=until)
        except error:
            operator = harness.operator() if restart else operator
        else:
            return
    raise AssertionError("it goes on and on")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", SPECS)
async def test_killed_at_every_call(name: str, moment: str) -> None:
    calls = 0
    for number in range(1, MOST_CALLS):
        harness = start(name)
        once = Once(harness, number=number, moment=moment, error=asyncio.CancelledError())
        await survive(harness, asyncio.CancelledError, restart=True)
        if not once.happened:
            break
        calls += 1
        check(harness)
        assert harness.bot().status.attempts == 1
        assert len(harness.zoom.tokens.given) <= 2
        # With BeforePod a token that a Pod may have had is not given to another: then the attempt is made anew.
        if name != "before-pod":
            assert [pod for plural, pod in harness.cluster.made if plural == "pods"] == [POD]
            assert harness.bot().status.infrastructure_restarts == 0
    assert calls >= 8


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", SPECS)
async def test_an_answer_lost_at_every_call(name: str, moment: str) -> None:
    for number in range(1, MOST_CALLS):
        harness = start(name)
        once = Once(harness, number=number, moment=moment, error=UnavailableError("API server unreachable"))
        await survive(harness, UnavailableError, restart=False)
        if not once.happened:
            assert number >= 8
            return
        check(harness)
        assert [pod for plural, pod in harness.cluster.made if plural == "pods"] == [POD]
        status = harness.bot().status
        assert (status.attempts, status.infrastructure_restarts) == (1, 0)
        # What was surely not delivered is made anew; where the answer was lost, it is looked for first.
        assert len(harness.zoom.tokens.given) <= (2 if moment == "before" else 1)


async def test_killed_at_every_call_of_a_bot_that_fails_once() -> None:
    for moment in ("before", "after"):
        for number in range(1, MOST_CALLS):
            harness = start("immediate", exits=(1,))
            once = Once(harness, number=number, moment=moment, error=asyncio.CancelledError())
            await survive(harness, asyncio.CancelledError, restart=True)
            if not once.happened:
                assert number >= 15
                break
            check(harness, starts=2)
            assert harness.bot().status.attempts == 2


ENDS: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "long enough": ({"maxDurationSeconds": 60}, ("False", "MaxDurationExceeded")),
    "the meeting's": ({"leaveAfterMeetingEndSeconds": 10}, ("True", "MeetingEnded")),
    "suspended": ({}, ("False", "Suspended")),
}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("end", ENDS)
async def test_killed_at_every_call_of_a_bot_that_leaves(end: str, moment: str) -> None:
    """Its Pod is gone without a trace afterwards: a new process must not take it for lost."""
    spec, ready = ENDS[end]
    for number in range(1, MOST_CALLS):
        harness = BotHarness()
        harness.put_bot(**spec)
        harness.kubelet.runs = 100_000
        harness.put_mapping()
        once = Once(harness, number=number, moment=moment, error=asyncio.CancelledError())
        await survive(harness, asyncio.CancelledError, restart=True, until=partial(under_way, harness))
        send_away(harness, end)
        await survive(harness, asyncio.CancelledError, restart=True, until=partial(ended, harness))
        harness.check()
        assert harness.condition()[:2] == ready
        assert [pod for plural, pod in harness.cluster.made if plural == "pods"] == [POD]
        assert harness.bot().status.infrastructure_restarts == 0
        if not once.happened:
            assert number >= 8
            return


def under_way(harness: BotHarness) -> bool:
    return harness.running() or ended(harness)


def ended(harness: BotHarness) -> bool:
    return harness.finished() or harness.condition()[1] == "Suspended"


def send_away(harness: BotHarness, end: str) -> None:
    if end == "suspended":
        harness.put_bot(generation=2, suspend=True)
    if end == "the meeting's":
        item = harness.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
        assert item is not None
        times = {"startTime": format_time(at(0)), "endTime": format_time(harness.clock.now)}
        status = {**item["status"], "phase": "Ended", "uuid": "run-1", **times}
        metadata = {"namespace": "team", "name": MEETING, "labels": {names.LIVE_LABEL: names.LIVE}}
        harness.cluster.put(MAPPINGS, {**item, "metadata": metadata, "status": status})


async def test_killed_during_the_token_request_delivers_nothing() -> None:
    harness = start("immediate")

    async def kill() -> None:
        harness.zoom.tokens.inner = None
        raise asyncio.CancelledError

    harness.zoom.tokens.inner = kill
    with pytest.raises(asyncio.CancelledError):
        await harness.live(harness.operator())
    assert harness.join_secrets() == []
    await harness.live(harness.operator())
    check(harness)


async def test_a_pod_that_may_have_used_its_token_is_not_created_again() -> None:
    harness = start("immediate")

    async def kill(call: Call) -> None:
        if (call.moment, call.verb, call.plural) == ("after", "create", "secrets"):
            harness.cluster.inner = None
            raise asyncio.CancelledError

    harness.cluster.inner = kill
    with pytest.raises(asyncio.CancelledError):
        await harness.live(harness.operator())
    harness.cluster._objects.pop(("pods", "team", POD))
    await harness.live(harness.operator())
    assert [name for _, name in harness.kubelet.starts] == ["standup-abcde-2"]
    assert harness.heard() == ["join-token-2"]
    harness.check()


async def test_a_process_with_a_stale_cache_creates_no_second_pod() -> None:
    harness = start("immediate")
    late = harness.operator()
    operator = harness.operator()

    async def kill(call: Call) -> None:
        if (call.moment, call.verb, call.plural) == ("before", "create", "pods"):
            harness.cluster.inner = None
            raise asyncio.CancelledError

    harness.cluster.inner = kill
    with pytest.raises(asyncio.CancelledError):
        await harness.live(operator)
    late.watch()
    operator = harness.operator()
    await harness.live(operator, until=harness.running)
    harness.cluster._objects.pop(("pods", "team", POD))
    await harness.live(operator, until=lambda: harness.bot().status.infrastructure_restarts == 1)
    await late.look(watch=False)
    await harness.live(operator)
    harness.check()


# Two processes at once.


class Both:
    """Two operators that take turns at random at every call, with the kubelet at work in between."""

    def __init__(self, harness: BotHarness, *, seed: int, lag: bool) -> None:
        self.harness = harness
        self.operators = [harness.operator(), harness.operator()]
        self._dice = random.Random(seed)
        self._lag = lag
        harness.cluster.inner = self._turn
        harness.zoom.tokens.inner = self._pause

    async def _turn(self, _: Call) -> None:
        await self._pause()

    async def _pause(self) -> None:
        for _ in range(self._dice.randrange(4)):
            await asyncio.sleep(0)
            self.harness.kubelet.work()
        for operator in self.operators:
            if not self._lag or self._dice.random() < 0.5:
                operator.watch()

    async def look(self, operator: Operator) -> float | None:
        try:
            return await operator.look()
        except KubeError:
            return 0.25

    async def live(self) -> None:
        for _ in range(300):
            if self.harness.finished():
                return
            afters = await asyncio.gather(*(self.look(operator) for operator in self.operators))
            if not self.harness.kubelet.work():
                self.harness.forward(min((after for after in afters if after is not None), default=1.0))
        raise AssertionError(f"no end: {self.harness.bot().status}")


@pytest.mark.parametrize("seed", range(60))
async def test_two_processes_at_once(seed: int) -> None:
    harness = start("scheduled" if seed % 2 else "immediate")
    both = Both(harness, seed=seed, lag=False)
    await both.live()
    assert {key: len(uids) for key, uids in harness.cluster.made.items() if key[0] == "pods"} == {("pods", POD): 1}
    for operator in both.operators:
        await both.look(operator)
    # A create that was under way for longer than the whole start comes too late for the Pod, and is removed again.
    assert len(harness.heard()) == 1
    assert (harness.join_secrets(), harness.condition()[1]) == ([], "Succeeded")
    status = harness.bot().status
    assert (status.attempts, status.infrastructure_restarts) == (1, 0)


@pytest.mark.parametrize("seed", range(60))
async def test_two_processes_whose_watches_lag(seed: int) -> None:
    harness = start("immediate", exits=(1,))
    both = Both(harness, seed=seed, lag=True)
    await both.live()
    for (plural, name), uids in harness.cluster.made.items():
        assert plural != "pods" or len(uids) == 1, name
    heard = harness.heard()
    assert len(heard) == len(set(heard)) == len(harness.kubelet.starts) == 2
    assert harness.bot().status.attempts == 2


async def test_the_recorded_delivery_counts() -> None:
    harness = start("immediate")
    first, second = harness.operator(), harness.operator()
    await harness.live(first, until=harness.running)
    late = second.bots._memories.of(KEY, harness.bot().metadata.uid).of_attempt(POD)
    late.delivery = Delivery(pod_name=POD, kinds=(), delivered_at=at(40), reason="NotTheHost", message="late")
    before = harness.cluster.count("patch", BOTS)
    for operator in (second, first, second):
        await operator.look()
    assert harness.cluster.count("patch", BOTS) == before


async def test_a_late_token_is_not_delivered() -> None:
    harness = start("immediate")
    slow, quick = harness.operator(), harness.operator()
    await harness.live(slow, until=lambda: harness.kubelet.due() == [] and harness.pods() == [POD])

    async def meanwhile() -> None:
        harness.zoom.tokens.inner = None
        await harness.live(quick, until=harness.running)
        await quick.look()
        assert harness.join_secrets() == []
        slow.watch()

    harness.zoom.tokens.inner = meanwhile
    await slow.look()
    assert len(harness.cluster.made["secrets", f"{POD}-zoom"]) == 1
    assert harness.join_secrets() == []
    assert len(harness.zoom.tokens.given) == 2
    await harness.live(slow)
    check(harness)


@pytest.mark.parametrize("edit", [{"suspend": True}, {"joinAt": at(5000).isoformat()}, {"displayName": "Other"}])
async def test_an_edit_during_the_token_request_takes_effect(edit: dict[str, Any]) -> None:
    harness = start("immediate")
    operator = harness.operator()

    async def change() -> None:
        harness.zoom.tokens.inner = None
        harness.put_bot(generation=2, **edit)
        operator.watch()

    harness.zoom.tokens.inner = change
    await harness.live(operator, until=lambda: harness.bot().status.observed_generation == 2)
    assert harness.join_secrets() == []
    assert harness.kubelet.starts == []
    last = harness.bot().status.last_attempt
    assert last is not None
    assert (last.pod_name, last.reason) == (POD, "Withdrawn")
