"""Forms of Zoom's events that people met or that Zoom documents: none of them is answered with 400."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.models.base import format_time

from tests.unit.receiver.receiver_harness import CLIENT, MEETING, NOW, ReceiverHarness, event, milliseconds


def status_of(harness: ReceiverHarness) -> dict[str, Any]:
    item = harness.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert item is not None
    found: dict[str, Any] = item["status"]
    return found


def presence(harness: ReceiverHarness) -> dict[str, bool]:
    item = harness.mapping()
    assert item is not None
    return {one["name"]: one["present"] for one in item["status"].get("presence", [])}


def participant(action: str, *, ts: float, session: str, **person: Any) -> dict[str, Any]:
    body = event(f"meeting.participant_{action}", ts=ts, id=MEETING)
    body["payload"]["object"]["participant"] = {"id": "U1", "user_id": session, "user_name": "Ann", **person}
    return body


async def test_a_deauthorization_without_event_ts_takes_its_own_time(harness: ReceiverHarness) -> None:
    payload = {
        "user_data_retention": "false",
        "account_id": "A1",
        "user_id": "U1",
        "signature": "0" * 64,
        "deauthorization_time": format_time(NOW - timedelta(seconds=30)),
        "client_id": CLIENT,
    }
    assert (await harness.post({"event": "app_deauthorized", "payload": payload})).status == 204
    assert status_of(harness)["deauthorization"]["time"] == format_time(NOW - timedelta(seconds=30))


async def test_a_deauthorization_without_any_time_takes_the_headers(harness: ReceiverHarness) -> None:
    body = {"event": "app_deauthorized", "payload": {"account_id": "A1", "user_id": "U1"}}
    assert (await harness.post(body, age=40)).status == 204
    assert status_of(harness)["deauthorization"]["time"] == format_time(NOW - timedelta(seconds=40))


@pytest.mark.parametrize("name", ["meeting.created", "meeting.started", "meeting.ended", "webinar.deleted"])
async def test_an_event_without_event_ts_takes_the_headers_time(harness: ReceiverHarness, name: str) -> None:
    body = event(name)
    del body["event_ts"]
    assert (await harness.post(body, age=40)).status == 204
    before = "webinar.started" if name.startswith("webinar") else "meeting.created"
    older = event(before, ts=-60)
    assert (await harness.post(older)).status == 204
    expected = {"meeting.created": "Scheduled", "meeting.started": "Live", "meeting.ended": "Ended"}
    assert harness.phase() == expected.get(name, "Deleted")


async def test_a_person_with_two_sessions_is_present_until_the_last_one_ends(harness: ReceiverHarness) -> None:
    await harness.post(event("meeting.started", ts=1, id=MEETING))
    await harness.post(participant("joined", ts=2, session="16778240"))
    await harness.post(participant("joined", ts=3, session="16780288"))
    await harness.post(participant("left", ts=4, session="16778240"))
    assert presence(harness) == {"alice": True}
    await harness.post(participant("left", ts=5, session="16780288"))
    assert presence(harness) == {"alice": False}


@pytest.mark.parametrize("name", [r"Ann \ud83d", r"\udc00", r"\ud83d\ud83d", r"Ann \ud83d\ude00"])
async def test_a_name_that_was_cut_in_a_character_is_not_used(harness: ReceiverHarness, name: str) -> None:
    await harness.post(event("meeting.started", ts=1, id=MEETING))
    raw = json.dumps(participant("joined", ts=2, session="1")).replace('"Ann"', f'"{name}"').encode()
    assert (await harness.post(raw)).status == 204
    assert presence(harness) == {"alice": True}


async def test_bytes_that_are_not_utf_8_in_a_name_are_not_used(harness: ReceiverHarness) -> None:
    raw = json.dumps(event("meeting.created", topic="cut")).encode().replace(b'"cut"', b'"cut \xf0\x9f"')
    assert (await harness.post(raw)).status == 204
    assert harness.phase() == "Scheduled"


@pytest.mark.parametrize(
    ("name", "phase"), [("meeting.converted_to_webinar", "Scheduled"), ("webinar.converted_to_meeting", "Scheduled")]
)
async def test_a_conversion_leaves_the_mapping(harness: ReceiverHarness, name: str, phase: str) -> None:
    await harness.post(event(name.partition(".")[0] + ".created", ts=1))
    assert (await harness.post(event(name, ts=2))).status == 204
    assert harness.phase() == phase
    assert harness.entries() == [("alice", "Host", "Webhook")]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            event("meeting.participant_joined") | {"event": "meeting.participant_joined"}, id="no participant"
        ),
        pytest.param(event("meeting.participant_left", id=""), id="no meeting id"),
        pytest.param(event("meeting.updated", host_id=""), id="no host"),
        pytest.param({"event": "recording.completed", "payload": {}}, id="irrelevant, without account"),
        pytest.param({"event": "phone.callee_ended", "event_ts": milliseconds()}, id="irrelevant, without payload"),
    ],
)
async def test_optional_fields_may_be_absent(harness: ReceiverHarness, body: dict[str, Any]) -> None:
    assert (await harness.post(body)).status == 204


async def test_deep_nesting_is_no_defect(harness: ReceiverHarness) -> None:
    raw = b'{"event":"meeting.created","payload":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    assert (await harness.post(raw)).status == 400


async def test_a_bots_key_reaches_the_mapping_of_the_hosts_meeting(harness: ReceiverHarness) -> None:
    key = "0123456789abcdef0123456789abcdef"
    await harness.post(event("meeting.started", ts=1, id=MEETING))
    await harness.post(participant("joined_waiting_room", ts=2, session="9", id="", customer_key=key))
    await harness.post(participant("joined", ts=3, session="9", id="", customer_key=key))
    item = harness.mapping()
    assert item is not None
    assert [one["customerKey"] for one in item["status"]["bots"]] == [key]
    assert presence(harness) == {}
    writes = harness.writes
    await harness.post(participant("joined", ts=3, session="9", id="", customer_key=key))
    assert harness.writes == writes
