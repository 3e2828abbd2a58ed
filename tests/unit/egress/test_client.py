from __future__ import annotations

import asyncio
import ssl
import zlib

import pytest
from aiohttp import web
from meetingbots.egress.addresses import AddressNotAllowedError, AllowedHosts, EgressError, Target
from meetingbots.egress.client import EgressClient

from tests.unit.egress.customer import NAME, Customer, plain


def target(customer: Customer, *, private: bool = True) -> Target:
    entry = f"private:{NAME}" if private else NAME
    return AllowedHosts([entry], name="allowed hosts").check(customer.url)


def client(customer: Customer, *, seconds: float = 5.0) -> EgressClient:
    return EgressClient(tls=customer.trust(), resolve=customer.resolve, seconds=seconds)


async def refusal(customer: Customer, *, private: bool = True, seconds: float = 5.0) -> EgressError:
    with pytest.raises(EgressError) as caught:
        await client(customer, seconds=seconds).get(target(customer, private=private), headers={})
    assert caught.value.__context__ is None, "a chained exception would keep headers and address"
    return caught.value


async def test_an_answer_comes_whole(customer: Customer) -> None:
    answer = await client(customer).get(target(customer), headers={"X-Key": "k"})
    assert (answer.status, answer.body) == (200, b"a-token\n")
    assert "a-token" not in repr(answer)
    (asked,) = customer.asked
    assert (asked.method, asked.path, asked.headers["x-key"]) == ("GET", "/token", "k")
    assert asked.headers["host"] == f"{NAME}:{customer.port}"


async def test_post(customer: Customer) -> None:
    await client(customer).post(target(customer), headers={"content-type": "application/json"}, body=b"{}")
    assert customer.asked[0].method == "POST"
    assert customer.bodies == [b"{}"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "100.64.0.1", "169.254.169.254", "::ffff:7f00:1"])
async def test_a_name_that_leads_to_a_private_place_is_not_followed(customer: Customer, address: str) -> None:
    customer.addresses = [address]
    assert isinstance(await refusal(customer, private=False), AddressNotAllowedError)
    assert not customer.asked


async def test_one_bad_address_among_good_ones_is_enough(customer: Customer) -> None:
    customer.addresses = ["8.8.8.8", "127.0.0.1"]
    assert isinstance(await refusal(customer, private=False), AddressNotAllowedError)


async def test_metadata_addresses_are_never_asked_though_the_host_may_be_private(customer: Customer) -> None:
    customer.addresses = ["169.254.169.254"]
    assert isinstance(await refusal(customer), AddressNotAllowedError)


async def test_the_name_is_looked_up_once_and_the_checked_address_is_the_one_that_is_asked(customer: Customer) -> None:
    customer.addresses = iter([["127.0.0.1"], ["127.0.0.2"], ["127.0.0.3"]])
    await client(customer).get(target(customer), headers={})
    assert customer.lookups == [(NAME, customer.port)]
    assert len(customer.asked) == 1


async def test_the_certificate_must_be_the_hosts(customer: Customer) -> None:
    with pytest.raises(EgressError, match="certificate is not trusted"):
        await EgressClient(tls=ssl.create_default_context(), resolve=customer.resolve).get(target(customer), headers={})
    other = AllowedHosts(["private:other.test"], name="hosts").check(f"https://other.test:{customer.port}/")
    with pytest.raises(EgressError, match="certificate is not trusted"):
        await client(customer).get(other, headers={})
    assert not customer.asked


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(customer: Customer, status: int) -> None:
    customer.answer = plain("", status=status, headers={"location": f"https://{NAME}:{customer.port}/secret-place"})
    error = await refusal(customer)
    assert "redirect" in error.message
    assert "secret-place" not in error.message
    assert len(customer.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
async def test_other_answers_are_not_quoted(customer: Customer, status: int) -> None:
    customer.answer = plain("s3cret words", status=status)
    error = await refusal(customer)
    assert error.message == f"it answered HTTP {status}"
    assert error.retry_after is None


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), ("999999999999", 86400.0), ("soon", None), ("-1", None)])
async def test_retry_after(customer: Customer, text: str, seconds: float | None) -> None:
    customer.answer = plain("", status=429, headers={"retry-after": text})
    assert (await refusal(customer)).retry_after == seconds


async def test_huge_answers_are_cut_off(customer: Customer) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(10_000):
            await response.write(b"x" * 4096)
            sent += 4096
        return response

    customer.answer = endless
    assert "larger than 16 KiB" in (await refusal(customer)).message
    assert sent < 4096 * 10_000


async def test_the_largest_answer(customer: Customer) -> None:
    customer.answer = plain("x" * 16_384)
    assert len((await client(customer).get(target(customer), headers={})).body) == 16_384
    customer.answer = plain("x" * 16_385)
    assert "larger than 16 KiB" in (await refusal(customer)).message


async def test_compressed_responses_are_refused(customer: Customer) -> None:
    async def bomb(_: web.Request) -> web.StreamResponse:
        return web.Response(body=zlib.compress(b"x" * 10_000_000), headers={"content-encoding": "deflate"})

    customer.answer = bomb
    assert "compressed" in (await refusal(customer)).message
    assert customer.asked[0].headers["accept-encoding"] == "identity"


async def test_slow_answers_have_their_time_in_all(customer: Customer) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(50):
            await response.write(b"x")
            await asyncio.sleep(0.05)
        return response

    customer.answer = drip
    assert "within 0.3 seconds" in (await refusal(customer, seconds=0.3)).message


async def test_a_slow_look_up_has_its_time_too(customer: Customer) -> None:
    async def slow(host: str, port: int) -> list[str]:
        await asyncio.sleep(30)
        return ["127.0.0.1"]

    with pytest.raises(EgressError, match=r"within 0\.1 seconds"):
        await EgressClient(tls=customer.trust(), resolve=slow, seconds=0.1).get(target(customer), headers={})


async def test_nobody_there(customer: Customer) -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    with pytest.raises(EgressError, match="the host name cannot be resolved"):
        await EgressClient(tls=customer.trust(), resolve=unknown).get(target(customer), headers={})
    customer.addresses = ["127.0.0.9"]
    assert "the request failed (ClientConnector" in (await refusal(customer)).message


async def test_no_cookies(customer: Customer) -> None:
    customer.answer = plain("t", headers={"set-cookie": "a=b"})
    asking = client(customer)
    for _ in range(2):
        await asking.get(target(customer), headers={})
    assert "cookie" not in customer.asked[1].headers
