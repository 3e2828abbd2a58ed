from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from meetingbots.kube.errors import UnavailableError
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.models.base import format_time
from meetingbots.runtime.object_cache import Key

from tests.unit.fake_kube import Call
from tests.unit.receiver.receiver_harness import NOW, ReceiverHarness, credential, event

ALICE = Key("team", "alice")


def status(harness: ReceiverHarness) -> dict[str, Any]:
    item = harness.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert item is not None
    found: dict[str, Any] = item["status"]
    return found


def watched(harness: ReceiverHarness) -> None:
    """The watch shows what is written."""
    harness.directory.on_credential("team", "alice", harness.kube.peek(CREDENTIALS, namespace="team", name="alice"))


async def nothing_waits(harness: ReceiverHarness) -> bool:
    """Whether the reporter has nothing to write."""
    try:
        async with asyncio.timeout(0):
            await harness.reception.write_next()
    except TimeoutError:
        return True
    return False


async def test_an_event_is_reported_in_the_status(harness: ReceiverHarness) -> None:
    await harness.post(event("meeting.created"))
    await harness.reception.write_next()
    (condition,) = status(harness)["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("WebhookReceiving", "True", "Receiving")
    assert condition["lastTransitionTime"] == format_time(NOW)
    assert status(harness)["lastWebhookTime"] == format_time(NOW)
    assert status(harness)["userId"] == "U1"


async def test_url_validation_is_reported_to_all_credentials_of_the_app(harness: ReceiverHarness) -> None:
    harness.has_credential(credential("bob", user="U2", account="A2"))
    harness.has_credential(credential("carol", app="another-app"))
    await harness.post({"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": "abc"}})
    await harness.reception.write_next()
    await harness.reception.write_next()
    assert await nothing_waits(harness)
    assert harness.kube.count("apply") == 2


async def test_about_once_an_hour(harness: ReceiverHarness) -> None:
    harness.reception.note([ALICE])
    await harness.reception.write_next()
    watched(harness)
    for later in (timedelta(seconds=1), timedelta(minutes=59)):
        harness.clock[0] = NOW + later
        harness.reception.note([ALICE])
        assert await nothing_waits(harness)
    harness.clock[0] = NOW + timedelta(hours=1)
    harness.reception.note([ALICE])
    await harness.reception.write_next()
    (condition,) = status(harness)["conditions"]
    assert condition["lastTransitionTime"] == format_time(NOW)
    assert status(harness)["lastWebhookTime"] == format_time(NOW + timedelta(hours=1))


async def test_another_replicas_note_counts(harness: ReceiverHarness) -> None:
    condition = {
        "type": "WebhookReceiving",
        "status": "True",
        "reason": "Receiving",
        "message": "",
        "lastTransitionTime": format_time(NOW - timedelta(days=1)),
    }
    harness.has_credential(
        credential("alice", conditions=[condition], lastWebhookTime=format_time(NOW - timedelta(minutes=30)))
    )
    harness.reception.note([ALICE])
    assert await nothing_waits(harness)


async def test_what_turned_false_turns_true_at_once(harness: ReceiverHarness) -> None:
    condition = {
        "type": "WebhookReceiving",
        "status": "False",
        "reason": "NothingReceived",
        "message": "",
        "lastTransitionTime": format_time(NOW - timedelta(days=1)),
    }
    harness.has_credential(credential("alice", conditions=[condition], lastWebhookTime=format_time(NOW)))
    harness.reception.note([ALICE])
    await harness.reception.write_next()
    (written,) = status(harness)["conditions"]
    assert (written["status"], written["lastTransitionTime"]) == ("True", format_time(NOW))


async def test_a_recent_note_does_not_delay_the_recovery_from_an_invalid_signature(harness: ReceiverHarness) -> None:
    harness.reception.note([ALICE])
    await harness.reception.write_next()
    condition = {
        "type": "WebhookReceiving",
        "status": "False",
        "reason": "SignatureInvalid",
        "message": "",
        "lastTransitionTime": format_time(NOW + timedelta(seconds=25)),
    }
    harness.has_credential(credential("alice", conditions=[condition], lastWebhookTime=format_time(NOW)))
    harness.clock[0] = NOW + timedelta(seconds=30)
    harness.reception.note([ALICE])
    harness.reception.note([ALICE])
    async with asyncio.timeout(5):
        await harness.reception.write_next()
    assert await nothing_waits(harness), "one write until the watch shows it"
    (written,) = status(harness)["conditions"]
    assert (written["status"], written["reason"]) == ("True", "Receiving")
    assert status(harness)["lastWebhookTime"] == format_time(NOW + timedelta(seconds=30))


async def test_a_note_that_could_not_be_written_is_tried_again(harness: ReceiverHarness) -> None:
    async def refuse(call: Call) -> None:
        if call.verb == "apply":
            raise UnavailableError("away", status=503)

    harness.kube.hook = refuse
    harness.reception.note([ALICE])
    assert not await harness.reception.write_next()
    harness.reception.note([ALICE])
    assert not await harness.reception.write_next()

    async def take(_: Call) -> None: ...

    harness.kube.hook = take
    assert await harness.reception.write_next()
    assert await nothing_waits(harness)
    assert status(harness)["lastWebhookTime"] == format_time(NOW)


async def test_zooms_validation_reaches_every_credential_of_the_app(harness: ReceiverHarness) -> None:
    for number in range(1500):
        harness.has_credential(credential(f"user-{number}"))
    await harness.post({"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": "abc"}})
    while not await nothing_waits(harness):
        pass
    assert harness.kube.count("apply") == 1501


async def test_the_receivers_other_words_in_the_status_stay(harness: ReceiverHarness) -> None:
    payload = {"account_id": "A1", "user_id": "U1", "client_id": "client-one"}
    await harness.post({"event": "app_deauthorized", "event_ts": 5000, "payload": payload})
    harness.reception.note([ALICE])
    await harness.reception.write_next()
    assert set(status(harness)) >= {"deauthorization", "lastWebhookTime"}


async def test_no_answer_waits_for_it(harness: ReceiverHarness) -> None:
    for number in range(1500):
        harness.has_credential(credential(f"user-{number}"))
    answer = await harness.post({"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": "abc"}})
    assert answer.status == 200
    assert harness.kube.count("apply") == 0


async def test_a_credential_that_is_gone_is_passed_over(harness: ReceiverHarness) -> None:
    harness.reception.note([ALICE])
    harness.directory.on_credential("team", "alice", None)
    await harness.reception.write_next()
    assert harness.kube.count("apply") == 0
