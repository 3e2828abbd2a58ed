"""Nothing secret leaves the Secret: not in logs, Events, statuses, exceptions or reprs."""

import json
import logging
import traceback

import httpx
import pytest
from meetingbots.bots.decide.meeting import MeetingRef
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
