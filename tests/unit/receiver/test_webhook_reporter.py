from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from meetingbots.kube.errors import UnavailableError
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.models.base import format_time
from meetingbots.runtime.object_cache import Key

from tests.unit.fake_kube import Call
from tests.unit.receiver.receiver_harness import NOW, Ground, credential, event

ALICE = Key("team", "alice")


def status(ground: Ground) -> dict[str, Any]:
    item = ground.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert item is not None
    found: dict[str, Any] = item["status"]
    return found


def watched(ground: Ground) -> None:
    """The watch tells what is written."""
    ground.directory.on_credential("team", "alice", ground.kube.peek(CREDENTIALS, namespace="team", name="alice"))


async def nothing_waits(ground: Ground) -> bool:
    """Whether the reporter has nothing to write."""
    try:
        async with asyncio.timeout(0):
            await ground.reception.write_next()
    except TimeoutError:
        return True
    return False


async def test_an_event_is_told_in_the_status(ground: Ground) -> None:
    await ground.post(event("meeting.created"))
    await ground.reception.write_next()
    (condition,) = status(ground)["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("WebhookReceiving", "True", "Receiving")
    assert condition["lastTransitionTime"] == format_time(NOW)
    assert status(ground)["lastWebhookTime"] == format_time(NOW)
    assert status(ground)["userId"] == "U1"


async def test_url_validation_is_told_to_all_credentials_of_the_app(ground: Ground) -> None:
    ground.has_credential(credential("bob", user="U2", account="A2"))
    ground.has_credential(credential("carol", app="another-app"))
    await ground.post({"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": "abc"}})
    await ground.reception.write_next()
    await ground.reception.write_next()
    assert await nothing_waits(ground)
    assert ground.kube.count("apply") == 2


async def test_about_once_an_hour(ground: Ground) -> None:
    ground.reception.note([ALICE])
    await ground.reception.write_next()
    watched(ground)
    for later in (timedelta(seconds=1), timedelta(minutes=59)):
        ground.clock[0] = NOW + later
        ground.reception.note([ALICE])
        assert await nothing_waits(ground)
    ground.clock[0] = NOW + timedelta(hours=1)
    ground.reception.note([ALICE])
    await ground.reception.write_next()
    (condition,) = status(ground)["conditions"]
    assert condition["lastTransitionTime"] == format_time(NOW)
    assert status(ground)["lastWebhookTime"] == format_time(NOW + timedelta(hours=1))


async def test_another_replicas_note_counts(ground: Ground) -> None:
    condition = {
        "type": "WebhookReceiving",
        "status": "True",
        "reason": "Receiving",
        "message": "",
        "lastTransitionTime": format_time(NOW - timedelta(days=1)),
    }
    ground.has_credential(
        credential("alice", conditions=[condition], lastWebhookTime=format_time(NOW - timedelta(minutes=30)))
    )
    ground.reception.note([ALICE])
    assert await nothing_waits(ground)


async def test_what_turned_false_turns_true_at_once(ground: Ground) -> None:
    condition = {
        "type": "WebhookReceiving",
        "status": "False",
        "reason": "NothingReceived",
        "message": "",
        "lastTransitionTime": format_time(NOW - timedelta(days=1)),
    }
    ground.has_credential(credential("alice", conditions=[condition], lastWebhookTime=format_time(NOW)))
    ground.reception.note([ALICE])
    await ground.reception.write_next()
    (written,) = status(ground)["conditions"]
    assert (written["status"], written["lastTransitionTime"]) == ("True", format_time(NOW))


async def test_a_note_that_could_not_be_written_is_tried_again(ground: Ground) -> None:
    async def refuse(call: Call) -> None:
        if call.verb == "apply":
            raise UnavailableError("away", status=503)

    ground.kube.hook = refuse
    ground.reception.note([ALICE])
    assert not await ground.reception.write_next()
    ground.reception.note([ALICE])
    assert not await ground.reception.write_next()

    async def take(_: Call) -> None: ...

    ground.kube.hook = take
    assert await ground.reception.write_next()
    assert await nothing_waits(ground)
    assert status(ground)["lastWebhookTime"] == format_time(NOW)


async def test_zooms_validation_reaches_every_credential_of_the_app(ground: Ground) -> None:
    for number in range(1500):
        ground.has_credential(credential(f"user-{number}"))
    await ground.post({"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": "abc"}})
    while not await nothing_waits(ground):
        pass
    assert ground.kube.count("apply") == 1501


async def test_the_receivers_other_words_in_the_status_stay(ground: Ground) -> None:
    payload = {"account_id": "A1", "user_id": "U1", "client_id": "client-one"}
    await ground.post({"event": "app_deauthorized", "event_ts": 5000, "payload": payload})
    ground.reception.note([ALICE])
    await ground.reception.write_next()
    assert set(status(ground)) >= {"deauthorization", "lastWebhookTime"}


async def test_no_answer_waits_for_it(ground: Ground) -> None:
    for number in range(1500):
        ground.has_credential(credential(f"user-{number}"))
    answer = await ground.post({"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": "abc"}})
    assert answer.status == 200
    assert ground.kube.count("apply") == 0


async def test_a_credential_that_is_gone_is_passed_over(ground: Ground) -> None:
    ground.reception.note([ALICE])
    ground.directory.on_credential("team", "alice", None)
    await ground.reception.write_next()
    assert ground.kube.count("apply") == 0
