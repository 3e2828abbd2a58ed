"""A bot that joins on behalf of one of several users: of the one who is present."""

from collections.abc import Mapping

from meetingbots.kube.resources import CREDENTIALS, MAPPINGS

from tests.unit.bots.bot_builders import MEETING, at
from tests.unit.bots.reconcile.bot_harness import BotHarness, Operator
from tests.unit.bots.reconcile.test_on_behalf import NOT_THERE, asked, credential

NAMES = ("bob", "carol", "dan")
REFS = {"credentialRefs": [{"name": name} for name in NAMES]}


def start(on_behalf: Mapping[str, object]) -> tuple[BotHarness, Operator]:
    harness = BotHarness()
    harness.put_bot(tokens=["LocalRecording", "OnBehalf"], onBehalf=on_behalf)
    harness.put_mapping()
    for name in NAMES:
        credential(harness, name)
    return harness, harness.operator()


def present(harness: BotHarness, operator: Operator, **presences: bool) -> None:
    """What the receiver writes about several users."""
    item = harness.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
    assert item is not None
    time = int(at(0).timestamp() * 1000)
    item["metadata"]["labels"] = {"meetingbots.dev/live": "true"}
    reports = [{"name": name, "present": here, "eventTime": time, "uuid": "r"} for name, here in presences.items()]
    item["status"] |= {"phase": "Live", "uuid": "r", "presence": reports}
    operator.services.caches.live_mappings.put(harness.cluster.put(MAPPINGS, item))


async def test_the_first_user_who_is_present_serves() -> None:
    harness, operator = start(REFS)
    present(harness, operator, bob=False, carol=True, dan=True)
    await harness.live(operator, until=harness.running)
    assert asked(harness) == [("carol", "token"), ("alice", "local_recording")]


async def test_a_user_of_unknown_presence_is_preferred_to_an_absent_one() -> None:
    harness, operator = start(REFS)
    present(harness, operator, bob=False, carol=False)
    await harness.live(operator, until=harness.running)
    assert asked(harness) == [("dan", "token"), ("alice", "local_recording")]


async def test_the_next_user_is_tried_when_zoom_says_that_the_first_is_absent() -> None:
    harness, operator = start(REFS)
    harness.zoom.tokens.always["bob"] = NOT_THERE
    await harness.live(operator, until=harness.running)
    assert asked(harness) == [("bob", "token"), ("carol", "token"), ("alice", "local_recording")]


async def test_nobody_is_asked_while_all_are_absent() -> None:
    harness, operator = start(REFS)
    present(harness, operator, bob=False, carol=False, dan=False)
    await harness.live(operator, until=lambda: harness.condition()[1] == "UserNotInMeeting")
    assert asked(harness) == []
    assert "bob, carol, dan" in harness.condition()[2]
    present(harness, operator, bob=False, carol=False, dan=True)
    await harness.live(operator, until=harness.running)
    assert asked(harness) == [("dan", "token"), ("alice", "local_recording")]


async def test_a_selector_chooses_among_the_credentials_with_its_labels() -> None:
    harness, operator = start({"credentialSelector": {"matchLabels": {"team": "sales"}}})
    for name in ("carol", "dan"):
        item = harness.cluster.peek(CREDENTIALS, namespace="team", name=name)
        assert item is not None
        item["metadata"]["labels"] = {"team": "sales"}
        harness.cluster.put(CREDENTIALS, item)
    present(harness, operator, bob=True, carol=False, dan=True)
    await harness.live(operator, until=harness.running)
    assert asked(harness) == [("dan", "token"), ("alice", "local_recording")]
