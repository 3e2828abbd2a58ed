"""What an edit of a bot's spec does before and after it has joined."""

from meetingbots.kube.resources import PODS
from meetingbots.models.bot import BotPhase

from tests.unit.bots.bot_builders import MEETING, POD, at
from tests.unit.bots.reconcile.bot_harness import Bench


async def test_suspended_before_joining_the_pod_goes_and_comes_again() -> None:
    bench = Bench()
    bench.put_bot(joinAt=at(100).isoformat())
    bench.put_mapping()
    operator = bench.operator()
    await bench.live(operator, until=bench.waiting)
    bench.put_bot(joinAt=at(100).isoformat(), suspend=True, generation=2)
    await operator.look()
    assert bench.pods() == []
    assert bench.condition()[:2] == ("False", "Suspended")
    status = bench.bot().status
    assert (status.phase, status.attempts, status.observed_generation) == (BotPhase.PENDING, 0, 2)
    bench.put_bot(joinAt=at(100).isoformat(), generation=3)
    await bench.live(operator)
    assert bench.kubelet.starts == [(100, "standup-abcde-2")]
    assert bench.bot().status.attempts == 1
    bench.check()


async def test_a_moved_bot_gives_its_pod_back_and_joins_at_the_new_time() -> None:
    bench = Bench()
    bench.put_bot(joinAt=at(100).isoformat())
    bench.put_mapping()
    operator = bench.operator()
    await bench.live(operator, until=bench.waiting)
    bench.put_bot(joinAt=at(1000).isoformat(), generation=2)
    await operator.look()
    assert bench.pods() == []
    assert bench.condition()[1] == "Scheduled"
    await bench.live(operator)
    assert bench.kubelet.starts == [(1000, "standup-abcde-2")]
    assert [when for when, _, _ in bench.zoom.tokens.asked] == [1000]


async def test_a_bot_brought_forward_joins_at_once() -> None:
    bench = Bench()
    bench.put_bot(joinAt=at(5000).isoformat())
    bench.put_mapping()
    operator = bench.operator()
    await operator.look()
    bench.put_bot(joinAt=at(10).isoformat(), generation=2)
    await bench.live(operator, until=bench.running)
    assert bench.kubelet.starts == [(10, POD)]


async def test_an_edit_before_joining_replaces_the_pod_and_one_afterwards_is_ignored() -> None:
    bench = Bench()
    bench.put_bot(joinAt=at(100).isoformat())
    bench.put_mapping()
    operator = bench.operator()
    await bench.live(operator, until=bench.waiting)
    bench.put_bot(joinAt=at(100).isoformat(), displayName="Second", generation=2)
    await bench.live(operator, until=bench.running)
    (pod,) = bench.cluster.all(PODS)
    assert {"name": "ZOOM_DISPLAY_NAME", "value": "Second"} in pod["spec"]["containers"][0]["env"]
    assert bench.bot().status.attempts == 1
    await operator.look()
    assert bench.condition("SpecChangeIgnored") == ("", "", "")
    other = {"meeting": {"id": "99999999999"}, "joinAt": at(9000).isoformat()}
    bench.put_bot(displayName="Third", generation=3, **other)
    await operator.look()
    assert bench.condition("SpecChangeIgnored")[0] == "True"
    status = bench.bot().status
    assert (status.phase, status.meeting_id, status.observed_generation) == (BotPhase.RUNNING, MEETING, 3)
    await bench.live(operator)
    assert bench.condition()[1] == "Succeeded"
    assert bench.heard() == ["join-token-1"]


async def test_suspending_a_running_bot_makes_it_leave() -> None:
    bench = Bench()
    bench.put_bot()
    bench.put_mapping()
    operator = bench.operator()
    await bench.live(operator, until=bench.running)
    bench.put_bot(suspend=True, generation=2)
    await operator.look()
    assert bench.pods() == []
    assert bench.condition()[:2] == ("False", "Suspended")
    bench.clock.forward(5000)
    bench.put_bot(generation=3)
    await bench.live(operator)
    assert bench.condition()[1] == "Succeeded"
    assert bench.heard() == ["join-token-1", "join-token-2"]
