"""Waiting for a bot's user: what Zoom's trouble costs meanwhile, meetings that are looked up, restarts, bad timing."""

from typing import Any

import httpx
import pytest

from tests.unit.bots.bot_builders import MEETING
from tests.unit.bots.reconcile.bot_harness import BotHarness, Operator
from tests.unit.bots.reconcile.test_on_behalf import AWAY, BOTH, NOT_THERE, asked, credential, moments, presence, start

DETAIL = httpx.Response(200, json={"id": int(MEETING), "host_id": "h", "uuid": "u"})
TOKEN = httpx.Response(200, json={"expire_in": 120, "token": "t"})


def waits(harness: BotHarness) -> bool:
    return harness.bot().status.phase == "WaitingForUser"


def with_lookup(**spec: Any) -> tuple[BotHarness, Operator]:
    """A bot whose meeting no mapping knows, which an account-level credential has, of another account than the app."""
    harness = BotHarness()
    harness.put_bot(**spec)
    credential(harness, "big", account="a", level="Account")
    harness.put_secret("zoom-app", account_id="vendor")
    harness.zoom.tokens.always = {"onbehalf": NOT_THERE, "jointoken": TOKEN, f"meetings/{MEETING}": DETAIL}
    return harness, harness.operator()


@pytest.mark.parametrize("kinds", [BOTH, None])
async def test_a_failed_on_behalf_request_does_not_cost_the_recording_token(
    kinds: list[str] | None,
) -> None:
    harness, operator = start(tokens=kinds) if kinds else start()
    credential(harness, "alice", account="a")
    harness.put_secret("zoom-app", account_id="vendor")
    harness.zoom.tokens.always["onbehalf"] = AWAY
    await harness.live(operator, until=harness.running)
    assert harness.kubelet.starts[0][0] == pytest.approx(23, abs=0.5)  # tokenWaitSeconds after the first try
    assert harness.heard() == ["join-token-1"]
    assert harness.heard("ZOOM_TOKEN_REASON") == ["OnBehalf: ZoomUnavailable"]
    assert len(moments(harness, "local_recording")) == 1


async def test_no_last_try_where_only_the_on_behalf_token_is_wanted() -> None:
    harness, operator = start(tokens=["OnBehalf"])
    harness.zoom.tokens.always["onbehalf"] = AWAY
    await harness.live(operator, until=harness.running)
    assert harness.heard("ZOOM_TOKEN_REASON") == ["ZoomUnavailable"]
    assert max(moments(harness, "onbehalf")) < 23


async def test_the_user_of_a_meeting_that_was_looked_up_is_waited_for() -> None:
    harness, operator = with_lookup(onBehalf={"retrySeconds": 60, "waitSeconds": 700})
    await harness.live(operator, until=lambda: waits(harness))
    assert harness.condition()[:2] == ("False", "UserNotInMeeting")
    assert "big (Lookup)" in harness.condition()[2]
    await harness.live(operator, until=harness.running)
    assert harness.kubelet.starts[0][0] == pytest.approx(700, abs=1)  # longer than startDeadlineSeconds
    assert moments(harness, "onbehalf") == pytest.approx([3 + 60 * n for n in range(12)], abs=1)
    assert (harness.heard(), harness.heard("ZOOM_TOKEN_REASON")) == (["t"], ["OnBehalf: UserNotInMeeting"])


async def test_a_failure_of_zoom_after_the_start_deadline_does_not_end_the_wait() -> None:
    harness, operator = with_lookup()
    await harness.live(operator, until=lambda: harness.clock.seconds() > 650)
    harness.zoom.tokens.always["onbehalf"] = AWAY
    await harness.live(operator, until=lambda: harness.condition()[1] == "ZoomUnavailable")
    harness.zoom.tokens.always["onbehalf"] = TOKEN
    await harness.live(operator, until=harness.running)
    assert harness.heard("ZOOM_OBF_TOKEN") == ["t"]


async def test_required_fails_where_the_user_of_a_looked_up_meeting_does_not_come() -> None:
    harness, operator = with_lookup(tokenPolicy="Required", onBehalf={"waitSeconds": 100})
    await harness.live(operator)
    assert harness.condition()[:2] == ("False", "UserNotInMeeting")
    assert harness.clock.seconds() == pytest.approx(100, abs=1)


async def test_a_failure_of_zoom_during_the_wait_has_its_own_time_limit() -> None:
    harness, operator = start(tokens=BOTH)
    harness.zoom.tokens.always["onbehalf"] = NOT_THERE
    await harness.live(operator, until=lambda: harness.clock.seconds() > 62)
    harness.zoom.tokens.always["onbehalf"] = AWAY
    await harness.live(operator, until=lambda: len(moments(harness, "onbehalf")) == 5)
    harness.zoom.tokens.always.clear()
    await harness.live(operator, until=harness.running)
    assert harness.heard("ZOOM_TOKEN_REASON") == [""]


async def test_a_restart_does_not_shorten_the_pause_between_tries() -> None:
    harness, operator = start(tokens=BOTH, onBehalf={"retrySeconds": 60, "waitSeconds": 250})
    harness.zoom.tokens.always["onbehalf"] = NOT_THERE
    await harness.live(operator, until=lambda: waits(harness))
    for _ in range(40):  # it crashes every five seconds
        before = harness.bot()
        operator = harness.operator()
        await operator.look()
        assert harness.bot() == before
        harness.forward(5)
        await operator.look()
    tries = moments(harness, "onbehalf")
    assert tries == pytest.approx([3, 63, 123, 183], abs=5)
    await harness.live(operator, until=harness.running)
    assert harness.kubelet.starts[0][0] == pytest.approx(250, abs=1)
    assert harness.heard("ZOOM_TOKEN_REASON") == ["OnBehalf: UserNotInMeeting"]


async def test_a_user_who_came_during_a_restart_is_noticed_at_once() -> None:
    harness, operator = start(tokens=BOTH)
    harness.zoom.tokens.always["onbehalf"] = NOT_THERE
    await harness.live(operator, until=lambda: waits(harness))
    harness.zoom.tokens.always.clear()
    harness.clock.forward(20)
    operator = harness.operator()
    presence(harness, operator, present=True, after=10, name="alice")
    await harness.live(operator, until=harness.running)
    assert moments(harness, "onbehalf") == pytest.approx([3, 23], abs=0.5)


async def test_an_absent_user_spaces_the_tries_beside_a_credential_that_is_not_ready() -> None:
    harness = BotHarness()
    harness.put_bot(tokens=BOTH, onBehalf={"waitSeconds": 150})
    harness.put_mapping(people=("carol",))
    harness.zoom.tokens.always["onbehalf"] = NOT_THERE
    operator = harness.operator()
    operator.tokens.not_ready.add("carol")
    await harness.live(operator, until=harness.running)
    assert moments(harness, "onbehalf") == pytest.approx([3, 63, 123], abs=1)


async def test_in_a_strangers_meeting_it_waits_for_its_user() -> None:
    harness = BotHarness()
    harness.put_bot(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}})
    harness.zoom.tokens.always["onbehalf"] = NOT_THERE
    operator = harness.operator()
    await harness.live(operator, until=lambda: waits(harness))
    await harness.live(operator, until=lambda: harness.clock.seconds() > 62)
    harness.zoom.tokens.always.clear()
    await harness.live(operator, until=harness.running)
    assert moments(harness, "onbehalf") == pytest.approx([3, 63], abs=1)
    assert harness.heard("ZOOM_OBF_TOKEN") == ["join-token-1"]
    assert harness.heard("ZOOM_TOKEN_REASON") == ["LocalRecording: NoMapping"]


@pytest.mark.parametrize("answer", [AWAY, NOT_THERE])
async def test_in_a_strangers_meeting_it_joins_without_a_token_after_the_wait(answer: httpx.Response) -> None:
    harness = BotHarness()
    harness.put_bot(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}, "waitSeconds": 150})
    harness.zoom.tokens.always["onbehalf"] = answer
    await harness.live(harness.operator(), until=harness.running)
    assert harness.kubelet.starts[0][0] == pytest.approx(23 if answer is AWAY else 150, abs=1)
    assert len(asked(harness)) < 8
    assert (harness.heard(), harness.heard("ZOOM_OBF_TOKEN")) == ([""], [""])
