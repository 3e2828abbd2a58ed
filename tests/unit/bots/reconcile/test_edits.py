"""What an edit of a bot's spec does before and after it has joined."""

from meetingbots.kube.resources import PODS
from meetingbots.models.bot import BotPhase

from tests.unit.bots.bot_builders import MEETING, POD, at
from tests.unit.bots.reconcile.bot_harness import BotHarness
from tests.unit.bots.reconcile.test_on_behalf import BOTH, NOT_THERE, start


async def test_suspending_before_the_join_deletes_the_pod_and_resuming_creates_one() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt=at(100).isoformat())
    harness.put_mapping()
    operator = harness.operator()
    await harness.live(operator, until=harness.waiting)
    harness.put_bot(joinAt=at(100).isoformat(), suspend=True, generation=2)
    await operator.look()
    assert harness.pods() == []
    assert harness.condition()[:2] == ("False", "Suspended")
    status = harness.bot().status
    assert (status.phase, status.attempts, status.observed_generation) == (BotPhase.PENDING, 0, 2)
    harness.put_bot(joinAt=at(100).isoformat(), generation=3)
    await harness.live(operator)
    assert harness.kubelet.starts == [(100, "standup-abcde-2")]
    assert harness.bot().status.attempts == 1
    harness.check()


async def test_a_moved_bot_loses_its_pod_and_joins_at_the_new_time() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt=at(100).isoformat())
    harness.put_mapping()
    operator = harness.operator()
    await harness.live(operator, until=harness.waiting)
    harness.put_bot(joinAt=at(1000).isoformat(), generation=2)
    await operator.look()
    assert harness.pods() == []
    assert harness.condition()[1] == "Scheduled"
    await harness.live(operator)
    assert harness.kubelet.starts == [(1000, "standup-abcde-2")]
    assert [when for when, _, _ in harness.zoom.tokens.asked] == [1000]


async def test_a_bot_moved_to_now_joins_at_once() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt=at(5000).isoformat())
    harness.put_mapping()
    operator = harness.operator()
    await operator.look()
    harness.put_bot(joinAt=at(10).isoformat(), generation=2)
    await harness.live(operator, until=harness.running)
    assert harness.kubelet.starts == [(10, POD)]


async def test_an_edit_before_joining_replaces_the_pod_and_one_afterwards_is_ignored() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt=at(100).isoformat())
    harness.put_mapping()
    operator = harness.operator()
    await harness.live(operator, until=harness.waiting)
    harness.put_bot(joinAt=at(100).isoformat(), displayName="Second", generation=2)
    await harness.live(operator, until=harness.running)
    (pod,) = harness.cluster.all(PODS)
    assert {"name": "ZOOM_DISPLAY_NAME", "value": "Second"} in pod["spec"]["containers"][0]["env"]
    assert harness.bot().status.attempts == 1
    await operator.look()
    assert harness.condition("SpecChangeIgnored") == ("", "", "")
    other = {"meeting": {"id": "99999999999"}, "joinAt": at(9000).isoformat()}
    harness.put_bot(displayName="Third", generation=3, **other)
    await operator.look()
    assert harness.condition("SpecChangeIgnored")[0] == "True"
    status = harness.bot().status
    assert (status.phase, status.meeting_id, status.observed_generation) == (BotPhase.RUNNING, MEETING, 3)
    await harness.live(operator)
    assert harness.condition()[1] == "Succeeded"
    assert harness.heard() == ["join-token-1"]


async def test_suspending_a_running_bot_makes_it_leave() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    operator = harness.operator()
    await harness.live(operator, until=harness.running)
    harness.put_bot(suspend=True, generation=2)
    await operator.look()
    assert harness.pods() == []
    assert harness.condition()[:2] == ("False", "Suspended")
    harness.clock.forward(5000)
    harness.put_bot(generation=3)
    await harness.live(operator)
    assert harness.condition()[1] == "Succeeded"
    assert harness.heard() == ["join-token-1", "join-token-2"]


async def test_an_edit_that_lowers_the_deadline_keeps_the_cause() -> None:
    harness = BotHarness()
    harness.kubelet.image = 1
    harness.put_bot(tokenPolicy="Required")
    operator = harness.operator()
    await harness.live(operator, until=lambda: harness.condition()[1] == "NoMapping")
    harness.put_bot(tokenPolicy="Required", startDeadlineSeconds=1, generation=2)
    await harness.live(operator)
    assert harness.condition()[1] == "StartDeadlineExceeded"
    assert "No MeetingMapping" in harness.condition()[2]


async def test_a_bot_that_waits_for_its_user_beyond_its_start_deadline_can_be_edited() -> None:
    harness, operator = start(tokens=BOTH, onBehalf={"waitSeconds": 2000})
    harness.zoom.tokens.always["onbehalf"] = NOT_THERE
    await harness.live(operator, until=lambda: harness.clock.seconds() >= 700)
    assert harness.condition()[:2] == ("False", "UserNotInMeeting")
    harness.put_bot(tokens=BOTH, onBehalf={"waitSeconds": 2000}, displayName="Notes", generation=2)
    await harness.live(operator, until=lambda: harness.clock.seconds() >= 800)
    del harness.zoom.tokens.always["onbehalf"]
    await harness.live(operator, until=harness.running)
    assert harness.heard("ZOOM_OBF_TOKEN") != [""]
    assert harness.bot().status.attempts == 1
    harness.check()
