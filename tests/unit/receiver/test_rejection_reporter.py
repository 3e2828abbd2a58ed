"""A wrong webhook secret shows in the status; a stranger's requests do not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from meetingbots.kube.errors import UnavailableError
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.models.base import format_time

from tests.unit.fake_kube import Call
from tests.unit.receiver.receiver_harness import CLIENT, NOW, SECRET, ReceiverHarness, credential, event

AFTER_GRACE = timedelta(seconds=21)


async def reported(harness: ReceiverHarness, *, after: timedelta = AFTER_GRACE) -> None:
    """Let time pass, write what is due, and let the watch see it."""
    harness.clock[0] += after
    await harness.rejections.write_due()
    watched(harness)


def watched(harness: ReceiverHarness) -> None:
    item = harness.kube.peek(CREDENTIALS, namespace="team", name="alice")
    harness.directory.on_credential("team", "alice", item)


async def received(harness: ReceiverHarness, **changes: Any) -> None:
    """A verified event arrives and is reported."""
    assert (await harness.post(event("meeting.created"), **changes)).status == 204
    await harness.reception.write_next()
    watched(harness)


def condition(harness: ReceiverHarness) -> tuple[str, str]:
    item = harness.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert item is not None
    found = {one["type"]: (one["status"], one["reason"]) for one in item["status"].get("conditions", [])}
    return found.get("WebhookReceiving", ("", ""))


REJECTED = ("False", "SignatureInvalid")
RECEIVING = ("True", "Receiving")


async def test_a_wrong_secret_is_reported_for_a_credential_that_received_nothing_yet(harness: ReceiverHarness) -> None:
    assert (await harness.post(event("meeting.created"), secret="Zoom's own")).status == 401
    await reported(harness, after=timedelta(seconds=5))
    assert condition(harness) == ("", "")
    await reported(harness)
    assert condition(harness) == REJECTED
    item = harness.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert item is not None
    assert f"/webhooks/{CLIENT}" in item["status"]["conditions"][0]["message"]
    assert "webhook_secret_token" in item["status"]["conditions"][0]["message"]


async def test_a_request_that_verifies_within_the_grace_period_refutes_it(harness: ReceiverHarness) -> None:
    await harness.post(event("meeting.created"), secret="guessed")
    await received(harness)
    await reported(harness)
    assert condition(harness) == RECEIVING


async def test_the_condition_turns_true_with_the_first_request_that_verifies(harness: ReceiverHarness) -> None:
    await harness.post(event("meeting.created"), secret="Zoom's own")
    await reported(harness)
    harness.has_app(webhook_secret_token="Zoom's own")
    await received(harness, secret="Zoom's own")
    assert condition(harness) == RECEIVING


async def test_a_stranger_neither_flips_a_healthy_credential_nor_causes_writes(harness: ReceiverHarness) -> None:
    await received(harness)
    writes = harness.writes
    for _ in range(20):
        await harness.post(event("meeting.created"), secret="guessed")
        await reported(harness)
    assert condition(harness) == RECEIVING
    assert harness.writes == writes


async def test_more_rejected_requests_cause_no_more_writes(harness: ReceiverHarness) -> None:
    for _ in range(20):
        await harness.post(event("meeting.created"), secret="guessed")
        await reported(harness)
    assert harness.writes == 1


async def test_a_secret_that_was_replaced_too_early_is_reported_for_a_healthy_credential(
    harness: ReceiverHarness,
) -> None:
    await received(harness)
    harness.has_app(webhook_secret_token="mistyped")
    assert (await harness.post(event("meeting.created"), secret=SECRET)).status == 401
    await reported(harness)
    assert condition(harness) == REJECTED


async def test_who_knows_a_former_secret_cannot_cause_writes_at_will(harness: ReceiverHarness) -> None:
    harness.has_app(webhook_secret_token="new")
    await received(harness, secret="new")
    writes = harness.writes
    for _ in range(10):
        await harness.post(event("meeting.created"), secret=SECRET)
        await reported(harness)
        if condition(harness) == REJECTED:
            harness.clock[0] += timedelta(minutes=1)
            await received(harness, secret="new")
    assert harness.writes == writes + 2, "one report and one recovery in ten minutes"


async def test_another_namespaces_former_secret_proves_nothing(harness: ReceiverHarness) -> None:
    await received(harness)
    harness.has_app(namespace="evil", webhook_secret_token="evil's")
    harness.has_app(namespace="evil", webhook_secret_token="evil's next")
    await harness.post(event("meeting.created"), secret="evil's")
    await reported(harness)
    assert condition(harness) == RECEIVING


async def test_a_secret_that_only_another_namespace_has_right_is_reported(harness: ReceiverHarness) -> None:
    harness.has_app(webhook_secret_token="mistyped")
    harness.has_app(namespace="two")
    harness.has_credential(credential("bob", namespace="two"))
    assert (await harness.post(event("meeting.created"))).status == 204
    await reported(harness)
    assert condition(harness) == REJECTED


async def test_what_zoom_does_not_send_is_no_reason(harness: ReceiverHarness) -> None:
    await harness.post(b"rubbish", secret="guessed")
    await harness.post(event("meeting.created"), secret="guessed", age=3600)
    raw = b"{}"
    await harness.send(raw, headers=harness.signed(raw) | {"x-zm-signature": "v0=short"})
    await reported(harness)
    assert harness.writes == 0


async def test_a_report_that_kubernetes_refuses_is_tried_again(harness: ReceiverHarness) -> None:
    async def refuse(call: Call) -> None:
        if call.verb == "apply":
            raise UnavailableError("away", status=503)

    async def accept(_: Call) -> None: ...

    harness.kube.hook = refuse
    await harness.post(event("meeting.created"), secret="guessed")
    await reported(harness)
    harness.kube.hook = accept
    await reported(harness)
    assert condition(harness) == REJECTED


async def test_an_earlier_webhooks_time_stays(harness: ReceiverHarness) -> None:
    last = format_time(NOW - timedelta(days=4))
    silent = {
        "type": "WebhookReceiving",
        "status": "False",
        "reason": "NothingReceived",
        "lastTransitionTime": format_time(NOW),
    }
    harness.has_credential(credential("alice", conditions=[silent], lastWebhookTime=last))
    await harness.post(event("meeting.created"), secret="guessed")
    await reported(harness)
    item = harness.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert item is not None
    assert item["status"]["lastWebhookTime"] == last
    assert condition(harness) == REJECTED


async def test_a_credential_of_many_is_reported_after_the_others(harness: ReceiverHarness) -> None:
    for number in range(120):
        harness.has_credential(credential(f"user-{number}"))
    await harness.post(event("meeting.created"), secret="guessed")
    for writes in (50, 100, 121):
        harness.clock[0] += AFTER_GRACE
        await harness.rejections.write_due()
        assert harness.writes == writes
