"""A namespace's own webhook gets each change once, repeated until it accepts it, and only at an allowed address."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from meetingbots.credentials.assembly import notifier
from meetingbots.egress.client import EgressClient

from tests.unit.credentials.reconcile.credential_harness import KEY, Bench, Operator
from tests.unit.egress.customer import NAME, Customer, make_certificate, plain, serving

RAW = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(RAW).decode()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"), NAME)


@pytest.fixture
async def customer(certificate: Path) -> AsyncIterator[Customer]:
    async with serving(certificate, plain("", status=204)) as running:
        yield running


@pytest.fixture
async def bench(customer: Customer) -> AsyncIterator[Bench]:
    bench = Bench()
    bench.outside = EgressClient(tls=customer.trust(), resolve=customer.resolve)
    bench.notify_url_hosts = (f"private:{NAME}",)
    bench.consent()
    bench.put_credential()
    yield bench
    await bench.close()


def put(bench: Bench, customer: Customer, **changes: str) -> None:
    bench.put_secret("meetingbots-notify", **{"url": customer.url, "secret": SECRET, **changes})


class NotifierHarness:
    """An operator with its notifier."""

    def __init__(self, bench: Bench) -> None:
        self.operator: Operator = bench.operator()
        self.notifier = notifier(self.operator.services)

    async def look(self) -> float | None:
        await self.operator.look()
        return await self.notifier.reconcile(KEY)


def types(customer: Customer) -> list[tuple[str, str]]:
    received = [json.loads(body) for body in customer.bodies]
    return [(one["type"], one["data"]["reason"]) for one in received]


async def test_a_look_after_the_change_that_found_no_webhook_is_enough(bench: Bench) -> None:
    harness = NotifierHarness(bench)
    assert await harness.look() is None
    bench.clock.forward(2)
    assert await harness.look() == 3, "the look was within the second of the change"
    bench.clock.forward(3)
    assert await harness.look() is None
    bench.clock.forward(1)
    assert await harness.look() is None


async def test_each_change_is_sent_once(bench: Bench, customer: Customer) -> None:
    put(bench, customer)
    harness = NotifierHarness(bench)
    for _ in range(3):
        await harness.look()
    assert types(customer) == [("credential.ready", "TokenValid")]
    bench.zoom.users.clear()
    bench.zoom.access.clear()
    bench.clock.forward(2400)
    for _ in range(3):
        await harness.look()
    bench.consent()
    for _ in range(3):
        await harness.look()
    assert types(customer) == [
        ("credential.ready", "TokenValid"),
        ("credential.needs_user", "ReauthorizationRequired"),
        ("credential.ready", "TokenValid"),
    ]
    assert len({request.headers["webhook-id"] for request in customer.asked}) == 3
    assert bench.status["lastNotification"]["type"] == "credential.ready"


async def test_the_signature_fits(bench: Bench, customer: Customer) -> None:
    put(bench, customer)
    await NotifierHarness(bench).look()
    (request,), (body,) = customer.asked, customer.bodies
    content = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + body
    signature = base64.b64encode(hmac.digest(RAW, content, "sha256")).decode()
    assert request.headers["webhook-signature"] == f"v1,{signature}"
    assert request.method == "POST"


async def test_a_restart_sends_nothing_twice(bench: Bench, customer: Customer) -> None:
    put(bench, customer)
    await NotifierHarness(bench).look()
    await NotifierHarness(bench).look()
    assert len(customer.asked) == 1


async def test_a_message_is_repeated_under_one_id_until_it_is_accepted(bench: Bench, customer: Customer) -> None:
    customer.answer = plain("nope", status=500)
    put(bench, customer)
    harness = NotifierHarness(bench)
    pauses = []
    for _ in range(4):
        pauses.append(await harness.look())
        bench.clock.forward(1)
    assert pauses == [5, 10, 20, 40]
    assert "lastNotification" not in bench.status
    customer.answer = plain("", status=200)
    assert await harness.look() is None
    assert len({request.headers["webhook-id"] for request in customer.asked}) == 1
    assert bench.status["lastNotification"]["type"] == "credential.ready"


async def test_a_pause_that_is_asked_for_is_kept(bench: Bench, customer: Customer) -> None:
    customer.answer = plain("", status=503, headers={"retry-after": "123"})
    put(bench, customer)
    assert await NotifierHarness(bench).look() == 123


async def test_after_a_day_it_is_given_up(bench: Bench, customer: Customer) -> None:
    customer.answer = plain("", status=500)
    put(bench, customer)
    harness = NotifierHarness(bench)
    assert await harness.look() == 5
    bench.clock.forward(86_500)
    assert await harness.notifier.reconcile(KEY) is None


async def test_without_a_secret_nobody_is_asked(bench: Bench, customer: Customer) -> None:
    assert await NotifierHarness(bench).look() is None
    assert not customer.lookups


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"url": "https://other.test/"}, "the host other.test is not among the allowed notify URL hosts"),
        ({"url": "http://" + NAME + "/"}, "must begin with https://"),
        ({"secret": "not-base64!"}, "it is not whsec_ followed by Base64"),
        ({"secret": ""}, "Key secret of Secret meetingbots-notify is empty"),
    ],
)
async def test_what_is_wrong_is_logged(
    bench: Bench, customer: Customer, caplog: pytest.LogCaptureFixture, changes: dict[str, str], says: str
) -> None:
    put(bench, customer, **changes)
    assert await NotifierHarness(bench).look() == 5
    assert says in caplog.text
    assert not customer.asked


async def test_a_name_that_leads_into_our_network_is_not_followed(bench: Bench, customer: Customer) -> None:
    bench.notify_url_hosts = (NAME,)
    put(bench, customer)
    assert await NotifierHarness(bench).look() == 5
    assert not customer.asked


async def test_it_is_off_by_default(bench: Bench, customer: Customer) -> None:
    bench.notify_url_hosts = ()
    put(bench, customer)
    assert await NotifierHarness(bench).look() == 5
    assert not customer.lookups
