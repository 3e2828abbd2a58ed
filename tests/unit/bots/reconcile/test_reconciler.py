"""A bot's whole life against an API server, a kubelet and Zoom in memory."""

from typing import Any

import pytest
from meetingbots.kube.resources import BOTS, EVENTS, MAPPINGS, PODS, SECRETS
from meetingbots.models.bot import BotPhase
from meetingbots.runtime.object_cache import Key

from tests.unit.bots.bot_builders import MEETING, POD, at, bot_object
from tests.unit.bots.reconcile.bot_harness import BotHarness
from tests.unit.fake_kube import Call


async def test_an_immediate_bot_from_creation_to_succeeded() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    operator = harness.operator()
    await harness.live(operator)
    status = harness.bot().status
    assert status.phase is BotPhase.SUCCEEDED
    assert (status.attempts, status.infrastructure_restarts, status.pod_name) == (1, 0, POD)
    assert status.token is not None
    assert (status.token.kinds, status.credential_name) == (["LocalRecording"], "alice")
    assert harness.condition("TokenIssued")[:2] == ("True", "Issued")
    assert harness.heard() == ["join-token-1"]
    assert harness.heard("ZOOM_MEETING_PASSCODE") == ["open"]
    assert harness.heard("ZOOM_TOKEN_REASON") == [""]
    assert harness.join_secrets() == []
    harness.check()
    calls = [(call.verb, call.plural) for call in harness.cluster.calls if call.moment == "after"]
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


async def test_the_name_is_claimed_before_the_create() -> None:
    harness = BotHarness()
    harness.put_bot()
    claimed = []

    async def watch(call: Call) -> None:
        if (call.moment, call.verb, call.plural) == ("before", "create", "pods"):
            claimed.append(harness.bot().status.pod_name)

    harness.cluster.inner = watch
    await harness.operator().look()
    assert claimed == [POD]


async def test_tokens_are_requested_at_the_gate_and_not_before_join_at() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt=at(1000).isoformat())
    harness.put_mapping()
    operator = harness.operator()
    await harness.live(operator, until=lambda: harness.condition()[1] == "Scheduled")
    assert harness.pods() == []
    await harness.live(operator, until=harness.waiting)
    assert 880 <= harness.clock.seconds() < 1000
    assert (harness.pods(), harness.join_secrets(), harness.zoom.tokens.asked) == ([POD], [], [])
    await harness.live(operator, until=harness.running)
    ((when, who, path),) = harness.zoom.tokens.asked
    assert (when, who) == (1000, "alice")
    assert path == f"meetings/{MEETING}/jointoken/local_recording?bypass_waiting_room=true"
    assert harness.kubelet.starts == [(1000, POD)]


async def test_everything_possible_is_read_before_join_at() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt=at(1000).isoformat())
    harness.put_mapping()
    operator = harness.operator()
    calls: list[tuple[float, str, str]] = []

    async def watch(call: Call) -> None:
        if call.moment == "before":
            calls.append((harness.clock.seconds(), call.verb, call.plural))

    harness.cluster.inner = watch
    await harness.live(operator)
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
    harness = BotHarness()
    harness.put_bot(joinAt=at(1000).isoformat())
    operator = harness.operator()
    for _ in range(3):
        await operator.look()
    assert harness.cluster.count("create", PODS) == 1
    assert harness.pods() == []


async def test_bots_of_one_shape_share_a_dry_run_for_a_while() -> None:
    harness = BotHarness()
    operator = harness.operator()
    for number, (forward, runs) in enumerate(((0, 1), (30, 1), (40, 2), (5, 2))):
        harness.clock.forward(forward)
        item = bot_object(joinAt=at(5000).isoformat())
        item["metadata"] |= {"name": f"bot-{number}", "uid": f"uid-{number}"}
        harness.cluster.put(BOTS, item)
        operator.watch()
        await operator.bots.reconcile(Key("team", f"bot-{number}"))
        assert harness.cluster.count("create", PODS) == runs
        found = harness.cluster.peek(BOTS, namespace="team", name=f"bot-{number}")
        assert found is not None
        assert found["status"]["phase"] == "Scheduled"


async def test_a_running_meetings_mapping_comes_from_the_watch() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt=at(1000).isoformat())
    harness.put_mapping()
    operator = harness.operator()
    live = harness.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
    assert live is not None
    live["status"]["phase"] = "Live"
    operator.services.caches.live_mappings.put(live)
    await harness.live(operator, until=harness.running)
    assert harness.heard() == ["join-token-1"]
    assert harness.cluster.count("get", MAPPINGS) == 0


async def test_a_settled_bot_costs_no_calls() -> None:
    for settled in ("running", "finished"):
        harness = BotHarness()
        harness.put_bot()
        harness.put_mapping()
        operator = harness.operator()
        await harness.live(operator, until=getattr(harness, settled))
        for _ in range(2):
            await operator.look()
        before = len(harness.cluster.calls)
        for _ in range(3):
            harness.clock.forward(10)
            await operator.look()
        assert len(harness.cluster.calls) == before


async def test_a_restart_does_not_write_settled_bots() -> None:
    for settled in ("running", "finished"):
        harness = BotHarness()
        harness.put_bot()
        harness.put_mapping(host="")
        operator = harness.operator()
        await harness.live(operator, until=getattr(harness, settled))
        await operator.look()
        before = harness.bot()
        restarted = harness.operator()
        for _ in range(3):
            await restarted.look()
        assert harness.bot() == before
        assert restarted.events() == []


async def test_time_to_live_deletes_the_bot_and_its_objects() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt=at(0).isoformat(), ttlSecondsAfterFinished=50)
    harness.put_mapping()
    operator = harness.operator()
    await harness.live(operator)
    while harness.cluster.peek(BOTS, namespace="team", name="standup") is not None:
        after = await operator.look()
        if after is not None:
            harness.clock.forward(after)
    harness.cluster.collect()
    assert (harness.pods(), harness.join_secrets()) == ([], [])
    assert await operator.look() is None


async def test_a_bot_deleted_while_it_is_worked_on_is_no_error() -> None:
    harness = BotHarness()
    harness.put_bot()

    async def delete(call: Call) -> None:
        harness.cluster.inner = None
        harness.cluster.remove(BOTS, namespace="team", name="standup")

    harness.cluster.inner = delete
    operator = harness.operator()
    assert await operator.look() is None
    assert harness.pods() == []


async def test_a_recreated_bot_starts_afresh() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    operator = harness.operator()
    await harness.live(operator, until=harness.running)
    harness.cluster.remove(BOTS, namespace="team", name="standup")
    harness.put_bot()
    item = harness.cluster.peek(BOTS, namespace="team", name="standup")
    assert item is not None
    item["metadata"]["uid"] = "fffff-another-uid"
    harness.cluster.put(BOTS, item)
    await harness.live(operator)
    assert [name for _, name in harness.kubelet.starts] == [POD, "standup-fffff-1"]
    harness.check()


async def test_conflicts_are_read_again() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    operator = harness.operator()
    operator.watch()
    item: Any = harness.cluster.peek(BOTS, namespace="team", name="standup")
    item["metadata"]["labels"] = {"edited": "meanwhile"}
    harness.cluster.put(BOTS, item)
    await operator.look(watch=False)
    assert harness.cluster.count("get", BOTS) == 1
    assert harness.pods() == [POD]
    assert harness.cluster.count("get", MAPPINGS) == 1
    assert harness.cluster.count("create", SECRETS) == 0


def figures(harness: BotHarness, name: str) -> tuple[float, float]:
    """Count and sum of a histogram of the first operator."""
    registry = harness.metrics[0].registry
    count, total = (registry.get_sample_value(f"meetingbots_{name}_seconds_{part}") for part in ("count", "sum"))
    assert count is not None
    assert total is not None
    return count, total


async def test_token_age_and_join_delay_are_measured_once_per_start() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt=at(1000).isoformat())
    harness.put_mapping()
    harness.kubelet.exits = [1]
    operator = harness.operator()
    await harness.live(operator)
    await operator.look()
    assert len(harness.kubelet.starts) == 2
    ages, sum_of_ages = figures(harness, "token_age_at_start")
    assert ages == 2
    assert sum_of_ages == pytest.approx(0, abs=0.05)
    count, total = figures(harness, "join_delay")
    # The replacement's delay counts from when it was due, and is that of its image.
    assert count == 2
    assert total == pytest.approx(harness.kubelet.image, abs=0.1)


async def test_bots_are_counted_by_phase() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    operator = harness.operator()
    await harness.live(operator, until=harness.running)
    registry = harness.metrics[0].registry
    operator.watch()
    assert registry.get_sample_value("meetingbots_bots", {"phase": "Running"}) == 1
    assert registry.get_sample_value("meetingbots_bots", {"phase": "Staging"}) == 0


async def test_the_default_time_to_live_of_the_settings_deletes_a_finished_bot() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt=at(0).isoformat())
    harness.put_mapping()
    operator = harness.operator(bot_ttl_seconds_after_finished=3600)
    await harness.live(operator)
    assert harness.exists()
    harness.clock.forward(3600)
    await operator.look()
    assert not harness.exists()
