from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from meetingbots.credentials.status_writer import CredentialStatusWriter
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.models.base import format_time
from meetingbots.receiver.app_directory import AppDirectory
from meetingbots.receiver.status_reporters import WebhookReporter

from tests.unit.credentials.reconcile.credential_harness import KEY, START, Bench
from tests.unit.fake_kube import Call
from tests.unit.recorded_events import take_events

pytestmark = pytest.mark.usefixtures("consented")


def last_webhook(bench: Bench, before: timedelta) -> None:
    item = bench.kube.peek(CREDENTIALS, namespace=KEY.namespace, name=KEY.name)
    assert item is not None
    status = item.setdefault("status", {})
    status["lastWebhookTime"] = format_time(START - before)
    bench.kube.put(CREDENTIALS, item)


def condition(bench: Bench) -> dict[str, Any]:
    return dict(bench.condition("WebhookReceiving") or {})


async def test_silence_is_reported_beside_the_other_conditions(bench: Bench) -> None:
    last_webhook(bench, timedelta(hours=77))
    operator = bench.operator()
    await operator.look()
    assert (condition(bench)["status"], condition(bench)["reason"]) == ("False", "NothingReceived")
    assert "/webhooks/client " in condition(bench)["message"]
    assert {one["type"] for one in bench.status["conditions"]} == {"Ready", "MeetingsSynced", "WebhookReceiving"}
    writes = bench.kube.count("patch", CREDENTIALS)
    await operator.look()
    assert bench.kube.count("patch", CREDENTIALS) == writes
    assert bench.ready


async def test_without_silence_nothing_is_reported(bench: Bench) -> None:
    last_webhook(bench, timedelta(hours=75))
    await bench.operator().look()
    assert condition(bench) == {}


async def test_the_receiver_replaces_the_condition(bench: Bench) -> None:
    last_webhook(bench, timedelta(hours=77))
    operator = bench.operator()
    await operator.look()
    directory = AppDirectory()
    directory.on_credential(
        KEY.namespace, KEY.name, bench.kube.peek(CREDENTIALS, namespace=KEY.namespace, name=KEY.name)
    )
    reception = WebhookReporter(
        statuses=CredentialStatusWriter(kube=bench.kube), directory=directory, clock=bench.clock
    )
    reception.note([KEY])
    await reception.write_next()
    assert condition(bench)["status"] == "True"
    await operator.look()
    assert condition(bench)["status"] == "True"


async def test_a_webhook_during_the_write_is_not_overwritten(bench: Bench) -> None:
    last_webhook(bench, timedelta(hours=77))

    async def a_webhook_comes(call: Call) -> None:
        if call.verb == "patch" and call.plural == CREDENTIALS.plural and call.moment == "before":
            bench.kube.hook = quiet
            last_webhook(bench, timedelta(0))

    async def quiet(_: Call) -> None: ...

    bench.kube.hook = a_webhook_comes
    await bench.operator().look()
    assert condition(bench) == {}


async def test_a_new_credential_has_the_condition_at_once(bench: Bench) -> None:
    operator = bench.operator()
    await operator.look()
    assert (condition(bench)["status"], condition(bench)["reason"]) == ("Unknown", "NothingReceived")
    assert "/webhooks/client " in condition(bench)["message"]
    writes = bench.kube.count("patch", CREDENTIALS)
    await operator.look()
    assert bench.kube.count("patch", CREDENTIALS) == writes


async def test_invalid_signatures_are_recorded_as_an_event(bench: Bench) -> None:
    operator = bench.operator()
    await operator.look()
    item = bench.kube.peek(CREDENTIALS, namespace=KEY.namespace, name=KEY.name)
    assert item is not None
    for one in item["status"]["conditions"]:
        if one["type"] == "WebhookReceiving":
            one |= {"status": "False", "reason": "SignatureInvalid", "message": "No secret verifies the signature."}
    bench.kube.put(CREDENTIALS, item)
    for _ in range(2):
        await operator.look()
    reasons = [event["reason"] for event in take_events(operator.services.recorder)]
    assert reasons.count("WebhookSignatureInvalid") == 1
    assert condition(bench)["reason"] == "SignatureInvalid"


async def test_the_address_of_another_release_is_not_replaced_again_and_again(bench: Bench) -> None:
    first = bench.operator()
    bench.public_url = "https://second.example"
    second = bench.operator()
    await first.look()
    writes = bench.kube.count("patch", CREDENTIALS)
    for _ in range(10):
        await second.look()
        await first.look()
    assert bench.kube.count("patch", CREDENTIALS) - writes <= 2
    assert condition(bench)["reason"] == "NothingReceived"
    assert "second.example" in condition(bench)["message"]
    bench.clock.forward(601)
    await first.look()
    assert "second.example" not in condition(bench)["message"]


async def test_a_message_that_met_a_conflict_is_written_at_the_next_reconciliation(bench: Bench) -> None:
    await bench.operator().look()
    bench.public_url = "https://second.example"
    second = bench.operator()

    async def someone_writes(call: Call) -> None:
        if call.verb == "patch" and call.plural == CREDENTIALS.plural and call.moment == "before":
            bench.kube.hook = quiet
            bench.put_credential(annotations={"someone": "writes"})

    async def quiet(_: Call) -> None: ...

    bench.kube.hook = someone_writes
    await second.look()
    assert "second.example" not in condition(bench)["message"]
    await second.look()
    assert "second.example" in condition(bench)["message"]
