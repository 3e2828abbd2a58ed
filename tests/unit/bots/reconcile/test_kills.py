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
from tests.unit.bots.reconcile.bot_harness import KEY, Bench, Operator
from tests.unit.fake_kube import Call

SPECS: dict[str, dict[str, Any]] = {
    "immediate": {},
    "scheduled": {"joinAt": at(300).isoformat()},
    "required": {"tokenPolicy": "Required"},
    "before-pod": {"tokenDelivery": "BeforePod"},
    "with-secret": {"meeting": {"urlSecretKeyRef": {"name": "links", "key": "url"}}},
}
MOST_CALLS = 40


def start(name: str, *, exits: tuple[int, ...] = ()) -> Bench:
    bench = Bench()
    bench.put_bot(**SPECS[name])
    bench.put_mapping()
    bench.put_secret("links", url="https://zoom.us/j/81234567890?pwd=open")
    bench.kubelet.exits = list(exits)
    return bench


class Once:
    """Something that happens at one call, before or after its work is done."""

    def __init__(self, bench: Bench, *, number: int, moment: str, error: BaseException) -> None:
        self.happened = False
        self._at = (number, moment)
        self._error = error
        bench.cluster.inner = self

    async def __call__(self, call: Call) -> None:
        if not self.happened and (call.number, call.moment) == self._at:
            self.happened = True
            raise self._error


def check(bench: Bench, *, starts: int = 1) -> None:
    bench.check()
    assert bench.condition()[:2] == ("True", "Succeeded")
    assert len(bench.kubelet.starts) == starts
    assert all(bench.heard())
    assert bench.join_secrets() == []


async def survive(
    bench: Bench, error: type[BaseException], *, restart: bool, until: Callable[[], bool] | None = None
) -> None:
    """Let the bot live on through one error, with the same process or a new one."""
    operator = bench.operator()
    for _ in range(10):
        try:
            await bench.live(operator, until=until)
        except error:
            operator = bench.operator() if restart else operator
        else:
            return
    raise AssertionError("it goes on and on")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", SPECS)
async def test_killed_at_every_call(name: str, moment: str) -> None:
    calls = 0
    for number in range(1, MOST_CALLS):
        bench = start(name)
        once = Once(bench, number=number, moment=moment, error=asyncio.CancelledError())
        await survive(bench, asyncio.CancelledError, restart=True)
        if not once.happened:
            break
        calls += 1
        check(bench)
        assert bench.bot().status.attempts == 1
        assert len(bench.zoom.tokens.given) <= 2
        # With BeforePod a token that a Pod may have had is not given to another: then the attempt is made anew.
        if name != "before-pod":
            assert [pod for plural, pod in bench.cluster.made if plural == "pods"] == [POD]
            assert bench.bot().status.infrastructure_restarts == 0
    assert calls >= 8


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", SPECS)
async def test_an_answer_lost_at_every_call(name: str, moment: str) -> None:
    for number in range(1, MOST_CALLS):
        bench = start(name)
        once = Once(bench, number=number, moment=moment, error=UnavailableError("API server unreachable"))
        await survive(bench, UnavailableError, restart=False)
        if not once.happened:
            assert number >= 8
            return
        check(bench)
        assert [pod for plural, pod in bench.cluster.made if plural == "pods"] == [POD]
        status = bench.bot().status
        assert (status.attempts, status.infrastructure_restarts) == (1, 0)
        # What was surely not delivered is made anew; where the answer was lost, it is looked for first.
        assert len(bench.zoom.tokens.given) <= (2 if moment == "before" else 1)


async def test_killed_at_every_call_of_a_bot_that_fails_once() -> None:
    for moment in ("before", "after"):
        for number in range(1, MOST_CALLS):
            bench = start("immediate", exits=(1,))
            once = Once(bench, number=number, moment=moment, error=asyncio.CancelledError())
            await survive(bench, asyncio.CancelledError, restart=True)
            if not once.happened:
                assert number >= 15
                break
            check(bench, starts=2)
            assert bench.bot().status.attempts == 2


ENDS: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "long enough": ({"maxDurationSeconds": 60}, ("False", "MaxDurationExceeded")),
    "the meeting's": ({"leaveAfterMeetingEndSeconds": 10}, ("True", "MeetingEnded")),
    "suspended": ({}, ("False", "Suspended")),
}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("end", ENDS)
async def test_killed_at_every_call_of_a_bot_that_is_told_to_leave(end: str, moment: str) -> None:
    """Its Pod is gone without a trace afterwards: a new process must not take it for lost."""
    spec, told = ENDS[end]
    for number in range(1, MOST_CALLS):
        bench = Bench()
        bench.put_bot(**spec)
        bench.kubelet.runs = 100_000
        bench.put_mapping()
        once = Once(bench, number=number, moment=moment, error=asyncio.CancelledError())
        await survive(bench, asyncio.CancelledError, restart=True, until=partial(under_way, bench))
        send_away(bench, end)
        await survive(bench, asyncio.CancelledError, restart=True, until=partial(ended, bench))
        bench.check()
        assert bench.condition()[:2] == told
        assert [pod for plural, pod in bench.cluster.made if plural == "pods"] == [POD]
        assert bench.bot().status.infrastructure_restarts == 0
        if not once.happened:
            assert number >= 9
            return


def under_way(bench: Bench) -> bool:
    return bench.running() or ended(bench)


def ended(bench: Bench) -> bool:
    return bench.finished() or bench.condition()[1] == "Suspended"


def send_away(bench: Bench, end: str) -> None:
    if end == "suspended":
        bench.put_bot(generation=2, suspend=True)
    if end == "the meeting's":
        item = bench.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
        assert item is not None
        times = {"startTime": format_time(at(0)), "endTime": format_time(bench.clock.now)}
        status = {**item["status"], "phase": "Ended", "uuid": "run-1", **times}
        metadata = {"namespace": "team", "name": MEETING, "labels": {names.LIVE_LABEL: names.LIVE}}
        bench.cluster.put(MAPPINGS, {**item, "metadata": metadata, "status": status})


async def test_killed_while_zoom_is_asked_nothing_was_delivered() -> None:
    bench = start("immediate")

    async def kill() -> None:
        bench.zoom.tokens.inner = None
        raise asyncio.CancelledError

    bench.zoom.tokens.inner = kill
    with pytest.raises(asyncio.CancelledError):
        await bench.live(bench.operator())
    assert bench.join_secrets() == []
    await bench.live(bench.operator())
    check(bench)


async def test_a_pod_that_may_have_used_its_token_is_not_made_again() -> None:
    bench = start("immediate")

    async def kill(call: Call) -> None:
        if (call.moment, call.verb, call.plural) == ("after", "create", "secrets"):
            bench.cluster.inner = None
            raise asyncio.CancelledError

    bench.cluster.inner = kill
    with pytest.raises(asyncio.CancelledError):
        await bench.live(bench.operator())
    bench.cluster._objects.pop(("pods", "team", POD))
    await bench.live(bench.operator())
    assert [name for _, name in bench.kubelet.starts] == ["standup-abcde-2"]
    assert bench.heard() == ["join-token-2"]
    bench.check()


async def test_a_process_with_an_old_state_makes_no_pod_again() -> None:
    bench = start("immediate")
    late = bench.operator()
    operator = bench.operator()

    async def kill(call: Call) -> None:
        if (call.moment, call.verb, call.plural) == ("before", "create", "pods"):
            bench.cluster.inner = None
            raise asyncio.CancelledError

    bench.cluster.inner = kill
    with pytest.raises(asyncio.CancelledError):
        await bench.live(operator)
    late.watch()
    operator = bench.operator()
    await bench.live(operator, until=bench.running)
    bench.cluster._objects.pop(("pods", "team", POD))
    await bench.live(operator, until=lambda: bench.bot().status.infrastructure_restarts == 1)
    await late.look(watch=False)
    await bench.live(operator)
    bench.check()


# Two processes at once.


class Both:
    """Two operators that take turns at random at every call, with the kubelet at work in between."""

    def __init__(self, bench: Bench, *, seed: int, lag: bool) -> None:
        self.bench = bench
        self.operators = [bench.operator(), bench.operator()]
        self._dice = random.Random(seed)
        self._lag = lag
        bench.cluster.inner = self._turn
        bench.zoom.tokens.inner = self._pause

    async def _turn(self, _: Call) -> None:
        await self._pause()

    async def _pause(self) -> None:
        for _ in range(self._dice.randrange(4)):
            await asyncio.sleep(0)
            self.bench.kubelet.work()
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
            if self.bench.finished():
                return
            afters = await asyncio.gather(*(self.look(operator) for operator in self.operators))
            if not self.bench.kubelet.work():
                self.bench.forward(min((after for after in afters if after is not None), default=1.0))
        raise AssertionError(f"no end: {self.bench.bot().status}")


@pytest.mark.parametrize("seed", range(60))
async def test_two_processes_at_once(seed: int) -> None:
    bench = start("scheduled" if seed % 2 else "immediate")
    both = Both(bench, seed=seed, lag=False)
    await both.live()
    assert {key: len(uids) for key, uids in bench.cluster.made.items() if key[0] == "pods"} == {("pods", POD): 1}
    for operator in both.operators:
        await both.look(operator)
    # A create that was under way for longer than the whole start comes too late for the Pod, and is removed again.
    assert len(bench.heard()) == 1
    assert (bench.join_secrets(), bench.condition()[1]) == ([], "Succeeded")
    status = bench.bot().status
    assert (status.attempts, status.infrastructure_restarts) == (1, 0)


@pytest.mark.parametrize("seed", range(60))
async def test_two_processes_whose_watches_lag(seed: int) -> None:
    bench = start("immediate", exits=(1,))
    both = Both(bench, seed=seed, lag=True)
    await both.live()
    for (plural, name), uids in bench.cluster.made.items():
        assert plural != "pods" or len(uids) == 1, name
    heard = bench.heard()
    assert len(heard) == len(set(heard)) == len(bench.kubelet.starts) == 2
    assert bench.bot().status.attempts == 2


async def test_the_delivery_that_is_told_counts_and_nobody_writes_another() -> None:
    bench = start("immediate")
    first, second = bench.operator(), bench.operator()
    await bench.live(first, until=bench.running)
    late = second.bots._memories.of(KEY, bench.bot().metadata.uid).of_attempt(POD)
    late.delivery = Delivery(pod_name=POD, kinds=(), delivered_at=at(40), reason="NotTheHost", message="late")
    before = bench.cluster.count("patch", BOTS)
    for operator in (second, first, second):
        await operator.look()
    assert bench.cluster.count("patch", BOTS) == before


async def test_a_token_that_comes_too_late_is_not_delivered() -> None:
    bench = start("immediate")
    slow, quick = bench.operator(), bench.operator()
    await bench.live(slow, until=lambda: bench.kubelet.due() == [] and bench.pods() == [POD])

    async def meanwhile() -> None:
        bench.zoom.tokens.inner = None
        await bench.live(quick, until=bench.running)
        await quick.look()
        assert bench.join_secrets() == []
        slow.watch()

    bench.zoom.tokens.inner = meanwhile
    await slow.look()
    assert len(bench.cluster.made["secrets", f"{POD}-zoom"]) == 1
    assert bench.join_secrets() == []
    assert len(bench.zoom.tokens.given) == 2
    await bench.live(slow)
    check(bench)


@pytest.mark.parametrize("edit", [{"suspend": True}, {"joinAt": at(5000).isoformat()}, {"displayName": "Other"}])
async def test_an_edit_while_zoom_is_asked_still_acts(edit: dict[str, Any]) -> None:
    bench = start("immediate")
    operator = bench.operator()

    async def change() -> None:
        bench.zoom.tokens.inner = None
        bench.put_bot(generation=2, **edit)
        operator.watch()

    bench.zoom.tokens.inner = change
    await bench.live(operator, until=lambda: bench.bot().status.observed_generation == 2)
    assert bench.join_secrets() == []
    assert bench.kubelet.starts == []
    last = bench.bot().status.last_attempt
    assert last is not None
    assert (last.pod_name, last.reason) == (POD, "Withdrawn")
