"""Tokens on somebody's behalf: by whose credential, when they are asked for, what is told while they are missing."""

import itertools
from typing import Any

import httpx
import pytest
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS
from meetingbots.runtime.object_cache import Key

from tests.unit.bots.bot_builders import MEETING, at
from tests.unit.bots.reconcile.bot_harness import Bench, Operator

BOTH = ["LocalRecording", "OnBehalf"]
NO_SCOPES = httpx.Response(400, json={"code": 4711, "message": "Invalid access token, does not contain scopes:[x]."})
AWAY = httpx.Response(502, html="<html>Bad gateway</html>")
NOT_THERE = httpx.Response(400, json={"code": 3000, "message": "The user is not in the meeting."})


def credential(bench: Bench, name: str, *, account: str = "acme", app: str = "zoom-app", **spec: Any) -> None:
    grant = {"refreshToken": {"secretKeyRef": {"name": name, "key": "t"}}}
    item = {
        "metadata": {"namespace": "team", "name": name},
        "spec": {"appSecretRef": {"name": app}, "grant": grant, **spec},
        "status": {"accountId": account},
    }
    bench.cluster.put(CREDENTIALS, item)


def presence(bench: Bench, operator: Operator, *, present: bool, after: float = 0, name: str = "bob") -> None:
    """What the receiver writes when a user of ours comes or goes, and the watch tells."""
    item = bench.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
    assert item is not None
    told = {"name": name, "present": present, "eventTime": int(at(after).timestamp() * 1000), "uuid": "run-1"}
    item["metadata"]["labels"] = {"meetingbots.dev/live": "true"}
    item["status"] |= {"phase": "Live", "uuid": "run-1", "presence": [told]}
    operator.services.caches.live_mappings.put(bench.cluster.put(MAPPINGS, item))


def start(**spec: Any) -> tuple[Bench, Operator]:
    bench = Bench()
    bench.put_bot(**spec)
    bench.put_mapping()
    return bench, bench.operator()


def asked(bench: Bench) -> list[tuple[str, str]]:
    return [(who, path.partition("?")[0].rpartition("/")[2]) for _, who, path in bench.zoom.tokens.asked]


def moments(bench: Bench, part: str) -> list[float]:
    return [when for when, _, path in bench.zoom.tokens.asked if part in path]


async def test_it_is_asked_for_with_its_own_credential_and_first_of_all() -> None:
    bench, operator = start(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}})
    await bench.live(operator, until=bench.running)
    assert asked(bench) == [("bob", "token"), ("alice", "local_recording")]
    assert (bench.heard("ZOOM_OBF_TOKEN"), bench.heard()) == (["join-token-1"], ["join-token-2"])
    status = bench.bot().status
    assert status.token is not None
    assert (status.token.kinds, status.credential_name) == (BOTH, "alice")


async def test_the_meetings_own_credential_is_the_default() -> None:
    bench, operator = start(tokens=["OnBehalf"])
    await bench.live(operator, until=bench.running)
    assert asked(bench) == [("alice", "token")]


async def test_a_user_who_is_known_to_be_away_is_waited_for_and_tried_for_when_there() -> None:
    bench, operator = start(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}})
    presence(bench, operator, present=False)
    await bench.live(operator, until=lambda: bench.bot().status.phase == "WaitingForUser")
    bench.clock.forward(650)  # longer than startDeadlineSeconds
    await operator.look()
    assert asked(bench) == []
    presence(bench, operator, present=True, after=650)
    await bench.live(operator, until=bench.running)
    assert bench.heard("ZOOM_OBF_TOKEN") == ["join-token-1"]
    assert bench.clock.seconds() < 660


async def test_a_user_who_never_comes_is_given_up_and_the_bot_goes_without() -> None:
    bench, operator = start(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}, "waitSeconds": 100})
    presence(bench, operator, present=False)
    await bench.live(operator, until=bench.running)
    assert bench.kubelet.starts[0][0] == pytest.approx(100, abs=1)
    assert asked(bench) == [("alice", "local_recording")]
    assert bench.heard("ZOOM_TOKEN_REASON") == ["OnBehalf: UserNotInMeeting"]
    assert bench.condition("TokenIssued")[:2] == ("False", "UserNotInMeeting")
    assert "OnBehalf" in bench.condition("TokenIssued")[2]


async def test_required_fails_when_the_user_never_comes() -> None:
    bench, operator = start(tokens=BOTH, tokenPolicy="Required", onBehalf={"waitSeconds": 100})
    presence(bench, operator, present=False, name="alice")
    await bench.live(operator)
    assert bench.condition()[:2] == ("False", "UserNotInMeeting")
    assert bench.zoom.tokens.asked == []


async def test_where_presence_is_unknown_tries_are_spaced() -> None:
    bench, operator = start(tokens=BOTH, onBehalf={"retrySeconds": 60, "waitSeconds": 150})
    bench.zoom.tokens.always["onbehalf"] = NOT_THERE
    await bench.live(operator, until=bench.running)
    assert moments(bench, "onbehalf") == pytest.approx([3, 63, 123], abs=1)
    assert len(moments(bench, "local_recording")) == 1
    assert bench.heard("ZOOM_TOKEN_REASON") == ["OnBehalf: UserNotInMeeting"]


async def test_exit_code_75_leads_to_spaced_tries_each_with_new_tokens() -> None:
    bench, operator = start(tokens=BOTH, onBehalf={"retrySeconds": 60, "waitSeconds": 200})
    bench.kubelet.exits, bench.kubelet.runs = [75, 75, 0], 2
    await bench.live(operator)
    starts = [when for when, _ in bench.kubelet.starts]
    assert [later - earlier >= 60 for earlier, later in itertools.pairwise(starts)] == [True, True]
    assert len(set(bench.heard("ZOOM_OBF_TOKEN"))) == 3
    assert bench.bot().status.attempts == 1
    bench.check()


async def test_who_is_put_out_again_and_again_is_given_up() -> None:
    bench, operator = start(tokens=BOTH, onBehalf={"retrySeconds": 60, "waitSeconds": 100})
    bench.kubelet.exits, bench.kubelet.runs = [75] * 9, 2
    await bench.live(operator)
    assert bench.condition()[:2] == ("False", "UserNotInMeeting")
    assert len(bench.kubelet.starts) == 2


async def test_open_tokens_get_on_behalf_where_the_app_is_of_another_account() -> None:
    for owner, kinds in (("vendor", ["LocalRecording", "OnBehalf"]), ("a", ["LocalRecording"])):
        bench, operator = start()
        credential(bench, "alice", account="a")
        bench.put_secret("zoom-app", account_id=owner)
        await bench.live(operator, until=bench.running)
        status = bench.bot().status
        assert status.token is not None
        assert status.token.kinds == kinds
        assert operator.services.app_accounts.known(Key("team", "zoom-app")) == owner


async def test_whose_app_it_is_is_asked_once() -> None:
    bench, operator = start()
    credential(bench, "alice", account="a")
    bench.put_secret("zoom-app", account_id="vendor")
    presence(bench, operator, present=False, name="alice")
    await bench.live(operator, until=lambda: bench.bot().status.phase == "WaitingForUser")
    for _ in range(3):
        bench.clock.forward(1)
        await operator.look()
    reads = [call for call in bench.cluster.calls if call.name == "zoom-app" and call.moment == "after"]
    assert len(reads) == 1


async def test_a_passing_failure_of_one_token_is_waited_out_before_half_is_delivered() -> None:
    bench, operator = start(tokens=["LocalRecording", "LiveStreaming"], tokenWaitSeconds=5)
    bench.zoom.tokens.always["live_streaming"] = AWAY
    await bench.live(operator, until=bench.running)
    assert bench.kubelet.starts[0][0] == pytest.approx(8, abs=0.5)
    assert bench.heard("ZOOM_TOKEN_REASON") == ["LiveStreaming: ZoomUnavailable"]
    assert bench.heard()[0].startswith("join-token-")
    bench, operator = start(tokens=["LocalRecording", "LiveStreaming"])
    bench.zoom.tokens.once = [AWAY]
    await bench.live(operator, until=bench.running)
    assert bench.heard("ZOOM_TOKEN_REASON") == [""]


async def test_an_on_behalf_credential_that_lacks_scopes_does_not_cost_the_recording_token() -> None:
    bench, operator = start(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}})
    bench.zoom.tokens.always["bob"] = NO_SCOPES
    await bench.live(operator, until=bench.running)
    assert bench.heard("ZOOM_TOKEN_REASON") == ["OnBehalf: ScopesMissing"]
    assert bench.heard() == ["join-token-1"]


async def test_a_second_candidate_is_tried_though_the_first_ones_on_behalf_token_came() -> None:
    bench = Bench()
    bench.put_bot(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}})
    bench.put_mapping(people=("carol",))
    bench.zoom.tokens.always["carol"] = NO_SCOPES
    operator = bench.operator()
    await bench.live(operator, until=bench.running)
    assert bench.bot().status.credential_name == "alice"
    assert bench.heard("ZOOM_TOKEN_REASON") == [""]
    assert "carol (mapping)" in bench.condition("TokenIssued")[2]
    restarted = bench.operator()
    before = bench.bot()
    await restarted.look()
    assert bench.bot() == before


async def test_into_strangers_meetings_it_goes_on_behalf_of_somebody_and_asks_for_the_rest() -> None:
    bench = Bench()
    bench.put_bot(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}})
    operator = bench.operator()
    await bench.live(operator, until=bench.running)
    assert asked(bench) == [("bob", "token")]
    assert (bench.heard(), bench.heard("ZOOM_OBF_TOKEN")) == ([""], ["join-token-1"])
    assert bench.heard("ZOOM_TOKEN_REASON") == ["LocalRecording: NoMapping"]
    assert bench.condition("TokenIssued")[:2] == ("False", "NoMapping")
    required = Bench()
    required.put_bot(tokens=BOTH, tokenPolicy="Required", onBehalf={"credentialRef": {"name": "bob"}})
    await required.live(required.operator())
    assert required.condition()[1] == "NoMapping"
    assert asked(required) == []


async def test_its_own_credential_is_all_that_an_on_behalf_token_needs() -> None:
    bench = Bench()
    bench.put_bot(tokens=["OnBehalf"], onBehalf={"credentialRef": {"name": "bob"}})
    await bench.live(bench.operator(), until=bench.running)
    assert asked(bench) == [("bob", "token")]
    assert bench.bot().status.credential_name == "bob"


@pytest.mark.parametrize("answers", [{"alice": NO_SCOPES}, {"alice": NO_SCOPES, "bob": NO_SCOPES}])
async def test_what_nobody_gives_is_asked_for_a_limited_number_of_times(answers: dict[str, httpx.Response]) -> None:
    bench, operator = start(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}, "waitSeconds": 10})
    bench.zoom.tokens.always = dict(answers)
    presence(bench, operator, present=False)
    await bench.live(operator, until=bench.running)
    assert len(asked(bench)) <= 3
    assert bench.heard() == [""]
