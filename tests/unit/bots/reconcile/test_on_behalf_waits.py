"""Waiting for a bot's user: what Zoom's trouble costs meanwhile, meetings that are looked up, restarts, bad timing."""

from typing import Any

import httpx
import pytest

from tests.unit.bots.bot_builders import MEETING
from tests.unit.bots.reconcile.bot_harness import Bench, Operator
from tests.unit.bots.reconcile.test_on_behalf import AWAY, BOTH, NOT_THERE, asked, credential, moments, presence, start

DETAIL = httpx.Response(200, json={"id": int(MEETING), "host_id": "h", "uuid": "u"})
TOKEN = httpx.Response(200, json={"expire_in": 120, "token": "t"})


def waits(bench: Bench) -> bool:
    return bench.bot().status.phase == "WaitingForUser"


def with_lookup(**spec: Any) -> tuple[Bench, Operator]:
    """A bot whose meeting no mapping knows, which an account-level credential has, of another account than the app."""
    bench = Bench()
    bench.put_bot(**spec)
    credential(bench, "big", account="a", level="Account")
    bench.put_secret("zoom-app", account_id="vendor")
    bench.zoom.tokens.always = {"onbehalf": NOT_THERE, "jointoken": TOKEN, f"meetings/{MEETING}": DETAIL}
    return bench, bench.operator()


@pytest.mark.parametrize("kinds", [BOTH, None])
async def test_zooms_trouble_with_the_on_behalf_token_does_not_cost_the_recording_token(
    kinds: list[str] | None,
) -> None:
    bench, operator = start(tokens=kinds) if kinds else start()
    credential(bench, "alice", account="a")
    bench.put_secret("zoom-app", account_id="vendor")
    bench.zoom.tokens.always["onbehalf"] = AWAY
    await bench.live(operator, until=bench.running)
    assert bench.kubelet.starts[0][0] == pytest.approx(23, abs=0.5)  # tokenWaitSeconds after the first try
    assert bench.heard() == ["join-token-1"]
    assert bench.heard("ZOOM_TOKEN_REASON") == ["OnBehalf: ZoomUnavailable"]
    assert len(moments(bench, "local_recording")) == 1


async def test_nothing_is_gained_by_a_last_try_where_on_behalf_is_all_that_was_wanted() -> None:
    bench, operator = start(tokens=["OnBehalf"])
    bench.zoom.tokens.always["onbehalf"] = AWAY
    await bench.live(operator, until=bench.running)
    assert bench.heard("ZOOM_TOKEN_REASON") == ["ZoomUnavailable"]
    assert max(moments(bench, "onbehalf")) < 23


async def test_the_user_of_a_meeting_that_was_looked_up_is_waited_for() -> None:
    bench, operator = with_lookup(onBehalf={"retrySeconds": 60, "waitSeconds": 700})
    await bench.live(operator, until=lambda: waits(bench))
    assert bench.condition()[:2] == ("False", "UserNotInMeeting")
    assert "big (Lookup)" in bench.condition()[2]
    await bench.live(operator, until=bench.running)
    assert bench.kubelet.starts[0][0] == pytest.approx(700, abs=1)  # longer than startDeadlineSeconds
    assert moments(bench, "onbehalf") == pytest.approx([3 + 60 * n for n in range(12)], abs=1)
    assert (bench.heard(), bench.heard("ZOOM_TOKEN_REASON")) == (["t"], ["OnBehalf: UserNotInMeeting"])


async def test_zooms_trouble_after_the_start_deadline_does_not_end_such_a_wait() -> None:
    bench, operator = with_lookup()
    await bench.live(operator, until=lambda: bench.clock.seconds() > 650)
    bench.zoom.tokens.always["onbehalf"] = AWAY
    await bench.live(operator, until=lambda: bench.condition()[1] == "ZoomUnavailable")
    bench.zoom.tokens.always["onbehalf"] = TOKEN
    await bench.live(operator, until=bench.running)
    assert bench.heard("ZOOM_OBF_TOKEN") == ["t"]


async def test_required_fails_where_the_user_of_a_looked_up_meeting_does_not_come() -> None:
    bench, operator = with_lookup(tokenPolicy="Required", onBehalf={"waitSeconds": 100})
    await bench.live(operator)
    assert bench.condition()[:2] == ("False", "UserNotInMeeting")
    assert bench.clock.seconds() == pytest.approx(100, abs=1)


async def test_zooms_trouble_in_the_middle_of_a_wait_has_a_patience_of_its_own() -> None:
    bench, operator = start(tokens=BOTH)
    bench.zoom.tokens.always["onbehalf"] = NOT_THERE
    await bench.live(operator, until=lambda: bench.clock.seconds() > 62)
    bench.zoom.tokens.always["onbehalf"] = AWAY
    await bench.live(operator, until=lambda: len(moments(bench, "onbehalf")) == 5)
    bench.zoom.tokens.always.clear()
    await bench.live(operator, until=bench.running)
    assert bench.heard("ZOOM_TOKEN_REASON") == [""]


async def test_a_restart_while_waiting_for_a_user_asks_zoom_no_sooner() -> None:
    bench, operator = start(tokens=BOTH, onBehalf={"retrySeconds": 60, "waitSeconds": 250})
    bench.zoom.tokens.always["onbehalf"] = NOT_THERE
    await bench.live(operator, until=lambda: waits(bench))
    for _ in range(40):  # it crashes every five seconds
        before = bench.bot()
        operator = bench.operator()
        await operator.look()
        assert bench.bot() == before
        bench.forward(5)
        await operator.look()
    tries = moments(bench, "onbehalf")
    assert tries == pytest.approx([3, 63, 123, 183], abs=5)
    await bench.live(operator, until=bench.running)
    assert bench.kubelet.starts[0][0] == pytest.approx(250, abs=1)
    assert bench.heard("ZOOM_TOKEN_REASON") == ["OnBehalf: UserNotInMeeting"]


async def test_who_came_while_the_operator_was_away_is_tried_for_at_once() -> None:
    bench, operator = start(tokens=BOTH)
    bench.zoom.tokens.always["onbehalf"] = NOT_THERE
    await bench.live(operator, until=lambda: waits(bench))
    bench.zoom.tokens.always.clear()
    bench.clock.forward(20)
    operator = bench.operator()
    presence(bench, operator, present=True, after=10, name="alice")
    await bench.live(operator, until=bench.running)
    assert moments(bench, "onbehalf") == pytest.approx([3, 23], abs=0.5)


async def test_a_user_who_is_not_there_spaces_the_tries_though_another_candidate_is_not_ready() -> None:
    bench = Bench()
    bench.put_bot(tokens=BOTH, onBehalf={"waitSeconds": 150})
    bench.put_mapping(people=("carol",))
    bench.zoom.tokens.always["onbehalf"] = NOT_THERE
    operator = bench.operator()
    operator.tokens.not_ready.add("carol")
    await bench.live(operator, until=bench.running)
    assert moments(bench, "onbehalf") == pytest.approx([3, 63, 123], abs=1)


async def test_into_strangers_meetings_it_waits_for_its_user_too() -> None:
    bench = Bench()
    bench.put_bot(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}})
    bench.zoom.tokens.always["onbehalf"] = NOT_THERE
    operator = bench.operator()
    await bench.live(operator, until=lambda: waits(bench))
    await bench.live(operator, until=lambda: bench.clock.seconds() > 62)
    bench.zoom.tokens.always.clear()
    await bench.live(operator, until=bench.running)
    assert moments(bench, "onbehalf") == pytest.approx([3, 63], abs=1)
    assert bench.heard("ZOOM_OBF_TOKEN") == ["join-token-1"]
    assert bench.heard("ZOOM_TOKEN_REASON") == ["LocalRecording: NoMapping"]


@pytest.mark.parametrize("answer", [AWAY, NOT_THERE])
async def test_into_strangers_meetings_it_goes_without_when_the_wait_is_over(answer: httpx.Response) -> None:
    bench = Bench()
    bench.put_bot(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}, "waitSeconds": 150})
    bench.zoom.tokens.always["onbehalf"] = answer
    await bench.live(bench.operator(), until=bench.running)
    assert bench.kubelet.starts[0][0] == pytest.approx(23 if answer is AWAY else 150, abs=1)
    assert len(asked(bench)) < 8
    assert (bench.heard(), bench.heard("ZOOM_OBF_TOKEN")) == ([""], [""])
