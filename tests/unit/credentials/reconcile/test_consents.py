from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from meetingbots.credentials.assembly import link_signing_keys
from meetingbots.credentials.manifests.connect import read_token
from meetingbots.credentials.manifests.receiver_secret import parse_projection
from meetingbots.credentials.manifests.signing_keys import Keyring
from meetingbots.credentials.reconcile.link_keys import LinkKeys
from meetingbots.kube.errors import UnavailableError
from meetingbots.kube.resources import CREDENTIALS, SECRETS
from meetingbots.models.names import RECEIVER_SECRET

from tests.unit.credentials.reconcile.connect_harness import PUBLIC_URL, ConnectBench
from tests.unit.credentials.reconcile.credential_harness import KEY, Killed
from tests.unit.fake_kube import Call

DAY = 86_400


@pytest.fixture
async def bench() -> AsyncIterator[ConnectBench]:
    bench = ConnectBench()
    yield bench
    await bench.close()


def keyring(bench: ConnectBench) -> Keyring:
    secret = bench.kube.peek(SECRETS, namespace="system", name=RECEIVER_SECRET)
    return parse_projection(secret or {}).keyring


def link_works(bench: ConnectBench, url: str) -> bool:
    token = url.partition("?t=")[2]
    link = read_token(token, namespace=KEY.namespace, name=KEY.name, keyring=keyring(bench))
    return link is not None and link.expires > bench.clock.now


async def test_it_waits_with_a_link_that_stays_the_same(bench: ConnectBench) -> None:
    bench.put_connect()
    operator = bench.operator()
    after = await operator.look()
    assert (bench.ready, bench.reason) == (False, "WaitingForConsent")
    assert after is not None
    assert after <= 30
    first = bench.url
    assert first.startswith(f"{PUBLIC_URL}/connect/team/alice?t=")
    assert link_works(bench, first)
    assert bench.zoom.asked == []
    bench.clock.forward(DAY)
    await bench.operator().look()
    assert bench.url == first


async def test_the_link_is_renewed_before_it_ends_and_the_old_one_goes_on(bench: ConnectBench) -> None:
    bench.put_connect()
    operator = bench.operator()
    await operator.look()
    first, epoch = bench.url, bench.epoch
    bench.clock.forward(5 * DAY + 1)
    await operator.look()
    assert bench.url != first
    assert bench.epoch == epoch
    assert link_works(bench, first)
    assert link_works(bench, bench.url)


async def test_a_consent_becomes_tokens_and_the_link_is_dead(bench: ConnectBench) -> None:
    bench.put_connect(expectedEmail="U-Alice@example.test", expectedAccountId="acc")
    operator = bench.operator()
    await operator.look()
    epoch = bench.epoch
    consent = bench.arrive()
    await operator.look()
    assert bench.ready
    assert bench.works()
    assert bench.state.user_id == "u-alice"
    assert bench.url == ""
    assert bench.outcomes == ["Accepted"]
    assert not bench.there(consent)
    # When the consent is lost, there is another link, and the first one stays dead.
    bench.zoom.users.clear()
    bench.put_credential(grant={"connect": {}}, annotations={"meetingbots.dev/refresh-requested-at": "1"})
    await operator.look()
    assert bench.reason == "ReauthorizationRequired"
    assert bench.epoch not in ("", epoch)
    # The same for a credential that has lost everything but its status.
    second = bench.epoch
    bench.arrive()
    await operator.look()
    assert bench.ready
    bench.kube.remove(SECRETS, namespace="team", name="alice-zoom-token")
    await operator.look()
    assert bench.reason == "WaitingForConsent"
    assert bench.epoch not in ("", epoch, second)


@pytest.mark.parametrize("expected", [{"expectedEmail": "bob@example.test"}, {"expectedAccountId": "another"}])
async def test_an_unexpected_users_tokens_are_never_put_to_use(bench: ConnectBench, expected: dict[str, Any]) -> None:
    bench.put_connect(**expected)
    operator = bench.operator()
    await operator.look()
    epoch = bench.epoch
    consent = bench.arrive()
    await operator.look()
    assert (bench.ready, bench.reason) == (False, "UserMismatch")
    assert bench.outcomes == ["UserMismatch"]
    assert bench.state.tokens is None
    assert bench.state.candidate is None
    assert not bench.there(consent)
    assert bench.epoch == epoch, "the right person can still use the link"
    await bench.operator().look()
    assert bench.reason == "UserMismatch", "a restart knows it, too"
    bench.put_connect()
    bench.arrive()
    await operator.look()
    assert bench.ready


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(400, json={"error": "invalid_grant", "reason": "expired (4733)"}), "ReauthorizationRequired"),
        (httpx.Response(400, json={"error": "invalid_request", "reason": "(4709)"}), "ReauthorizationRequired"),
    ],
)
async def test_a_code_that_zoom_refuses_is_told_and_waited_for_again(
    bench: ConnectBench, answer: httpx.Response, reason: str
) -> None:
    bench.put_connect()
    operator = bench.operator()
    await operator.look()
    bench.zoom.code_answer = answer
    consent = bench.arrive()
    await operator.look()
    assert bench.outcomes == [reason]
    assert bench.reason == "WaitingForConsent"
    condition = bench.condition()
    assert condition is not None
    assert "last consent failed" in condition["message"]
    assert not bench.there(consent)
    assert bench.url
    asked = len(bench.zoom.asked)
    await operator.look()
    assert len(bench.zoom.asked) == asked, "it is not asked with again"


async def test_zoom_away_is_tried_on_and_given_up_in_the_end(bench: ConnectBench) -> None:
    bench.put_connect()
    operator = bench.operator()
    await operator.look()
    bench.zoom.code_answer = httpx.Response(503, text="<html>")
    consent = bench.arrive()
    await operator.look()
    assert bench.reason == "ZoomUnavailable"
    assert bench.outcomes == []
    assert bench.there(consent)
    bench.clock.forward(6)
    bench.zoom.code_answer = None
    await operator.look()
    assert bench.ready


async def test_what_cannot_be_used_in_time_is_given_up(bench: ConnectBench) -> None:
    bench.put_connect()
    operator = bench.operator()
    await operator.look()
    bench.zoom.code_answer = httpx.Response(401, json={"error": "invalid_client", "reason": "(4702)"})
    consent = bench.arrive()
    await operator.look()
    assert bench.reason == "AppInvalid"
    assert bench.there(consent)
    bench.clock.forward(601)
    await operator.look()
    assert bench.outcomes == ["AppInvalid"]
    assert bench.reason == "WaitingForConsent"
    assert bench.status["consecutiveFailures"] == 0
    assert not bench.there(consent)


async def test_a_consent_that_got_lost_is_told(bench: ConnectBench) -> None:
    bench.put_connect()
    operator = bench.operator()
    await operator.look()
    bench.arrive(lost=True)
    await operator.look()
    assert bench.outcomes == ["GrantSecretMissing"]
    assert bench.reason == "WaitingForConsent"


async def test_a_consent_by_a_dead_link_is_not_used(bench: ConnectBench) -> None:
    bench.put_connect()
    operator = bench.operator()
    await operator.look()
    consent = bench.arrive(epoch="0" * 16)
    await operator.look()
    assert bench.outcomes == ["LinkUsed"]
    assert not bench.there(consent)
    assert bench.zoom.asked == []


async def test_of_several_consents_the_first_good_one_is_taken(bench: ConnectBench) -> None:
    bench.put_connect(expectedEmail="u-alice@example.test")
    operator = bench.operator()
    await operator.look()
    names = [bench.arrive("u-bob"), bench.arrive(), bench.arrive("u-carol")]
    await operator.look()
    assert bench.ready
    assert bench.state.user_id == "u-alice"
    assert bench.outcomes == ["UserMismatch", "Accepted", "LinkUsed"]
    assert not any(map(bench.there, names))


async def test_no_other_secret_is_touched_whatever_a_status_says(bench: ConnectBench) -> None:
    bench.put_connect()
    operator = bench.operator()
    await operator.look()
    consent = bench.arrive()
    item = bench.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert item is not None
    item["status"]["receivedConsents"][0]["secretName"] = "zoom-app"
    bench.kube.put(CREDENTIALS, item)
    await operator.look()
    assert bench.outcomes == ["GrantSecretMissing"]
    assert bench.there("zoom-app")
    assert bench.there(consent)
    # The right name, but somebody else's object.
    secret = bench.kube.peek(SECRETS, namespace="team", name=consent)
    assert secret is not None
    del secret["metadata"]["labels"]
    bench.kube.put(SECRETS, secret)
    item = bench.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert item is not None
    item["status"]["receivedConsents"] = [{"secretName": consent, "time": "2026-11-24T12:00:00Z"}]
    bench.kube.put(CREDENTIALS, item)
    await operator.look()
    assert bench.outcomes == ["GrantSecretMissing"]
    assert bench.there(consent)


async def test_suspended_it_has_no_link_and_uses_no_consent(bench: ConnectBench) -> None:
    bench.put_connect()
    operator = bench.operator()
    await operator.look()
    consent = bench.arrive()
    bench.put_connect(suspend=True)
    await operator.look()
    assert bench.reason == "Suspended"
    assert bench.url == ""
    assert bench.zoom.asked == []
    assert bench.there(consent)


async def test_without_a_public_address_it_says_so() -> None:
    bench = ConnectBench(public_url="")
    bench.put_connect()
    await bench.operator().look()
    assert bench.url == ""
    condition = bench.condition()
    assert condition is not None
    assert "MEETINGBOTS_PUBLIC_URL" in condition["message"]
    await bench.close()


async def test_a_killed_operator_loses_no_consent() -> None:
    """Wherever the process dies on the way from the code to the status: the next one brings it to its end."""
    died = True
    moment = 0
    while died:
        moment += 1
        bench = ConnectBench()
        bench.put_connect()
        await bench.operator().look()
        consent = bench.arrive()
        died = await _die_at(bench, moment)
        bench.kube.hook = _fine
        survivor = bench.operator()
        for _ in range(6):
            await survivor.look()
            bench.clock.forward(35)
        secret_lost = bench.outcomes == ["RotationInterrupted"]
        assert bench.ready or secret_lost, f"moment {moment}: {bench.reason}, {bench.outcomes}"
        assert not bench.there(consent)
        assert len(bench.outcomes) == 1
        if secret_lost:
            assert bench.url, "the person can come again"
        await bench.close()
    assert moment > 15


async def _die_at(bench: ConnectBench, moment: int) -> bool:
    seen = 0

    async def hook(call: Call) -> None:
        nonlocal seen
        seen += 1
        if seen == moment:
            raise Killed

    bench.kube.hook = hook
    try:
        await bench.operator().look()
    except Killed:
        return True
    return False


async def _fine(_: Call) -> None: ...


def link_keys(bench: ConnectBench) -> LinkKeys:
    return link_signing_keys(bench.operator().services, monotonic=bench.clock.monotonic)


async def current(keys: LinkKeys) -> Keyring:
    """The keys as a reconciliation gets them, after it has created one that is due."""
    if (await keys.facts()).key_due:
        await keys.rotate()
    found = (await keys.facts()).keyring
    assert found is not None
    return found


async def test_keys_are_made_once_and_replaced_after_a_month(bench: ConnectBench) -> None:
    keys = link_keys(bench)
    first = await current(keys)
    assert len(first.keys) == 1
    assert keyring(bench) == first
    asked = len(bench.kube.calls)
    assert await current(keys) == first
    assert len(bench.kube.calls) == asked, "they are not read each time"
    assert await current(link_keys(bench)) == first
    bench.clock.forward(30 * DAY)
    second = await current(keys)
    assert [one.id for one in second.keys][1:] == [one.id for one in first.keys]
    assert keyring(bench) == second


async def test_links_survive_the_change_of_keys(bench: ConnectBench) -> None:
    bench.put_connect()
    operator = bench.operator()
    await operator.look()
    bench.clock.forward(28 * DAY)
    await operator.look()
    before = bench.url
    bench.clock.forward(3 * DAY)
    await operator.look()
    assert len(keyring(bench).keys) == 2
    assert bench.url == before, "what was sent to people goes on working"
    assert link_works(bench, before)


async def test_keys_that_were_taken_away_are_made_anew_and_old_links_are_dead(bench: ConnectBench) -> None:
    bench.put_connect()
    operator = bench.operator()
    await operator.look()
    before = bench.url
    bench.drop_keys()
    bench.clock.forward(30)
    await operator.look()
    assert bench.url != before
    assert not link_works(bench, before)
    assert link_works(bench, bench.url)


async def test_keys_that_cannot_be_had_are_told_and_cost_no_link(bench: ConnectBench) -> None:
    bench.put_connect()

    async def no_system(call: Call) -> None:
        if call.namespace == "system":
            raise UnavailableError("away", status=503)

    bench.kube.hook = no_system
    operator = bench.operator()
    await operator.look()
    condition = bench.condition()
    assert condition is not None
    assert "receiver's Secret" in condition["message"]
    bench.kube.hook = _fine
    await operator.look()
    before = bench.url
    assert before
    bench.kube.hook = no_system
    await bench.operator().look()
    assert bench.url == before


async def test_two_operators_make_one_set_of_keys(bench: ConnectBench) -> None:
    one, other = link_keys(bench), link_keys(bench)
    raced = False

    async def race(call: Call) -> None:
        nonlocal raced
        if call.verb == "create" and call.moment == "before" and not raced:
            raced = True
            await current(other)

    bench.kube.hook = race
    assert await current(one) == await current(other) == keyring(bench)
    assert raced
