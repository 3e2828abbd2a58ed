"""Every kind of event, from Zoom's body to what stands in Kubernetes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from meetingbots.kube.errors import UnavailableError
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.models.base import format_time
from meetingbots.receiver.credential_lookup import LiveLookup
from meetingbots.runtime.object_cache import Key

from tests.unit.fake_kube import Call, FakeKube
from tests.unit.receiver.receiver_harness import CLIENT, MEETING, NOW, ReceiverHarness, credential, event, milliseconds

SUBJECTS = pytest.mark.parametrize("subject", ["meeting", "webinar"])


def participant(name: str, user: str, *, ts: float, **fields: Any) -> dict[str, Any]:
    who = {"id": user, "user_id": "16778240", "user_name": "confidential", "email": "confidential@example.test"}
    return event(name, ts=ts, id=MEETING, participant=who, **fields)


def update(ts: float, **changes: Any) -> dict[str, Any]:
    """As Zoom sends it: the id, and only what changed."""
    body = {"id": int(MEETING), **changes}
    return {
        "event": "meeting.updated",
        "event_ts": milliseconds(ts),
        "payload": {"account_id": "A1", "operator_id": "U1", "object": body, "old_object": {"id": int(MEETING)}},
    }


def presence(harness: ReceiverHarness) -> dict[str, bool]:
    item = harness.mapping()
    assert item is not None
    return {one["name"]: one["present"] for one in item["status"].get("presence", [])}


def status_of(harness: ReceiverHarness, name: str = "alice", *, namespace: str = "team") -> dict[str, Any]:
    item = harness.kube.peek(CREDENTIALS, namespace=namespace, name=name)
    assert item is not None
    found: dict[str, Any] = item["status"]
    return found


@SUBJECTS
async def test_a_whole_life(harness: ReceiverHarness, subject: str) -> None:
    for ts, (name, phase) in enumerate(
        (
            ("created", "Scheduled"),
            ("updated", "Scheduled"),
            ("started", "Live"),
            ("ended", "Ended"),
            ("deleted", "Deleted"),
            ("recovered", "Ended"),
            ("permanently_deleted", "Deleted"),
        )
    ):
        assert (await harness.post(event(f"{subject}.{name}", ts=ts + 1))).status == 204
        assert (name, harness.phase()) == (name, phase)


async def test_alternative_hosts_of_the_same_app_and_account_by_their_address(harness: ReceiverHarness) -> None:
    harness.has_credential(credential("bob", user="U2", email="Bob@Example.test"))
    harness.has_credential(credential("elsewhere", user="U2", account="A2", email="bob@example.test"))
    harness.has_app("second-app", client="client-two", webhook_secret_token="second")
    harness.has_credential(credential("by-another-app", user="U2", app="second-app", email="bob@example.test"))
    await harness.post(
        event("meeting.created", ts=1, settings={"alternative_hosts": "x@example.test;BOB@example.test"})
    )
    assert harness.entries() == [("alice", "Host", "Webhook"), ("bob", "AlternativeHost", "Webhook")]
    assert "example.test" not in str(harness.mapping()).lower()
    await harness.post(update(2, topic="confidential"))
    assert harness.writes == 1
    await harness.post(update(3, settings={"alternative_hosts": ""}))
    assert harness.entries() == [("alice", "Host", "Webhook")]


async def test_a_change_of_time_only(harness: ReceiverHarness) -> None:
    await harness.post(event("meeting.created", ts=1, start_time="2026-11-25T09:00:00Z"))
    await harness.post(update(2, start_time="2026-11-26T10:00:00Z", duration=30))
    item = harness.mapping()
    assert item is not None
    assert item["status"]["startTime"] == "2026-11-26T10:00:00Z"
    assert harness.entries() == [("alice", "Host", "Webhook")]


async def test_a_change_of_an_unknown_meeting_that_names_nobody_is_nobodys(harness: ReceiverHarness) -> None:
    harness.has_credential(credential("all", user="U9", level="Account"))
    assert (await harness.post(update(2, start_time="2026-11-26T10:00:00Z"))).status == 204
    assert harness.mapping() is None
    assert harness.counted("meeting.updated", "nobodys") == 1


async def test_the_host_changes(harness: ReceiverHarness) -> None:
    harness.has_credential(credential("bob", user="U2"))
    await harness.post(event("meeting.created", ts=1))
    body = update(2, host_id="U2")
    body["payload"]["old_object"]["host_id"] = "U1"
    await harness.post(body)
    assert harness.entries() == [("bob", "Host", "Webhook")]
    await harness.post(update(3, host_id="stranger"))
    assert harness.entries() == []


async def test_presence_is_that_of_our_users_only(harness: ReceiverHarness) -> None:
    harness.has_credential(credential("bob", user="U2"))
    await harness.post(event("meeting.started", ts=1, id=MEETING))
    writes = harness.writes
    for ts, user in ((2, ""), (3, "stranger")):
        assert (await harness.post(participant("meeting.participant_joined", user, ts=ts))).status == 204
    assert harness.writes == writes
    await harness.post(participant("meeting.participant_joined", "U2", ts=4))
    await harness.post(participant("meeting.participant_joined", "U1", ts=5))
    await harness.post(participant("meeting.participant_left", "U2", ts=6))
    await harness.post(participant("meeting.participant_joined", "U2", ts=4))
    assert presence(harness) == {"alice": True, "bob": False}
    assert "confidential" not in str(harness.mapping())
    await harness.post(event("meeting.ended", ts=7, id=MEETING))
    assert presence(harness) == {}


async def test_two_apps_of_one_namespace_tell_of_one_meeting(harness: ReceiverHarness) -> None:
    harness.has_app("second-app", client="client-two", webhook_secret_token="second")
    harness.has_credential(credential("zoe", app="second-app"))
    await harness.post(event("meeting.created", ts=1))
    await harness.post(event("meeting.created", ts=0.995), client="client-two", secret="second")
    assert harness.entries() == [("alice", "Host", "Webhook"), ("zoe", "Host", "Webhook")]


async def test_one_app_in_two_secrets_of_a_namespace_is_one_write(harness: ReceiverHarness) -> None:
    harness.has_app("same-app")
    harness.has_credential(credential("zoe", app="same-app"))
    await harness.post(event("meeting.created", ts=1))
    assert harness.entries() == [("alice", "Host", "Webhook"), ("zoe", "Host", "Webhook")]
    assert harness.writes == 1


# The end of a consent.


def deauthorized(*, ts: float = -10, **changes: Any) -> dict[str, Any]:
    payload = {
        "account_id": "A1",
        "user_id": "U1",
        "client_id": CLIENT,
        "deauthorization_time": format_time(NOW + timedelta(seconds=ts)),
        "signature": "confidential",
        "user_data_retention": "false",
    }
    return {"event": "app_deauthorized", "event_ts": milliseconds(ts), "payload": payload | changes}


async def test_a_deauthorization_is_written_to_the_status(harness: ReceiverHarness) -> None:
    harness.has_credential(credential("bob", user="U2"))
    assert (await harness.post(deauthorized())).status == 204
    written = status_of(harness)["deauthorization"]
    assert written == {"time": "2026-11-24T11:59:50Z", "userDataRetention": False}
    assert "deauthorization" not in status_of(harness, "bob")
    assert "confidential" not in str(status_of(harness))
    assert harness.counted("app_deauthorized", "written") == 1


@pytest.mark.parametrize("changes", [{"account_id": "A2"}, {"user_id": "U2"}, {"client_id": "another-app"}])
async def test_a_deauthorization_of_someone_else(harness: ReceiverHarness, changes: dict[str, Any]) -> None:
    assert (await harness.post(deauthorized(**changes))).status == 204
    assert harness.writes == 0


@pytest.mark.parametrize(
    ("known", "written"),
    [
        ({"lastRefreshTime": "2026-11-24T12:04:51Z"}, False),
        # Zoom's clock and ours may differ by five minutes: the operator asks Zoom.
        ({"lastRefreshTime": "2026-11-24T12:04:50Z"}, True),
        ({"deauthorization": {"time": "2026-11-24T11:59:50Z"}}, False),
        ({"deauthorization": {"time": "2026-11-24T11:00:00Z"}}, True),
        # Nothing that Zoom said: someone wrote it to outdate what Zoom says.
        ({"deauthorization": {"time": "2027-09-20T12:00:00Z"}}, True),
    ],
)
async def test_a_deauthorization_that_is_older_than_the_consent_or_known(
    harness: ReceiverHarness, known: dict[str, Any], written: bool
) -> None:
    harness.has_credential(credential("alice", **known))
    assert (await harness.post(deauthorized())).status == 204
    assert bool(harness.writes) is written


@pytest.mark.parametrize("days", [300, 0.5])
@pytest.mark.parametrize("field", ["deauthorization_time", "event_ts"])
async def test_a_deauthorization_in_the_future_counts_from_now(
    harness: ReceiverHarness, days: float, field: str
) -> None:
    body = deauthorized()
    if field == "event_ts":
        del body["payload"]["deauthorization_time"]
        body["event_ts"] = milliseconds(min(days, 0.9) * 86_400)
    else:
        body["payload"]["deauthorization_time"] = format_time(NOW + timedelta(days=days))
    assert (await harness.post(body)).status == 204
    assert status_of(harness)["deauthorization"]["time"] == format_time(NOW)


async def test_a_removal_in_the_future_counts_from_now_and_can_be_withdrawn(harness: ReceiverHarness) -> None:
    await harness.post(event("user.deactivated", ts=43_200, id="U1"))
    assert status_of(harness)["userRemoval"]["time"] == format_time(NOW)
    item = harness.kube.peek(CREDENTIALS, namespace="team", name="alice")
    harness.directory.on_credential("team", "alice", item)
    await harness.post(event("user.activated", ts=1, id="U1"))
    assert "userRemoval" not in status_of(harness)


async def test_a_deauthorization_reaches_a_credential_that_the_watch_does_not_show(empty: ReceiverHarness) -> None:
    empty.has_app()
    empty.has_credential(credential("alice"), watched=False)
    assert (await empty.post(deauthorized())).status == 204
    assert "deauthorization" in status_of(empty)


async def test_a_deauthorization_that_kubernetes_does_not_take_comes_again(harness: ReceiverHarness) -> None:
    async def refuse(call: Call) -> None:
        if call.verb == "apply":
            raise UnavailableError("away", status=503)

    harness.kube.hook = refuse
    assert (await harness.post(deauthorized())).status == 503


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("user.deactivated", "Deactivated"),
        ("user.deleted", "Deleted"),
        ("user.permanently_deleted", "Deleted"),
        ("user.disassociated", "Disassociated"),
    ],
)
async def test_a_user_who_goes(harness: ReceiverHarness, name: str, kind: str) -> None:
    body = event(name, ts=10, id="U1", email="confidential@example.test")
    assert (await harness.post(body)).status == 204
    assert status_of(harness)["userRemoval"] == {"time": "2026-11-24T12:00:10Z", "kind": kind}
    assert "confidential" not in str(status_of(harness))
    harness.directory.on_credential("team", "alice", harness.kube.peek(CREDENTIALS, namespace="team", name="alice"))
    assert (await harness.post(body)).status == 204
    assert harness.writes == 1
    # What was on its way meanwhile does not map the user's meetings again.
    await harness.post(event("meeting.created", ts=5))
    assert harness.mapping() is None


async def test_another_user_who_goes(harness: ReceiverHarness) -> None:
    assert (await harness.post(event("user.deleted", ts=10, id="U2"))).status == 204
    assert harness.writes == 0


async def test_a_repeated_event_gives_the_mapping_to_the_credential_that_lives(harness: ReceiverHarness) -> None:
    await harness.post(event("meeting.started", id=MEETING))
    recreated = credential("alice")
    recreated["metadata"]["uid"] = "uid-new"
    harness.has_credential(recreated)
    assert (await harness.post(event("meeting.started", id=MEETING))).status == 204
    item = harness.mapping()
    assert item is not None
    assert [one["uid"] for one in item["metadata"]["ownerReferences"]] == ["uid-new"]


@pytest.mark.parametrize(("ts", "back"), [(11, True), (10, False), (5, False)])
async def test_a_user_who_is_active_again(harness: ReceiverHarness, ts: float, back: bool) -> None:
    await harness.post(event("user.deactivated", ts=10, id="U1"))
    harness.directory.on_credential("team", "alice", harness.kube.peek(CREDENTIALS, namespace="team", name="alice"))
    assert (await harness.post(event("user.activated", ts=ts, id="U1"))).status == 204
    assert ("userRemoval" not in status_of(harness)) is back


async def test_that_another_user_is_active_again_is_nothing_to_us(harness: ReceiverHarness) -> None:
    await harness.post(event("user.deactivated", ts=10, id="U1"))
    harness.directory.on_credential("team", "alice", harness.kube.peek(CREDENTIALS, namespace="team", name="alice"))
    assert (await harness.post(event("user.activated", ts=20, id="U2"))).status == 204
    assert "userRemoval" in status_of(harness)


# Behind the cache.


async def test_an_app_of_hundreds_of_namespaces_costs_a_few_lists(harness: ReceiverHarness) -> None:
    for number in range(300):
        harness.has_app(namespace=f"c{number}")
        harness.has_credential(credential("alice", namespace=f"c{number}", user=f"X{number}", account="A5"))
    harness.has_credential(credential("fresh", namespace="c7", user="U7", account="A5"), watched=False)
    before = harness.kube.count("list", CREDENTIALS)
    answer = await harness.post(event("meeting.started", id=MEETING, host_id="U7", account="A5"))
    assert answer.status == 204
    assert harness.entries(namespace="c7") == [("fresh", "Host", "Webhook")]
    assert harness.kube.count("list", CREDENTIALS) - before == 2


async def test_with_rights_in_namespaces_only_they_are_asked_side_by_side() -> None:
    kube, under_way, most = FakeKube(), 0, 0
    for number in range(40):
        kube.put(CREDENTIALS, credential("alice", namespace=f"c{number}"))

    async def slow(call: Call) -> None:
        nonlocal under_way, most
        under_way += 1 if call.moment == "before" else -1
        most = max(most, under_way)
        await asyncio.sleep(0)

    kube.hook = slow
    apps = [Key(f"c{number}", "zoom-app") for number in range(40)]
    found = await LiveLookup(kube=kube, everywhere=False).find(apps, "A1", user_ids=["U1"])
    assert set(found) == set(apps)
    assert 1 < most <= 16


@pytest.mark.parametrize("current", [True, False])
async def test_while_the_watch_may_hang_nobody_is_forgotten_beside_one_who_is_known(
    harness: ReceiverHarness, current: bool
) -> None:
    harness.has_app(namespace="two")
    harness.has_credential(credential("alice", namespace="two"), watched=False)
    harness.has_credential(credential("boss", user="U9", level="Account"), watched=False)
    harness.current[0] = current
    assert (await harness.post(event("meeting.started", id=MEETING))).status == 204
    names = {name for name, _, _ in harness.entries()}
    assert names == ({"alice"} if current else {"alice", "boss"})
    assert bool(harness.entries(namespace="two")) is not current


async def test_an_event_without_a_host_of_an_account_that_nobody_was_known_of(empty: ReceiverHarness) -> None:
    empty.has_app()
    empty.has_credential(credential("alice"))
    await empty.post(event("meeting.created"))
    empty.directory.on_credential("team", "alice", None)
    body = event("meeting.deleted", ts=5)
    del body["payload"]["object"]["host_id"]
    assert (await empty.post(body)).status == 204
    assert empty.phase() == "Deleted"


async def test_a_time_to_come_is_none(harness: ReceiverHarness) -> None:
    assert (await harness.post(event("meeting.created", ts=2 * 86_400))).status == 400
    assert (await harness.post(event("meeting.created", ts=80_000))).status == 204
    assert harness.writes == 1
