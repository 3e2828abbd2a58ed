"""Tokens on behalf of a user: the credential, the time of the request, and the status while they are missing."""

import itertools
from typing import Any

import httpx
import pytest
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS
from meetingbots.runtime.object_cache import Key

from tests.unit.bots.bot_builders import MEETING, at
from tests.unit.bots.reconcile.bot_harness import BotHarness, Operator

BOTH = ["LocalRecording", "OnBehalf"]
NO_SCOPES = httpx.Response(400, json={"code": 4711, "message": "Invalid access token, does not contain scopes:[x]."})
AWAY = httpx.Response(502, html="<html>Bad gateway</html>")
NOT_THERE = httpx.Response(400, json={"code": 3000, "message": "The user is not in the meeting."})


def credential(harness: BotHarness, name: str, *, account: str = "acme", app: str = "zoom-app", **spec: Any) -> None:
    grant = {"refreshToken": {"secretKeyRef": {"name": name, "key": "t"}}}
    item = {
        "metadata": {"namespace": "team", "name": name},
        "spec": {"appSecretRef": {"name": app}, "grant": grant, **spec},
        "status": {"accountId": account},
    }
    harness.cluster.put(CREDENTIALS, item)


def presence(harness: BotHarness, operator: Operator, *, present: bool, after: float = 0, name: str = "bob") -> None:
    """Let the receiver write that a user came or went, and the watch report it."""
    item = harness.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
    assert item is not None
    entry = {"name": name, "present": present, "eventTime": int(at(after).timestamp() * 1000), "uuid": "run-1"}
    item["metadata"]["labels"] = {"meetingbots.dev/live": "true"}
    item["status"] |= {"phase": "Live", "uuid": "run-1", "presence": [entry]}
    operator.services.caches.live_mappings.put(harness.cluster.put(MAPPINGS, item))


def start(**spec: Any) -> tuple[BotHarness, Operator]:
    harness = BotHarness()
    harness.put_bot(**spec)
    harness.put_mapping()
    return harness, harness.operator()


def asked(harness: BotHarness) -> list[tuple[str, str]]:
    return [(who, path.partition("?")[0].rpartition("/")[2]) for _, who, path in harness.zoom.tokens.asked]


def moments(harness: BotHarness, part: str) -> list[float]:
    return [when for when, _, path in harness.zoom.tokens.asked if part in path]


async def test_the_on_behalf_token_is_requested_first_with_its_own_credential() -> None:
    harness, operator = start(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}})
    await harness.live(operator, until=harness.running)
    assert asked(harness) == [("bob", "token"), ("alice", "local_recording")]
    assert (harness.heard("ZOOM_OBF_TOKEN"), harness.heard()) == (["join-token-1"], ["join-token-2"])
    status = harness.bot().status
    assert status.token is not None
    assert (status.token.kinds, status.credential_name) == (BOTH, "alice")


async def test_the_meetings_own_credential_is_the_default() -> None:
    harness, operator = start(tokens=["OnBehalf"])
    await harness.live(operator, until=harness.running)
    assert asked(harness) == [("alice", "token")]


async def test_an_absent_user_is_waited_for() -> None:
    harness, operator = start(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}})
    presence(harness, operator, present=False)
    await harness.live(operator, until=lambda: harness.bot().status.phase == "WaitingForUser")
    harness.clock.forward(650)  # longer than startDeadlineSeconds
    await operator.look()
    assert asked(harness) == []
    presence(harness, operator, present=True, after=650)
    await harness.live(operator, until=harness.running)
    assert harness.heard("ZOOM_OBF_TOKEN") == ["join-token-1"]
    assert harness.clock.seconds() < 660


async def test_after_the_wait_the_bot_joins_without_the_on_behalf_token() -> None:
    harness, operator = start(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}, "waitSeconds": 100})
    presence(harness, operator, present=False)
    await harness.live(operator, until=harness.running)
    assert harness.kubelet.starts[0][0] == pytest.approx(100, abs=1)
    assert asked(harness) == [("alice", "local_recording")]
    assert harness.heard("ZOOM_TOKEN_REASON") == ["OnBehalf: UserNotInMeeting"]
    assert harness.condition("TokenIssued")[:2] == ("False", "UserNotInMeeting")
    assert "OnBehalf" in harness.condition("TokenIssued")[2]


async def test_required_fails_when_the_user_never_comes() -> None:
    harness, operator = start(tokens=BOTH, tokenPolicy="Required", onBehalf={"waitSeconds": 100})
    presence(harness, operator, present=False, name="alice")
    await harness.live(operator)
    assert harness.condition()[:2] == ("False", "UserNotInMeeting")
    assert harness.zoom.tokens.asked == []


async def test_unknown_presence_spaces_the_tries() -> None:
    harness, operator = start(tokens=BOTH, onBehalf={"retrySeconds": 60, "waitSeconds": 150})
    harness.zoom.tokens.always["onbehalf"] = NOT_THERE
    await harness.live(operator, until=harness.running)
    assert moments(harness, "onbehalf") == pytest.approx([3, 63, 123], abs=1)
    assert len(moments(harness, "local_recording")) == 1
    assert harness.heard("ZOOM_TOKEN_REASON") == ["OnBehalf: UserNotInMeeting"]


async def test_exit_code_75_leads_to_spaced_tries_each_with_new_tokens() -> None:
    harness, operator = start(tokens=BOTH, onBehalf={"retrySeconds": 60, "waitSeconds": 200})
    harness.kubelet.exits, harness.kubelet.runs = [75, 75, 0], 2
    await harness.live(operator)
    starts = [when for when, _ in harness.kubelet.starts]
    assert [later - earlier >= 60 for earlier, later in itertools.pairwise(starts)] == [True, True]
    assert len(set(harness.heard("ZOOM_OBF_TOKEN"))) == 3
    assert harness.bot().status.attempts == 1
    harness.check()


async def test_repeated_removals_end_the_attempts() -> None:
    harness, operator = start(tokens=BOTH, onBehalf={"retrySeconds": 60, "waitSeconds": 100})
    harness.kubelet.exits, harness.kubelet.runs = [75] * 9, 2
    await harness.live(operator)
    assert harness.condition()[:2] == ("False", "UserNotInMeeting")
    assert len(harness.kubelet.starts) == 2


async def test_on_behalf_is_added_for_an_app_of_another_account() -> None:
    for owner, kinds in (("vendor", ["LocalRecording", "OnBehalf"]), ("a", ["LocalRecording"])):
        harness, operator = start()
        credential(harness, "alice", account="a")
        harness.put_secret("zoom-app", account_id=owner)
        await harness.live(operator, until=harness.running)
        status = harness.bot().status
        assert status.token is not None
        assert status.token.kinds == kinds
        assert operator.services.app_accounts.known(Key("team", "zoom-app")) == owner


async def test_the_apps_account_is_read_once() -> None:
    harness, operator = start()
    credential(harness, "alice", account="a")
    harness.put_secret("zoom-app", account_id="vendor")
    presence(harness, operator, present=False, name="alice")
    await harness.live(operator, until=lambda: harness.bot().status.phase == "WaitingForUser")
    for _ in range(3):
        harness.clock.forward(1)
        await operator.look()
    reads = [call for call in harness.cluster.calls if call.name == "zoom-app" and call.moment == "after"]
    assert len(reads) == 1


async def test_a_transient_failure_of_one_token_delays_a_partial_delivery() -> None:
    harness, operator = start(tokens=["LocalRecording", "LiveStreaming"], tokenWaitSeconds=5)
    harness.zoom.tokens.always["live_streaming"] = AWAY
    await harness.live(operator, until=harness.running)
    assert harness.kubelet.starts[0][0] == pytest.approx(8, abs=0.5)
    assert harness.heard("ZOOM_TOKEN_REASON") == ["LiveStreaming: ZoomUnavailable"]
    assert harness.heard()[0].startswith("join-token-")
    harness, operator = start(tokens=["LocalRecording", "LiveStreaming"])
    harness.zoom.tokens.once = [AWAY]
    await harness.live(operator, until=harness.running)
    assert harness.heard("ZOOM_TOKEN_REASON") == [""]


async def test_an_on_behalf_credential_that_lacks_scopes_does_not_cost_the_recording_token() -> None:
    harness, operator = start(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}})
    harness.zoom.tokens.always["bob"] = NO_SCOPES
    await harness.live(operator, until=harness.running)
    assert harness.heard("ZOOM_TOKEN_REASON") == ["OnBehalf: ScopesMissing"]
    assert harness.heard() == ["join-token-1"]


async def test_an_on_behalf_token_alone_does_not_end_the_search() -> None:
    harness = BotHarness()
    harness.put_bot(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}})
    harness.put_mapping(people=("carol",))
    harness.zoom.tokens.always["carol"] = NO_SCOPES
    operator = harness.operator()
    await harness.live(operator, until=harness.running)
    assert harness.bot().status.credential_name == "alice"
    assert harness.heard("ZOOM_TOKEN_REASON") == [""]
    assert "carol (mapping)" in harness.condition("TokenIssued")[2]
    restarted = harness.operator()
    before = harness.bot()
    await restarted.look()
    assert harness.bot() == before


async def test_in_a_strangers_meeting_an_on_behalf_token_suffices() -> None:
    harness = BotHarness()
    harness.put_bot(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}})
    operator = harness.operator()
    await harness.live(operator, until=harness.running)
    assert asked(harness) == [("bob", "token")]
    assert (harness.heard(), harness.heard("ZOOM_OBF_TOKEN")) == ([""], ["join-token-1"])
    assert harness.heard("ZOOM_TOKEN_REASON") == ["LocalRecording: NoMapping"]
    assert harness.condition("TokenIssued")[:2] == ("False", "NoMapping")
    required = BotHarness()
    required.put_bot(tokens=BOTH, tokenPolicy="Required", onBehalf={"credentialRef": {"name": "bob"}})
    await required.live(required.operator())
    assert required.condition()[1] == "NoMapping"
    assert asked(required) == []


async def test_an_on_behalf_token_needs_only_its_own_credential() -> None:
    harness = BotHarness()
    harness.put_bot(tokens=["OnBehalf"], onBehalf={"credentialRef": {"name": "bob"}})
    await harness.live(harness.operator(), until=harness.running)
    assert asked(harness) == [("bob", "token")]
    assert harness.bot().status.credential_name == "bob"


@pytest.mark.parametrize("answers", [{"alice": NO_SCOPES}, {"alice": NO_SCOPES, "bob": NO_SCOPES}])
async def test_unavailable_tokens_are_requested_a_limited_number_of_times(answers: dict[str, httpx.Response]) -> None:
    harness, operator = start(tokens=BOTH, onBehalf={"credentialRef": {"name": "bob"}, "waitSeconds": 10})
    harness.zoom.tokens.always = dict(answers)
    presence(harness, operator, present=False)
    await harness.live(operator, until=harness.running)
    assert len(asked(harness)) <= 3
    assert harness.heard() == [""]
