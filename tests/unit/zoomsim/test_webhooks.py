import asyncio
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from tests.unit.zoomsim.simulator_harness import START, SimulatorHarness, until
from tests.zoomsim import webhooks
from tests.zoomsim.webhooks import Delivery
from tests.zoomsim.world import App, Occurrence


@dataclass(kw_only=True)
class Hook:
    """A receiver with a settable answer, which keeps the requests."""

    url: str = ""
    answer: Callable[[], web.StreamResponse] = field(default=lambda: web.Response(status=204))
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
async def hook(zoom: SimulatorHarness) -> AsyncIterator[Hook]:
    hook = Hook()

    async def receive(request: web.Request) -> web.StreamResponse:
        hook.got.append((dict(request.headers), await request.read()))
        return hook.answer()

    app = web.Application()
    app.add_routes([web.post("/hook", receive)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    zoom.sim.actions.update_app(zoom.app.client_id, {"webhook_url": hook.url})
    zoom.consent()
    yield hook
    await runner.cleanup()


async def tries(delivery: Delivery, count: int) -> None:
    await until(lambda: len(delivery.attempts) >= count)


async def body_of(zoom: SimulatorHarness, hook: Hook) -> dict[str, Any]:
    """Give the only event that came since the last look."""
    assert await zoom.sim.webhooks.settled()
    (body,) = hook.bodies()
    hook.got.clear()
    return body


async def test_headers_and_signature(zoom: SimulatorHarness, hook: Hook) -> None:
    zoom.sim.clock.set_skew(7)
    zoom.sim.actions.start_meeting(zoom.meeting().id)
    assert await zoom.sim.webhooks.settled()
    headers, body = hook.got[0]
    timestamp = headers["x-zm-request-timestamp"]
    assert timestamp == str(int(START + 7))
    message = f"v0:{timestamp}:{body.decode()}".encode()
    expected = hmac.new(zoom.app.webhook_secret_token.encode(), message, hashlib.sha256).hexdigest()
    assert headers["x-zm-signature"] == f"v0={expected}"
    assert headers["clientid"] == zoom.app.client_id
    assert headers["User-Agent"] == "Zoom Marketplace/1.0a"
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert {"x-zm-request-id", "x-zm-trackingid"} <= headers.keys()
    assert json.loads(body)["event_ts"] == int((START + 7) * 1000)


async def test_5xx_is_tried_again_after_5_25_and_85_minutes_with_the_same_body_and_id(
    zoom: SimulatorHarness, hook: Hook
) -> None:
    hook.answer = lambda: web.Response(status=503)
    (delivery,) = zoom.sim.actions.emit("meeting.started", {}, user=zoom.alice)
    await tries(delivery, 1)
    for count, wait in ((2, 300), (3, 1200), (4, 3600)):
        zoom.sim.clock.advance(wait - 1)
        await asyncio.sleep(0.03)
        assert len(delivery.attempts) == count - 1
        zoom.sim.clock.advance(1)
        await tries(delivery, count)
    assert await zoom.sim.webhooks.settled()
    assert delivery.state == "dropped"
    zoom.sim.clock.advance(86400)
    await asyncio.sleep(0.03)
    assert [attempt.time - START for attempt in delivery.attempts] == [0, 300, 1500, 5100]
    assert len({body for _, body in hook.got}) == 1
    assert len({headers["x-zm-request-id"] for headers, _ in hook.got}) == 1
    for name in ("x-zm-request-timestamp", "x-zm-signature"):
        assert len({headers[name] for headers, _ in hook.got}) == 4


async def test_a_retry_that_works_ends_it(zoom: SimulatorHarness, hook: Hook) -> None:
    hook.answer = lambda: web.Response(status=500)
    (delivery,) = zoom.sim.actions.emit("meeting.started", {}, user=zoom.alice)
    await tries(delivery, 1)
    hook.answer = lambda: web.Response(status=200)
    zoom.sim.clock.advance(300)
    assert await zoom.sim.webhooks.settled()
    assert (delivery.state, len(delivery.attempts)) == ("delivered", 2)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 413, 429])
async def test_3xx_and_4xx_are_never_tried_again(zoom: SimulatorHarness, hook: Hook, status: int) -> None:
    hook.answer = lambda: web.Response(status=status, headers={"Location": hook.url})
    (delivery,) = zoom.sim.actions.emit("meeting.started", {}, user=zoom.alice)
    assert await zoom.sim.webhooks.settled()
    zoom.sim.clock.advance(86400)
    await asyncio.sleep(0.03)
    assert (delivery.state, len(hook.got)) == ("refused", 1)


async def test_no_connection_is_tried_again(zoom: SimulatorHarness, hook: Hook) -> None:
    zoom.sim.actions.update_app(zoom.app.client_id, {"webhook_url": "http://127.0.0.1:1/hook"})
    (delivery,) = zoom.sim.actions.emit("meeting.started", {}, user=zoom.alice)
    await tries(delivery, 1)
    assert (delivery.state, delivery.attempts[0].status) == ("pending", None)


async def test_an_answer_that_comes_too_late_is_none(zoom: SimulatorHarness) -> None:
    assert zoom.sim.webhooks.answer_seconds == 3
    zoom.sim.webhooks.answer_seconds = 0.2
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/hook"
        zoom.sim.actions.update_app(zoom.app.client_id, {"webhook_url": url})
        zoom.consent()
        (delivery,) = zoom.sim.actions.emit("meeting.started", {}, user=zoom.alice)
        await tries(delivery, 1)
    assert (delivery.state, delivery.attempts[0].status) == ("pending", None)


async def test_events_go_to_apps_that_the_host_installed(zoom: SimulatorHarness, hook: Hook) -> None:
    zoom.sim.actions.start_meeting(zoom.meeting(zoom.bob).id)
    assert zoom.sim.webhooks.deliveries == []
    of_account = zoom.account_app(webhook_url=hook.url)
    zoom.consent(app=of_account)
    own = App(owner_account_id=zoom.account.id, server_to_server=True, webhook_url=hook.url)
    zoom.sim.actions.add_app(own)
    zoom.sim.actions.start_meeting(zoom.meeting(zoom.bob).id)
    zoom.sim.actions.start_meeting(zoom.meeting(zoom.mallory).id)
    assert await zoom.sim.webhooks.settled()
    assert {each.client_id for each in zoom.sim.webhooks.deliveries} == {of_account.client_id, own.client_id}
    assert len(hook.got) == 2


async def test_meeting_created_has_a_number_as_id_and_names_the_assistant(zoom: SimulatorHarness, hook: Hook) -> None:
    meeting = zoom.meeting()
    zoom.sim.world.forget_meeting(meeting.id)
    zoom.sim.actions.add_meeting(meeting, operator=zoom.bob.id)
    body = await body_of(zoom, hook)
    payload = body["payload"]
    assert body["event"] == "meeting.created"
    assert payload["account_id"] == zoom.account.id
    assert (payload["operator"], payload["operator_id"]) == (zoom.bob.email, zoom.bob.id)
    assert (payload["object"]["id"], payload["object"]["host_id"]) == (meeting.id, zoom.alice.id)


async def test_instant_meetings_show_only_when_they_start(zoom: SimulatorHarness, hook: Hook) -> None:
    meeting = zoom.meeting()
    zoom.sim.world.forget_meeting(meeting.id)
    zoom.sim.actions.add_meeting(type(meeting)(host_id=zoom.alice.id, id=meeting.id, type=1))
    zoom.sim.actions.start_meeting(meeting.id)
    assert (await body_of(zoom, hook))["event"] == "meeting.started"


async def test_meeting_updated_names_only_what_changed(zoom: SimulatorHarness, hook: Hook) -> None:
    meeting = zoom.meeting(topic="Before")
    zoom.sim.actions.update_meeting(meeting.id, {"topic": "After", "alternative_hosts": ("bob@example.com",)})
    body = await body_of(zoom, hook)
    assert body["event"] == "meeting.updated"
    assert body["payload"]["object"] == {
        "id": meeting.id,
        "topic": "After",
        "settings": {"alternative_hosts": "bob@example.com"},
    }
    assert body["payload"]["old_object"] == {"id": meeting.id, "topic": "Before", "settings": {"alternative_hosts": ""}}
    zoom.sim.actions.update_meeting(meeting.id, {"host_answer": "granted"})
    assert await zoom.sim.webhooks.settled()
    assert hook.got == []


async def test_deleting_one_date_or_the_meeting(zoom: SimulatorHarness, hook: Hook) -> None:
    dates = tuple(Occurrence(occurrence_id=str(n), start_time=START + n * 86400) for n in (1, 2))
    meeting = zoom.meeting(type=8, occurrences=dates)
    zoom.sim.actions.delete_meeting(meeting.id, occurrence_id="1")
    single = (await body_of(zoom, hook))["payload"]
    occurrence = {"occurrence_id": "1", "start_time": "2027-01-16T08:00:00Z"}
    assert (single["operation"], single["object"]["occurrences"]) == ("single", [occurrence])
    assert zoom.sim.world.existing_meeting(meeting.id) is not None
    with pytest.raises(ValueError, match="no occurrence"):
        zoom.sim.actions.delete_meeting(meeting.id, occurrence_id="1")
    zoom.sim.actions.delete_meeting(meeting.id)
    whole = await body_of(zoom, hook)
    assert (whole["event"], whole["payload"]["operation"]) == ("meeting.deleted", "all")
    assert whole["payload"]["object"]["id"] == meeting.id
    zoom.sim.actions.recover_meeting(meeting.id)
    assert (await body_of(zoom, hook))["event"] == "meeting.recovered"
    zoom.sim.actions.delete_meeting(meeting.id, permanently=True)
    assert (await body_of(zoom, hook))["event"] == "meeting.permanently_deleted"
    assert meeting.id not in zoom.sim.world.meetings


async def test_started_and_ended_have_a_string_as_id_and_the_uuid_of_the_run(
    zoom: SimulatorHarness, hook: Hook
) -> None:
    meeting = zoom.meeting()
    seen = []
    for _ in range(2):
        zoom.sim.actions.start_meeting(meeting.id)
        seen.append((await body_of(zoom, hook))["payload"]["object"])
        zoom.sim.actions.end_meeting(meeting.id)
        body = await body_of(zoom, hook)
        assert body["event"] == "meeting.ended"
        seen.append(body["payload"]["object"])
    assert {each["id"] for each in seen} == {str(meeting.id)}
    assert seen[0]["uuid"] == seen[1]["uuid"] == meeting.uuid
    assert seen[2]["uuid"] == seen[3]["uuid"] != meeting.uuid
    assert "end_time" in seen[1]


async def test_participants(zoom: SimulatorHarness, hook: Hook) -> None:
    meeting = zoom.meeting()
    zoom.sim.actions.join_user(meeting.id, user=zoom.bob.email)
    came = await body_of(zoom, hook)
    assert came["event"] == "meeting.participant_joined"
    assert came["payload"]["object"]["id"] == str(meeting.id)
    assert came["payload"]["object"]["participant"]["id"] == zoom.bob.id
    assert zoom.sim.world.meeting(meeting.id).present == {zoom.bob.id}
    zoom.sim.actions.leave_user(meeting.id, user=zoom.bob.id)
    went = await body_of(zoom, hook)
    assert (went["event"], "leave_time" in went["payload"]["object"]["participant"]) == (
        "meeting.participant_left",
        True,
    )
    zoom.sim.actions.join_user(meeting.id, user=None, name="A guest")
    guest = (await body_of(zoom, hook))["payload"]["object"]["participant"]
    assert (guest["id"], guest["user_name"]) == ("", "A guest")


async def test_webinars_have_events_of_their_own(zoom: SimulatorHarness, hook: Hook) -> None:
    zoom.sim.actions.start_meeting(zoom.meeting(kind="webinar", type=5).id)
    assert (await body_of(zoom, hook))["event"] == "webinar.started"


async def test_user_updated_names_only_what_changed(zoom: SimulatorHarness, hook: Hook) -> None:
    zoom.sim.actions.update_user(zoom.alice.id, {"pmi": 5551234567})
    body = await body_of(zoom, hook)
    assert body["event"] == "user.updated"
    assert body["payload"]["object"] == {"id": zoom.alice.id, "pmi": 5551234567}
    assert body["payload"]["old_object"] == {"id": zoom.alice.id, "pmi": zoom.alice.pmi}
    zoom.sim.actions.update_user(zoom.alice.id, {"may_host": False})
    assert await zoom.sim.webhooks.settled()
    assert hook.got == []


@pytest.mark.parametrize("how", ["deleted", "disassociated", "deactivated"])
async def test_users_who_go(zoom: SimulatorHarness, hook: Hook, how: Any) -> None:
    zoom.sim.actions.remove_user(zoom.alice.id, how=how)
    body = await body_of(zoom, hook)
    assert body["event"] == f"user.{how}"
    assert body["payload"]["object"]["id"] == zoom.alice.id
    assert (zoom.alice.id in zoom.sim.world.users) is (how == "deactivated")


async def test_deauthorisation_kills_the_tokens_and_ends_the_events(zoom: SimulatorHarness, hook: Hook) -> None:
    tokens = zoom.consent()
    zoom.sim.actions.deauthorize(client_id=zoom.app.client_id, user=zoom.alice.id)
    body = await body_of(zoom, hook)
    assert body["event"] == "app_deauthorized"
    assert body["payload"]["user_id"] == zoom.alice.id
    assert body["payload"]["client_id"] == zoom.app.client_id
    assert body["payload"]["user_data_retention"] == "false"
    assert (await zoom.refresh(tokens.refresh_token)).status_code == 400
    zoom.sim.actions.start_meeting(zoom.meeting().id)
    assert await zoom.sim.webhooks.settled()
    assert hook.got == []


async def test_unpublished_apps_get_no_deauthorisation_event(zoom: SimulatorHarness, hook: Hook) -> None:
    zoom.sim.actions.update_app(zoom.app.client_id, {"published": False})
    zoom.sim.actions.deauthorize(client_id=zoom.app.client_id, user=zoom.alice.id)
    assert zoom.sim.webhooks.deliveries == []


async def test_copies_old_times_and_delays(zoom: SimulatorHarness, hook: Hook) -> None:
    zoom.sim.actions.emit("meeting.ended", {"n": 1}, user=zoom.alice, delay_seconds=60)
    zoom.sim.actions.emit("meeting.started", {"n": 2}, user=zoom.alice, event_ts=123, copies=2)
    await until(lambda: len(hook.got) == 2)
    zoom.sim.clock.advance(60)
    assert await zoom.sim.webhooks.settled()
    assert [(body["event"], body["event_ts"]) for body in hook.bodies()] == [
        ("meeting.started", 123),
        ("meeting.started", 123),
        ("meeting.ended", int(START * 1000)),
    ]
    assert hook.got[0][1] == hook.got[1][1]


async def test_key_order_varies(zoom: SimulatorHarness, hook: Hook) -> None:
    payload = dict.fromkeys("abcdefghij", 1)
    for _ in range(5):
        zoom.sim.actions.emit("meeting.started", payload, user=zoom.alice)
    assert await zoom.sim.webhooks.settled()
    assert len({tuple(body["payload"]) for body in hook.bodies()}) > 1


def answer_validation(hook: Hook, secret: str) -> Callable[[], web.StreamResponse]:
    def answer() -> web.StreamResponse:
        plain = json.loads(hook.got[-1][1])["payload"]["plainToken"]
        encrypted = hmac.new(secret.encode(), plain.encode(), hashlib.sha256).hexdigest()
        return web.json_response({"plainToken": plain, "encryptedToken": encrypted})

    return answer


async def test_url_validation(zoom: SimulatorHarness, hook: Hook) -> None:
    hook.answer = answer_validation(hook, zoom.app.webhook_secret_token)
    assert await zoom.sim.webhooks.validate(zoom.app.client_id)
    headers, body = hook.got[0]
    assert json.loads(body)["event"] == "endpoint.url_validation"
    timestamp = int(headers["x-zm-request-timestamp"])
    signature = webhooks.sign(secret=zoom.app.webhook_secret_token, timestamp=timestamp, body=body)
    assert headers["x-zm-signature"] == signature
    hook.answer = answer_validation(hook, "another secret")
    assert not await zoom.sim.webhooks.validate(zoom.app.client_id)


async def test_six_failed_validations_in_a_row_disable_the_subscription(zoom: SimulatorHarness, hook: Hook) -> None:
    for _ in range(5):
        assert not await zoom.sim.webhooks.validate(zoom.app.client_id)
    hook.answer = answer_validation(hook, zoom.app.webhook_secret_token)
    assert await zoom.sim.webhooks.validate(zoom.app.client_id)
    hook.answer = lambda: web.Response(status=204)
    for _ in range(5):
        await zoom.sim.webhooks.validate(zoom.app.client_id)
    assert not zoom.sim.world.app(zoom.app.client_id).subscription_disabled
    await zoom.sim.webhooks.validate(zoom.app.client_id)
    assert zoom.sim.world.app(zoom.app.client_id).subscription_disabled
    assert zoom.sim.actions.emit("meeting.started", {}, user=zoom.alice) == []


async def test_validation_comes_again_every_72_hours(zoom: SimulatorHarness, hook: Hook) -> None:
    await asyncio.sleep(0.03)
    assert hook.got == []
    zoom.sim.clock.advance(72 * 3600)
    await until(lambda: len(hook.got) == 1)
    zoom.sim.clock.advance(72 * 3600)
    await until(lambda: len(hook.got) == 2)
    assert {body["event"] for body in hook.bodies()} == {"endpoint.url_validation"}


async def test_bodies_are_compact_and_escape_lone_surrogates(zoom: SimulatorHarness, hook: Hook) -> None:
    payload = {"name": "Zoë 😀 \ud83d"}
    zoom.sim.webhooks.emit(event="meeting.strange", payload=payload, client_ids=[zoom.app.client_id], event_ts=1)
    assert await zoom.sim.webhooks.settled()
    _, body = hook.got[0]
    assert '"name":"Zoë 😀 \\ud83d"' in body.decode()
    assert json.loads(body)["payload"] == payload


async def test_a_conversion_has_the_name_of_what_it_was(zoom: SimulatorHarness, hook: Hook) -> None:
    meeting = zoom.meeting()
    zoom.sim.actions.convert_meeting(meeting.id)
    body = await body_of(zoom, hook)
    assert (body["event"], body["payload"]["object"]["type"]) == ("meeting.converted_to_webinar", 5)
    zoom.sim.actions.convert_meeting(meeting.id)
    body = await body_of(zoom, hook)
    assert (body["event"], body["payload"]["object"]["type"]) == ("webinar.converted_to_meeting", 2)


async def test_a_personal_link_changes_under_the_name_vanity_name(zoom: SimulatorHarness, hook: Hook) -> None:
    zoom.sim.actions.update_user(zoom.alice.id, {"vanity": "alice"})
    body = await body_of(zoom, hook)
    assert body["payload"]["object"] == {"id": zoom.alice.id, "vanity_name": "alice"}
    assert body["payload"]["old_object"] == {"id": zoom.alice.id, "vanity_name": ""}


async def test_an_event_that_zoom_does_not_retry(zoom: SimulatorHarness, hook: Hook) -> None:
    hook.answer = lambda: web.Response(status=503)
    zoom.sim.actions.update_app(zoom.app.client_id, {"unretried_events": ("meeting.started",)})
    (delivery,) = zoom.sim.actions.emit("meeting.started", {}, user=zoom.alice)
    assert await zoom.sim.webhooks.settled()
    assert (delivery.state, len(delivery.attempts)) == ("dropped", 1)
