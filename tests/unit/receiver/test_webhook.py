"""The answer table, row by row, and what forgers and slow servers get."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from meetingbots.kube.errors import ForbiddenError, KubeError, UnavailableError
from meetingbots.receiver import verification
from meetingbots.receiver.app_directory import KEYS_PER_NAMESPACE
from meetingbots.receiver.verification import BODY_LIMIT
from meetingbots.zoom.webhooks.parser import verify
from pydantic import SecretStr

from tests.unit.fake_kube import Call
from tests.unit.receiver.receiver_harness import CLIENT, MEETING, SECRET, ReceiverHarness, credential, event


async def test_an_event_is_written_before_it_is_answered(harness: ReceiverHarness) -> None:
    answer = await harness.post(event("meeting.created"))
    assert answer.status == 204
    assert harness.entries() == [("alice", "Host", "Webhook")]
    assert harness.phase() == "Scheduled"
    assert harness.writes == 1
    assert harness.counted("meeting.created", "written") == 1
    item = harness.mapping()
    assert item is not None
    assert [owner["uid"] for owner in item["metadata"]["ownerReferences"]] == ["uid-team-alice"]
    assert "confidential" not in str(item)


async def test_the_life_of_a_meeting(harness: ReceiverHarness) -> None:
    for name, ts, phase in (
        ("meeting.created", 1, "Scheduled"),
        ("meeting.started", 2, "Live"),
        ("meeting.ended", 3, "Ended"),
        ("meeting.deleted", 4, "Deleted"),
    ):
        id_form = {"id": MEETING} if name in ("meeting.started", "meeting.ended") else {}
        assert (await harness.post(event(name, ts=ts, **id_form))).status == 204
        assert harness.phase() == phase
    item = harness.mapping()
    assert item is not None
    assert item["metadata"]["labels"]["meetingbots.dev/live"] == "true"
    assert harness.writes == 4


async def test_the_same_event_again_writes_nothing(harness: ReceiverHarness) -> None:
    assert (await harness.post(event("meeting.created"))).status == 204
    assert (await harness.post(event("meeting.created"))).status == 204
    assert harness.writes == 1
    assert harness.counted("meeting.created", "unchanged") == 1


async def test_a_late_created_does_not_revive_a_deleted_meeting(harness: ReceiverHarness) -> None:
    await harness.post(event("meeting.deleted", ts=10))
    assert (await harness.post(event("meeting.created", ts=1))).status == 204
    assert harness.phase() == "Deleted"


async def test_a_changed_personal_id(harness: ReceiverHarness) -> None:
    changed = {"event": "user.updated", "event_ts": 5, "payload": {"account_id": "A1", "object": {"id": "U1"}}}
    assert (await harness.post(changed)).status == 204
    assert harness.writes == 0
    for ts, new, old in ((10, 1111111111, None), (20, 2222222222, 1111111111)):
        payload: dict[str, Any] = {"account_id": "A1", "object": {"id": "U1", "pmi": new}}
        if old:
            payload["old_object"] = {"id": "U1", "pmi": old}
        assert (await harness.post({"event": "user.updated", "event_ts": ts, "payload": payload})).status == 204
    assert harness.entries("2222222222") == [("alice", "Host", "PMI")]
    assert harness.entries("1111111111") == []


async def test_the_personal_id_before_is_known_from_the_status_too(harness: ReceiverHarness) -> None:
    harness.has_credential(credential("alice", pmi="1111111111"))
    for ts, new in ((10, 1111111111), (20, 2222222222)):
        payload = {"account_id": "A1", "object": {"id": "U1", "pmi": new}}
        await harness.post({"event": "user.updated", "event_ts": ts, "payload": payload})
    assert harness.entries("1111111111") == []
    assert harness.entries("2222222222") == [("alice", "Host", "PMI")]


@pytest.mark.parametrize(
    ("body", "name", "result"),
    [
        ({"event": "meeting.chat_message_sent", "event_ts": 1, "payload": {}}, "other", "ignored"),
        (event("meeting.deleted", id=int(MEETING)) | {"event": "meeting.sharing_started"}, "other", "ignored"),
        (event("meeting.created", host_id="stranger"), "meeting.created", "nobodys"),
        (event("meeting.created", account="A2"), "meeting.created", "nobodys"),
    ],
)
async def test_what_is_of_no_interest_or_nobodys_is_done_with(
    harness: ReceiverHarness, body: dict[str, Any], name: str, result: str
) -> None:
    answer = await harness.post(body)
    assert answer.status == 204
    assert harness.writes == 0
    assert harness.counted(name, result) == 1


async def test_one_occurrence_that_is_deleted_leaves_the_meeting(harness: ReceiverHarness) -> None:
    await harness.post(event("meeting.created", ts=1))
    body = event("meeting.deleted", ts=2)
    body["payload"]["operation"] = "single"
    assert (await harness.post(body)).status == 204
    assert harness.phase() == "Scheduled"


async def test_before_a_meeting_is_nobodys_the_api_server_is_asked(harness: ReceiverHarness) -> None:
    harness.has_credential(credential("bob", user="U2"), watched=False)
    assert (await harness.post(event("meeting.created", host_id="U2"))).status == 204
    assert harness.entries() == [("bob", "Host", "Webhook")]


async def test_the_account_is_asked_for_too(harness: ReceiverHarness) -> None:
    harness.has_credential(credential("others", user="U9", app="another-app", level="Account"), watched=False)
    harness.has_credential(credential("bob", user="U9"), watched=False)
    await harness.post(event("meeting.created", host_id="U2"))
    assert harness.kube.count("list") == 2
    assert harness.writes == 0
    harness.has_credential(credential("all", user="U9", level="Account"), watched=False)
    await harness.post(event("meeting.created", host_id="U2"))
    assert harness.entries() == [("all", "Host", "Webhook")]


async def test_an_account_speaks_for_all_its_users(harness: ReceiverHarness) -> None:
    harness.has_credential(credential("all", user="U9", level="Account"))
    await harness.post(event("meeting.created"))
    assert harness.entries() == [("alice", "Host", "Webhook"), ("all", "Host", "Webhook")]


# The signature.


async def test_url_validation(harness: ReceiverHarness) -> None:
    answer = await harness.post({"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": "abc"}})
    assert answer.status == 200
    assert await answer.json() == {
        "plainToken": "abc",
        "encryptedToken": hmac.new(SECRET.encode(), b"abc", hashlib.sha256).hexdigest(),
    }
    assert harness.counted("endpoint.url_validation", "validated") == 1


async def test_url_validation_must_be_signed_and_whole(harness: ReceiverHarness) -> None:
    body = {"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": "abc"}}
    assert (await harness.post(body, secret="guessed")).status == 401
    assert (await harness.post(body | {"payload": {}})).status == 400


async def test_both_secrets_count_while_a_rotation_lasts(harness: ReceiverHarness) -> None:
    harness.has_app(webhook_secret_token="new", previous_webhook_secret_token="old")
    for number, secret in enumerate(("new", "old")):
        assert (await harness.post(event("meeting.created", ts=number), secret=secret)).status == 204
    assert (await harness.post(event("meeting.created"), secret=SECRET)).status == 401
    body = {"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": "abc"}}
    answer = await (await harness.post(body, secret="old")).json()
    assert answer["encryptedToken"] == hmac.new(b"old", b"abc", hashlib.sha256).hexdigest()


def _without(name: str) -> Any:
    return lambda headers: {key: value for key, value in headers.items() if key != name}


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(_without("x-zm-signature"), id="no signature"),
        pytest.param(_without("x-zm-request-timestamp"), id="no timestamp"),
        pytest.param(lambda headers: headers | {"x-zm-signature": "v0=" + "0" * 64}, id="another signature"),
        pytest.param(lambda headers: headers | {"x-zm-signature": headers["x-zm-signature"][3:]}, id="no version"),
        pytest.param(lambda headers: headers | {"x-zm-request-timestamp": "1"}, id="another timestamp"),
        pytest.param(lambda headers: headers | {"x-zm-signature": "v0=é"}, id="not even ASCII"),
    ],
)
async def test_a_bad_or_missing_signature(harness: ReceiverHarness, tamper: Any) -> None:
    raw = json.dumps(event("meeting.created")).encode()
    answer = await harness.send(raw, headers=tamper(harness.signed(raw)))
    assert answer.status == 401
    assert harness.writes == 0
    assert harness.counted("unknown", "unsigned") == 1


@pytest.mark.parametrize("signature", ["", "v0=", "v0=" + "0" * 63, "v0=" + "g" * 64, "v1=" + "0" * 64])
async def test_a_malformed_signature_is_refused_before_the_body_is_read(
    harness: ReceiverHarness, signature: str
) -> None:
    never = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    headers = harness.signed(b"") | {"x-zm-signature": signature}
    async with harness.client.post(f"/webhooks/{CLIENT}", data=endless(), headers=headers) as answer:
        assert answer.status == 401
    assert harness.counted("unknown", "unsigned") == 1


async def test_the_raw_bytes_are_signed(harness: ReceiverHarness) -> None:
    raw = json.dumps(event("meeting.created")).encode()
    assert (await harness.send(raw + b" ", headers=harness.signed(raw))).status == 401
    assert (await harness.send(raw + b" ", headers=harness.signed(raw + b" "))).status == 204


@pytest.mark.parametrize("name", ["x-zm-signature", "x-zm-request-timestamp"])
async def test_two_headers_of_one_kind_are_none(harness: ReceiverHarness, name: str) -> None:
    raw = json.dumps(event("meeting.created")).encode()
    headers = harness.signed(raw)
    twice = [*headers.items(), (name, headers[name])]
    answer = await harness.client.post(f"/webhooks/{CLIENT}", data=raw, headers=twice)
    assert answer.status == 401


@pytest.mark.parametrize("age", [301, -301, 3 * 86400])
async def test_a_timestamp_that_is_far_off_may_be_our_clocks_fault(harness: ReceiverHarness, age: float) -> None:
    assert (await harness.post(event("meeting.created"), age=age)).status == 503
    assert (await harness.post(event("meeting.created"), age=age, secret="guessed")).status == 401
    assert harness.writes == 0


@pytest.mark.parametrize("age", [299, -299])
async def test_a_timestamp_may_be_a_little_off(harness: ReceiverHarness, age: float) -> None:
    assert (await harness.post(event("meeting.created"), age=age)).status == 204


# The app.


async def test_no_such_app(harness: ReceiverHarness) -> None:
    answer = await harness.post(event("meeting.created"), client="another")
    assert answer.status == 404
    assert harness.counted("unknown", "unknown_app") == 1


async def test_an_app_that_cannot_be_read_yet_may_be_the_one(harness: ReceiverHarness) -> None:
    harness.has_credential(credential("bob", app="new-app"))
    assert (await harness.post(event("meeting.created"), client="another")).status == 503
    assert (await harness.post(event("meeting.created"))).status == 204
    harness.has_unreadable_app("new-app")
    assert (await harness.post(event("meeting.created"), client="another")).status == 503
    harness.has_app("new-app", client="another", webhook_secret_token="second")
    assert (await harness.post(event("meeting.created", host_id="U1"), client="another", secret="second")).status == 204
    harness.apps["team.new-app"] = {"unreadable": "no webhook_secret_token", "client_id": "another"}
    harness.has_app()
    assert (await harness.post(event("meeting.created"), client="another")).status == 503
    assert (await harness.post(event("meeting.created"), client="third")).status == 404
    harness.directory.on_credential("team", "bob", None)
    assert (await harness.post(event("meeting.created"), client="another")).status == 404


async def test_before_the_caches_are_filled(harness: ReceiverHarness) -> None:
    harness.ready[0] = False
    assert (await harness.post(event("meeting.created"))).status == 503
    assert (await harness.post(event("meeting.created"), client="another")).status == 503


async def test_an_app_without_a_webhook_secret_verifies_nothing_yet(harness: ReceiverHarness) -> None:
    harness.has_app(webhook_secret_token="")
    assert (await harness.post(event("meeting.created"), secret="")).status == 503


# The body.


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"event": "meeting.created", "event_ts": 1}',
        json.dumps(event("meeting.created", id="../../secrets")).encode(),
        json.dumps(event("meeting.created", id=12)).encode(),
        json.dumps(event("meeting.created", host_id="a b")).encode(),
        json.dumps(event("meeting.created", account="a,status.userId=x")).encode(),
        json.dumps(event("meeting.created") | {"event_ts": "soon"}).encode(),
    ],
)
async def test_a_body_that_is_no_event(harness: ReceiverHarness, body: bytes) -> None:
    assert (await harness.post(body)).status == 400
    assert (await harness.post(body, secret="guessed")).status == 401
    assert harness.writes == 0


async def test_a_body_over_the_limit(harness: ReceiverHarness) -> None:
    largest = json.dumps(event("meeting.created")).encode().ljust(BODY_LIMIT)
    assert (await harness.post(largest)).status == 204
    assert (await harness.post(largest + b" ")).status == 413
    assert harness.counted("unknown", "too_large") == 1


async def test_a_body_over_the_limit_that_does_not_say_so(harness: ReceiverHarness) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65536

    answer = await harness.client.post(f"/webhooks/{CLIENT}", data=pieces(), headers=harness.signed(b""))
    assert answer.status == 413


async def test_compressed_bodies_are_refused(harness: ReceiverHarness) -> None:
    raw = gzip.compress(json.dumps(event("meeting.created")).encode())
    answer = await harness.send(raw, headers=harness.signed(raw) | {"Content-Encoding": "gzip"})
    assert answer.status == 415
    assert harness.writes == 0


async def test_planted_secrets_cost_a_bounded_number_of_hmacs(
    harness: ReceiverHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(500):
        harness.apps[f"evil.app-{number}"] = {"client_id": CLIENT, "webhook_secret_token": f"planted {number}"}
    harness.has_app()
    tried = []

    def count(secrets: Sequence[SecretStr], *, timestamp: str, signature: str, body: bytes) -> SecretStr | None:
        tried.append(secrets)
        return verify(secrets, timestamp=timestamp, signature=signature, body=body)

    monkeypatch.setattr(verification, "verify", count)
    assert (await harness.post(event("meeting.created"))).status == 204
    assert len(tried) == KEYS_PER_NAMESPACE + 1


# Kubernetes.


@pytest.mark.parametrize(
    "error", [UnavailableError("away", status=503), ForbiddenError("exceeded quota", status=403)], ids=["away", "quota"]
)
async def test_what_kubernetes_does_not_take_zoom_sends_again(harness: ReceiverHarness, error: KubeError) -> None:
    async def refuse(call: Call) -> None:
        if call.verb == "create":
            raise error

    harness.kube.hook = refuse
    assert (await harness.post(event("meeting.created"))).status == 503
    assert harness.counted("meeting.created", "failed") == 1


async def test_one_namespaces_refusal_does_not_cost_another_the_event(harness: ReceiverHarness) -> None:
    harness.has_app(namespace="two")
    harness.has_credential(credential("alice", namespace="two"))

    async def refuse(call: Call) -> None:
        if call.verb == "create" and call.namespace == "team":
            raise ForbiddenError("exceeded quota", status=403)

    harness.kube.hook = refuse
    assert (await harness.post(event("meeting.created"))).status == 503
    assert harness.entries(namespace="two") == [("alice", "Host", "Webhook")]


async def test_a_look_up_that_fails_is_not_nobody(harness: ReceiverHarness) -> None:
    async def refuse(call: Call) -> None:
        raise UnavailableError("away", status=503)

    harness.kube.hook = refuse
    assert (await harness.post(event("meeting.created", host_id="U2"))).status == 503


async def test_a_write_that_takes_too_long(harness: ReceiverHarness) -> None:
    async def hang(call: Call) -> None:
        if call.verb == "create":
            await asyncio.Event().wait()

    harness.kube.hook = hang
    answer = await asyncio.wait_for(harness.post(event("meeting.created")), 2.9)
    assert answer.status == 503
    assert harness.counted("meeting.created", "late") == 1


async def test_a_body_that_does_not_come_to_its_end(harness: ReceiverHarness) -> None:
    finish = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"{"
        await finish.wait()

    headers = harness.signed(b"")
    async with harness.client.post(f"/webhooks/{CLIENT}", data=slowly(), headers=headers) as answer:
        assert answer.status == 503
        finish.set()
    assert harness.counted("unknown", "late") == 1


async def test_a_defect_is_logged_without_its_text(harness: ReceiverHarness, caplog: pytest.LogCaptureFixture) -> None:
    quoted = "-".join(["some", "body"])

    async def fail(call: Call) -> None:
        raise RuntimeError(quoted)

    harness.kube.hook = fail
    assert (await harness.post(event("meeting.created"))).status == 500
    assert "RuntimeError" in caplog.text
    assert "some-body" not in caplog.text


async def test_nothing_secret_and_no_body_is_logged(harness: ReceiverHarness, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await harness.post(event("meeting.created"))
    await harness.post(event("meeting.created"), secret="guessed")
    await harness.post(event("meeting.created"), age=900)
    await harness.post(event("meeting.created", id="confidential"))
    for secret in ("confidential", SECRET, "guessed", "v0="):
        assert secret not in caplog.text
