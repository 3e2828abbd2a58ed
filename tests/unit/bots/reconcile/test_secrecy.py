"""Nothing secret leaves the Secret: not in logs, Events, statuses, exceptions or reprs."""

import json
import logging
import traceback
from typing import Any

import httpx
import pytest
from meetingbots.bots.decide.facts import MeetingRef
from meetingbots.bots.reconcile.token_issuer import Issued
from meetingbots.kube.client import Object
from meetingbots.kube.errors import UnavailableError
from meetingbots.kube.resources import SECRETS
from meetingbots.models.bot import TokenKind
from pydantic import SecretStr

from tests.unit.bots.bot_builders import MEETING, SECRET, bot
from tests.unit.bots.reconcile.bot_harness import KEY, BotHarness, Operator
from tests.unit.fake_kube import Call

SECRETS_OF_TESTS = ("join-token-", "hush", "access-of-")
LINK = f"https://zoom.us/j/{MEETING}?pwd=hush-passcode&tk=hush-tk"


def start() -> tuple[BotHarness, Operator]:
    harness = BotHarness()
    harness.put_bot(meeting={"urlSecretKeyRef": {"name": "links", "key": "url"}})
    harness.put_secret("links", url=LINK)
    harness.put_mapping()
    return harness, harness.operator()


def clean(text: str) -> bool:
    return not any(secret in text for secret in SECRETS_OF_TESTS)


def open_objects(harness: BotHarness) -> str:
    """All objects but the Secrets' data."""
    objects: list[Object] = []
    for (plural, _, _), item in harness.cluster._objects.items():
        objects.append({**item, "data": {}} if plural == SECRETS.plural else item)
    return json.dumps(objects)


@pytest.mark.parametrize("answer", [None, httpx.Response(400, json={"code": 3000, "message": "no join-token-x"})])
async def test_a_whole_life_reveals_no_secret(answer: httpx.Response | None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    harness, operator = start()
    if answer is not None:
        harness.zoom.tokens.always["alice"] = answer
    seen: list[str] = []

    async def look(call: Call) -> None:
        seen.append(open_objects(harness))
        seen.append(repr(operator.bots._memories.of(KEY, harness.bot().metadata.uid)))

    harness.cluster.inner = look
    await harness.live(operator)
    assert harness.heard("ZOOM_MEETING_PASSCODE") == ["hush-passcode"]
    assert harness.heard("ZOOM_REGISTRANT_TOKEN") == ["hush-tk"]
    events = operator.events()
    assert [event["reason"] for event in events] == ["Staging", "Running", "Succeeded"]
    assert all(clean(text) for text in seen)
    assert clean(json.dumps(events))
    assert clean(caplog.text)


async def test_a_failed_delivery_reveals_no_secret() -> None:
    error = UnavailableError("API server unreachable")
    harness, operator = start()

    async def fail(call: Call) -> None:
        if (call.verb, call.plural, call.name) == ("create", "secrets", SECRET):
            raise error

    harness.cluster.inner = fail
    with pytest.raises(type(error)) as caught:
        await harness.live(operator)
    assert clean("".join(traceback.format_exception(caught.value)))
    assert clean(repr(caught.value))


def test_reprs() -> None:
    token = SecretStr("join-token-1")
    issued = Issued(tokens={TokenKind.ZAK: token}, issued_at=None, credential="alice")
    assert clean(repr(issued))
    meeting = MeetingRef(meeting_id=MEETING, passcode=SecretStr("hush"), registrant_token=token)
    assert clean(repr(meeting))
    assert clean(repr(bot(meeting={"url": LINK})))


async def test_an_invalid_link_is_not_quoted() -> None:
    harness, operator = start()
    harness.put_secret("links", url=f"https://zoom.us/x/{MEETING}?pwd=hush")
    await operator.look()
    assert harness.condition()[1] == "InvalidMeeting"
    assert clean(open_objects(harness))


@pytest.mark.parametrize("passcode", ["123456", "abc", "hush-passcode"])
@pytest.mark.parametrize("by_secret", [True, False])
async def test_a_restarted_operator_hides_the_passcode_in_the_bots_output(passcode: str, by_secret: bool) -> None:
    harness = BotHarness()
    meeting: dict[str, Any] = {"id": MEETING, "passcodeSecretKeyRef": {"name": "weekly", "key": "passcode"}}
    if by_secret:
        meeting = {"urlSecretKeyRef": {"name": "weekly", "key": "url"}}
    harness.put_bot(meeting=meeting, retry={"limit": 0})
    harness.put_secret("weekly", passcode=passcode, url=f"https://zoom.us/j/{MEETING}?pwd={passcode}&tk=hush-tk")
    harness.put_mapping()
    await harness.live(harness.operator(), until=harness.running)
    restarted = harness.operator()
    await restarted.look()
    harness.kubelet.exits = [1]
    harness.kubelet.output = f"could not join with {passcode} and hush-tk"
    await harness.live(restarted)
    status = json.dumps(harness.bot().to_dict()["status"])
    assert "could not join with [hidden]" in status
    events = json.dumps(restarted.events())
    assert "[hidden]" in events
    for shown in (status, events):
        assert f" {passcode} " not in shown
        assert not by_secret or "hush-tk" not in shown


async def test_a_restarted_operator_hides_the_tokens_in_a_kubelets_message() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    await harness.live(harness.operator(), until=harness.waiting)
    first = harness.operator()
    harness.kubelet.stuck = lambda _: {
        "waiting": {"reason": "CreateContainerError", "message": "exec: join-token-1: no"}
    }
    await harness.live(first, until=lambda: bool(harness.join_secrets()))
    restarted = harness.operator()
    for _ in range(6):
        await restarted.look()
        harness.kubelet.work()
        harness.clock.forward(1)
    assert harness.condition()[1] == "ConfigError"
    assert "exec: [hidden]: no" in harness.condition()[2]
