"""A bot's whole life against an API server, a kubelet and Zoom in memory."""

from typing import Any

import pytest
from meetingbots.kube.resources import BOTS, EVENTS, MAPPINGS, PODS, SECRETS
from meetingbots.models.bot import BotPhase
from meetingbots.runtime.object_cache import Key

from tests.unit.bots.bot_builders import MEETING, POD, at, bot_object
from tests.unit.bots.reconcile.bot_harness import Bench
from tests.unit.fake_kube import Call


async def test_an_immediate_bot_from_creation_to_succeeded() -> None:
    bench = Bench()
    bench.put_bot()
    bench.put_mapping()
    operator = bench.operator()
    await bench.live(operator)
    status = bench.bot().status
    assert status.phase is BotPhase.SUCCEEDED
    assert (status.attempts, status.infrastructure_restarts, status.pod_name) == (1, 0, POD)
    assert status.token is not None
    assert (status.token.kinds, status.credential_name) == (["LocalRecording"], "alice")
    assert bench.condition("TokenIssued")[:2] == ("True", "Issued")
    assert bench.heard() == ["join-token-1"]
    assert bench.heard("ZOOM_MEETING_PASSCODE") == ["open"]
    assert bench.heard("ZOOM_TOKEN_REASON") == [""]
    assert bench.join_secrets() == []
    bench.check()
    calls = [(call.verb, call.plural) for call in bench.cluster.calls if call.moment == "after"]
    assert EVENTS.plural not in {plural for _, plural in calls}
    assert calls == [
        ("patch", "meetingbots"),
        ("create", "pods"),
        ("get", "meetingmappings"),
        ("create", "secrets"),
        ("patch", "pods"),
        ("patch", "meetingbots"),
        ("delete", "secrets"),
        ("patch", "meetingbots"),
    ]
    assert len(calls) <= 8


async def test_the_name_is_claimed_before_the_pod_is_made() -> None:
    bench = Bench()
    bench.put_bot()
    claimed = []

    async def watch(call: Call) -> None:
        if (call.moment, call.verb, call.plural) == ("before", "create", "pods"):
            claimed.append(bench.bot().status.pod_name)

    bench.cluster.inner = watch
    await bench.operator().look()
    assert claimed == [POD]


async def test_tokens_are_asked_for_only_behind_the_gate_and_at_join_at() -> None:
    bench = Bench()
    bench.put_bot(joinAt=at(1000).isoformat())
    bench.put_mapping()
    operator = bench.operator()
    await bench.live(operator, until=lambda: bench.condition()[1] == "Scheduled")
    assert bench.pods() == []
    await bench.live(operator, until=bench.waiting)
    assert 880 <= bench.clock.seconds() < 1000
    assert (bench.pods(), bench.join_secrets(), bench.zoom.tokens.asked) == ([POD], [], [])
    await bench.live(operator, until=bench.running)
    ((when, who, path),) = bench.zoom.tokens.asked
    assert (when, who) == (1000, "alice")
    assert path == f"meetings/{MEETING}/jointoken/local_recording?bypass_waiting_room=true"
    assert bench.kubelet.starts == [(1000, POD)]


async def test_nothing_is_read_after_join_at_that_could_be_read_before() -> None:
    bench = Bench()
    bench.put_bot(joinAt=at(1000).isoformat())
    bench.put_mapping()
    operator = bench.operator()
    calls: list[tuple[float, str, str]] = []

    async def watch(call: Call) -> None:
        if call.moment == "before":
            calls.append((bench.clock.seconds(), call.verb, call.plural))

    bench.cluster.inner = watch
    await bench.live(operator)
    mapping = [(when, verb) for when, verb, plural in calls if plural == "meetingmappings"]
    assert len(mapping) == 1
    assert 988 <= mapping[0][0] <= 996
    assert mapping[0][1] == "get"
    assert [(verb, plural) for when, verb, plural in calls if when >= 1000] == [
        ("create", "secrets"),
        ("patch", "pods"),
        ("patch", "meetingbots"),
        ("delete", "secrets"),
        ("patch", "meetingbots"),
    ]


async def test_a_scheduled_bot_is_checked_by_a_dry_run_once() -> None:
    bench = Bench()
    bench.put_bot(joinAt=at(1000).isoformat())
    operator = bench.operator()
    for _ in range(3):
        await operator.look()
    assert bench.cluster.count("create", PODS) == 1
    assert bench.pods() == []


async def test_bots_of_one_shape_share_a_dry_run_for_a_while() -> None:
    bench = Bench()
    operator = bench.operator()
    for number, (forward, runs) in enumerate(((0, 1), (30, 1), (40, 2), (5, 2))):
        bench.clock.forward(forward)
        item = bot_object(joinAt=at(5000).isoformat())
        item["metadata"] |= {"name": f"bot-{number}", "uid": f"uid-{number}"}
        bench.cluster.put(BOTS, item)
        operator.watch()
        await operator.bots.reconcile(Key("team", f"bot-{number}"))
        assert bench.cluster.count("create", PODS) == runs
        told = bench.cluster.peek(BOTS, namespace="team", name=f"bot-{number}")
        assert told is not None
        assert told["status"]["phase"] == "Scheduled"


async def test_a_running_meetings_mapping_is_known_by_the_watch() -> None:
    bench = Bench()
    bench.put_bot(joinAt=at(1000).isoformat())
    bench.put_mapping()
    operator = bench.operator()
    live = bench.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
    assert live is not None
    live["status"]["phase"] = "Live"
    operator.services.caches.live_mappings.put(live)
    await bench.live(operator, until=bench.running)
    assert bench.heard() == ["join-token-1"]
    assert bench.cluster.count("get", MAPPINGS) == 0


async def test_a_settled_bot_costs_no_calls() -> None:
    for settled in ("running", "finished"):
        bench = Bench()
        bench.put_bot()
        bench.put_mapping()
        operator = bench.operator()
        await bench.live(operator, until=getattr(bench, settled))
        for _ in range(2):
            await operator.look()
        before = len(bench.cluster.calls)
        for _ in range(3):
            bench.clock.forward(10)
            await operator.look()
        assert len(bench.cluster.calls) == before


async def test_a_restart_does_not_write_about_settled_bots() -> None:
    for settled in ("running", "finished"):
        bench = Bench()
        bench.put_bot()
        bench.put_mapping(host="")
        operator = bench.operator()
        await bench.live(operator, until=getattr(bench, settled))
        await operator.look()
        before = bench.bot()
        restarted = bench.operator()
        for _ in range(3):
            await restarted.look()
        assert bench.bot() == before
        assert restarted.events() == []


async def test_time_to_live_deletes_the_bot_and_all_that_is_its() -> None:
    bench = Bench()
    bench.put_bot(joinAt=at(0).isoformat(), ttlSecondsAfterFinished=50)
    bench.put_mapping()
    operator = bench.operator()
    await bench.live(operator)
    while bench.cluster.peek(BOTS, namespace="team", name="standup") is not None:
        after = await operator.look()
        if after is not None:
            bench.clock.forward(after)
    bench.cluster.collect()
    assert (bench.pods(), bench.join_secrets()) == ([], [])
    assert await operator.look() is None


async def test_a_bot_deleted_while_it_is_worked_on_is_no_error() -> None:
    bench = Bench()
    bench.put_bot()

    async def delete(call: Call) -> None:
        bench.cluster.inner = None
        bench.cluster.remove(BOTS, namespace="team", name="standup")

    bench.cluster.inner = delete
    operator = bench.operator()
    assert await operator.look() is None
    assert bench.pods() == []


async def test_a_bot_of_the_same_name_begins_anew() -> None:
    bench = Bench()
    bench.put_bot()
    bench.put_mapping()
    operator = bench.operator()
    await bench.live(operator, until=bench.running)
    bench.cluster.remove(BOTS, namespace="team", name="standup")
    bench.put_bot()
    item = bench.cluster.peek(BOTS, namespace="team", name="standup")
    assert item is not None
    item["metadata"]["uid"] = "fffff-another-uid"
    bench.cluster.put(BOTS, item)
    await bench.live(operator)
    assert [name for _, name in bench.kubelet.starts] == [POD, "standup-fffff-1"]
    bench.check()


async def test_conflicts_are_read_again() -> None:
    bench = Bench()
    bench.put_bot()
    bench.put_mapping()
    operator = bench.operator()
    operator.watch()
    item: Any = bench.cluster.peek(BOTS, namespace="team", name="standup")
    item["metadata"]["labels"] = {"edited": "meanwhile"}
    bench.cluster.put(BOTS, item)
    await operator.look(watch=False)
    assert bench.cluster.count("get", BOTS) == 1
    assert bench.pods() == [POD]
    assert bench.cluster.count("get", MAPPINGS) == 1
    assert bench.cluster.count("create", SECRETS) == 0


def figures(bench: Bench, name: str) -> tuple[float, float]:
    """Count and sum of a histogram of the first operator."""
    registry = bench.metrics[0].registry
    count, total = (registry.get_sample_value(f"meetingbots_{name}_seconds_{part}") for part in ("count", "sum"))
    assert count is not None
    assert total is not None
    return count, total


async def test_the_two_figures_that_matter_are_measured_once_per_start() -> None:
    bench = Bench()
    bench.put_bot(joinAt=at(1000).isoformat())
    bench.put_mapping()
    bench.kubelet.exits = [1]
    await bench.live(bench.operator())
    assert len(bench.kubelet.starts) == 2
    ages, sum_of_ages = figures(bench, "token_age_at_start")
    assert ages == 2
    assert sum_of_ages == pytest.approx(0, abs=0.05)
    count, total = figures(bench, "join_delay")
    # The replacement's delay counts from when it was due, and is that of its image.
    assert count == 2
    assert total == pytest.approx(bench.kubelet.image, abs=0.1)


async def test_bots_are_counted_by_phase() -> None:
    bench = Bench()
    bench.put_bot()
    bench.put_mapping()
    operator = bench.operator()
    await bench.live(operator, until=bench.running)
    registry = bench.metrics[0].registry
    operator.watch()
    assert registry.get_sample_value("meetingbots_bots", {"phase": "Running"}) == 1
    assert registry.get_sample_value("meetingbots_bots", {"phase": "Staging"}) == 0
