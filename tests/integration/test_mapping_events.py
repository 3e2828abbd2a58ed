"""Events as Zoom really sends them: sessions, bots with a customer key, cut names, conversions, webinar lists."""

import json
import secrets
import time
from typing import Any

from tests.integration.test_mapping_life import ask_for_sync, roles
from tests.integration.test_receiver import post
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.world import Meeting

KEY = "0123456789abcdef" * 2


def participant_event(tenant: Tenant, meeting: Meeting, action: str, *, at: int, **person: Any) -> bytes:
    fields = {"id": str(meeting.id), "uuid": "instance-1", "host_id": meeting.host_id, "type": 2, "participant": person}
    payload = {"account_id": tenant.account.id, "object": fields}
    return json.dumps({"event": f"meeting.participant_{action}", "event_ts": at, "payload": payload}).encode()


def test_a_user_with_two_sessions_is_present_until_the_last_one_ends(
    tenant: Tenant, zoom: SimClient, stack: Stack
) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting(started=False, emit=True)
    tenant.wait("mapped", lambda: roles(tenant, meeting.id) == {"alice": "Host"})
    url, secret = stack.webhook_url(tenant.app.client_id), tenant.app.webhook_secret_token
    now = int(time.time() * 1000)
    first, second = {"id": tenant.user.id, "user_id": "16778240"}, {"id": tenant.user.id, "user_id": "16780288"}

    def present() -> list[bool]:
        return [one["present"] for one in tenant.status("meetingmappings", meeting.id).get("presence", [])]

    for action, after, person in (("joined", 0, first), ("joined", 72_000, second), ("left", 104_000, first)):
        body = participant_event(tenant, meeting, action, at=now + after, **person)
        assert post(url, body, secret=secret).status_code == 204
    assert present() == [True]
    body = participant_event(tenant, meeting, "left", at=now + 110_000, **second)
    assert post(url, body, secret=secret).status_code == 204
    assert present() == [False]


def test_a_bots_events_are_kept_in_its_meetings_mapping(tenant: Tenant, stack: Stack) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting(started=False, emit=True)
    tenant.wait("mapped", lambda: roles(tenant, meeting.id) == {"alice": "Host"})
    url, secret = stack.webhook_url(tenant.app.client_id), tenant.app.webhook_secret_token
    now = int(time.time() * 1000)
    bot = {"user_id": "1", "user_name": "Bot", "customer_key": KEY}
    for action, at in (("joined", now + 2), ("joined_waiting_room", now + 1), ("admitted", now + 2)):
        assert post(url, participant_event(tenant, meeting, action, at=at, **bot), secret=secret).status_code == 204
    guest = {"user_id": "2", "customer_key": f"a person's key {secrets.token_hex(4)}"}
    body = participant_event(tenant, meeting, "joined", at=now, **guest)
    assert post(url, body, secret=secret).status_code == 204
    (found,) = tenant.status("meetingmappings", meeting.id)["bots"]
    assert found == {"customerKey": KEY, "waitingRoomTime": now + 1, "joinedTime": now + 2, "uuid": "instance-1"}


def test_a_name_that_is_cut_in_the_middle_of_a_character(tenant: Tenant, stack: Stack) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting(started=False, emit=True)
    tenant.wait("mapped", lambda: roles(tenant, meeting.id) == {"alice": "Host"})
    url, secret = stack.webhook_url(tenant.app.client_id), tenant.app.webhook_secret_token
    now = int(time.time() * 1000)
    body = participant_event(tenant, meeting, "joined", at=now, id=tenant.user.id, user_id="1", user_name="Ann \ud83d")
    assert b"\\ud83d" in body
    assert post(url, body, secret=secret).status_code == 204
    assert tenant.status("meetingmappings", meeting.id)["presence"][0]["present"]


def test_conversions_keep_the_mapping(tenant: Tenant, zoom: SimClient) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting(started=False, emit=True)
    tenant.wait("mapped", lambda: roles(tenant, meeting.id) == {"alice": "Host"})
    before = tenant.status("meetingmappings", meeting.id)["eventTimes"]["existence"]
    zoom.act(meeting.id, "convert")
    tenant.wait("converted", lambda: tenant.status("meetingmappings", meeting.id)["eventTimes"]["existence"] > before)
    assert roles(tenant, meeting.id) == {"alice": "Host"}
    assert tenant.status("meetingmappings", meeting.id)["phase"] == "Scheduled"


def test_webinars_are_found_by_a_sync(tenant: Tenant) -> None:
    tenant.ready_credential()
    webinar = tenant.meeting(started=False, kind="webinar", type=5)
    ask_for_sync(tenant, "alice")
    tenant.wait("found", lambda: roles(tenant, webinar.id) == {"alice": "Host"})


def test_the_api_servers_bookkeeping_goes_with_the_second_write(tenant: Tenant, zoom: SimClient) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting(started=False, emit=True)
    tenant.wait("mapped", lambda: roles(tenant, meeting.id) == {"alice": "Host"})
    (entry,) = tenant.get("meetingmappings", meeting.id)["metadata"]["managedFields"]
    assert entry["fieldsV1"]["f:status"] == {}  # one field, not each
    for act, phase in (("start", "Live"), ("end", "Ended")):
        zoom.act(meeting.id, act)  # type: ignore[arg-type]
        tenant.wait(phase, lambda phase=phase: tenant.status("meetingmappings", meeting.id).get("phase") == phase)  # type: ignore[misc]
        assert "managedFields" not in tenant.get("meetingmappings", meeting.id)["metadata"]
