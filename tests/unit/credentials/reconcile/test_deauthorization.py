"""A user removes the app at Zoom: the receiver's report is acted on once, and a new consent heals it."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx
import pytest
from meetingbots.credentials.sessions.access_tokens import AccessToken, NotReady
from meetingbots.kube.resources import CREDENTIALS, SECRETS
from meetingbots.models.base import format_time

from tests.unit.credentials.reconcile.credential_harness import KEY, SECRET_NAME, Bench, Killed
from tests.unit.fake_kube import Call


async def report_removal(bench: Bench, *, seconds_ago: float = 0, retention: bool | None = False) -> None:
    """Write what the receiver writes after the webhook."""
    bench.clock.forward(seconds_ago)
    report: dict[str, Any] = {"time": format_time(bench.clock.now)}
    if retention is not None:
        report["userDataRetention"] = retention
    bench.clock.forward(-seconds_ago)
    await bench.kube.apply(
        CREDENTIALS,
        namespace=KEY.namespace,
        name=KEY.name,
        body={"status": {"deauthorization": report}},
        manager="meetingbots-receiver",
        subresource="status",
    )


def remove_at_zoom(bench: Bench) -> None:
    bench.zoom.users.clear()
    bench.zoom.access.clear()


def message(bench: Bench) -> str:
    condition = bench.condition()
    assert condition is not None
    return str(condition["message"])


async def settled(bench: Bench, operator: Any = None) -> None:
    operator = operator or bench.operator()
    for _ in range(4):
        await operator.look()
        bench.clock.forward(1)


async def deauthorized(bench: Bench, **fields: Any) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    assert bench.ready
    bench.clock.forward(100)
    remove_at_zoom(bench)
    await report_removal(bench, **fields)
    await settled(bench, operator)


@pytest.mark.parametrize(
    ("retention", "says"),
    [
        (False, "data must be deleted within 10 days (user_data_retention: false)"),
        (True, "allows you to keep their data (user_data_retention: true)"),
        (None, "does not say"),
    ],
)
@pytest.mark.parametrize("policy", ["Retain", "Delete"])
async def test_everything_of_the_user_goes(bench: Bench, retention: bool | None, says: str, policy: str) -> None:
    bench.consent()
    bench.put_credential(tokenDeletionPolicy=policy)
    await bench.operator().look()
    bench.clock.forward(100)
    remove_at_zoom(bench)
    await report_removal(bench, retention=retention)
    await settled(bench)
    assert bench.reason == "Deauthorized"
    assert says in message(bench)
    assert "put the new grant into the grant's Secret" in message(bench)
    assert bench.kube.peek(SECRETS, namespace=KEY.namespace, name=SECRET_NAME) is None
    for field in ("userId", "accountId", "email", "pmi", "expiresAt", "nextRefreshTime", "lastRefreshTime"):
        assert field not in bench.status, field
    assert bench.status["grantedScopes"] == []
    assert "u-alice" not in str(bench.status)


async def test_the_spent_grant_is_not_asked_with_again(bench: Bench) -> None:
    await deauthorized(bench)
    before = len(bench.zoom.asked)
    for _ in range(3):
        bench.clock.forward(700)
        await settled(bench)
    assert len(bench.zoom.asked) == before
    assert bench.reason == "Deauthorized"
    assert bench.kube.peek(SECRETS, namespace=KEY.namespace, name=SECRET_NAME) is None


async def test_a_new_consent_heals_it(bench: Bench) -> None:
    await deauthorized(bench)
    bench.consent()
    await settled(bench)
    assert bench.ready
    assert bench.works()
    assert bench.status["email"] == "u-alice@example.test"
    assert "endedGrant" not in bench.status
    bench.clock.forward(2400)
    await settled(bench)
    assert bench.ready, "the old event stays in the status and does no harm"


async def test_a_new_consent_that_zoom_refuses_is_told(bench: Bench) -> None:
    await deauthorized(bench)
    bench.put_grant("never-given")
    await settled(bench)
    assert bench.reason == "ReauthorizationRequired"
    before = len(bench.zoom.asked)
    bench.clock.forward(100)
    await settled(bench)
    assert len(bench.zoom.asked) == before
    bench.consent()
    await settled(bench)
    assert bench.ready


async def test_an_event_from_before_the_present_consent_changes_nothing(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    await report_removal(bench, seconds_ago=-60)
    await settled(bench, operator)
    assert bench.ready
    assert bench.works()


async def test_zoom_away_during_the_new_consent(bench: Bench) -> None:
    await deauthorized(bench)

    async def away(_: str) -> Any:
        raise TimeoutError

    bench.consent()
    bench.zoom.before = away
    await settled(bench)
    assert bench.reason == "Deauthorized"
    bench.zoom.before = None
    bench.clock.forward(60)
    await settled(bench)
    assert bench.ready


async def test_the_token_is_not_handed_out_after_the_end(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    bench.clock.forward(100)
    remove_at_zoom(bench)
    await report_removal(bench)
    await settled(bench, operator)
    answer = await operator.tokens.get(KEY)
    assert isinstance(answer, NotReady)
    assert answer.reason == "Deauthorized"
    assert answer.message.startswith("ZoomCredential alice: The Zoom user removed the app")


async def test_killed_at_any_call(bench: Bench) -> None:
    """Whatever is interrupted, in the end all is gone and the spent grant was not asked with again."""
    for number in range(1, 12):
        for moment in ("before", "after"):
            one = Bench()
            one.consent()
            one.put_credential()
            await one.operator().look()
            one.clock.forward(100)
            remove_at_zoom(one)
            await report_removal(one)
            asked = len(one.zoom.asked)
            count = 0

            async def hook(call: Call, number: int = number, moment: str = moment) -> None:
                nonlocal count
                count += call.moment == "before"
                if (count, call.moment) == (number, moment):
                    raise Killed

            one.kube.hook = hook
            with contextlib.suppress(Killed):
                await settled(one)

            async def calm(_: Call) -> None: ...

            one.kube.hook = calm
            operator = one.operator()
            await settled(one, operator)
            one.clock.forward(31)  # the claim of the dead process expires
            await settled(one, operator)
            assert one.reason == "Deauthorized"
            assert one.kube.peek(SECRETS, namespace=KEY.namespace, name=SECRET_NAME) is None
            assert set(one.zoom.asked[asked:]) <= {"/oauth/token"}
            assert one.zoom.spent.total() == 1, "the spent grant is not redeemed again"
            await one.close()


async def test_a_suspended_credential_is_checked_when_it_is_resumed(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    await bench.operator().look()
    bench.clock.forward(100)
    bench.put_credential(suspend=True)
    remove_at_zoom(bench)
    await report_removal(bench)
    asked = len(bench.zoom.asked)
    await settled(bench)
    assert bench.reason == "Suspended"
    assert len(bench.zoom.asked) == asked, "Zoom is not called while the credential is suspended"
    assert bench.state.tokens is not None, "only Zoom ends a consent"
    bench.put_credential()
    await settled(bench)
    assert bench.reason == "Deauthorized"
    assert bench.kube.peek(SECRETS, namespace=KEY.namespace, name=SECRET_NAME) is None
    assert "email" not in bench.status


@pytest.mark.parametrize("offset", [0, 240, -240, 300 * 86_400, 10**9], ids=str)
async def test_a_report_that_zoom_does_not_confirm_ends_nothing(bench: Bench, offset: float) -> None:
    """What a compromised receiver, or another holder of the webhook secret, can write."""
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    for _ in range(20):
        bench.clock.forward(100)
        await report_removal(bench, seconds_ago=offset)
        await settled(bench, operator)
        assert bench.ready
        assert bench.works()
        assert isinstance(await operator.tokens.get(KEY), AccessToken)
    assert bench.zoom.asked.count("/oauth/token") <= 22


async def test_a_report_from_the_future_does_not_end_later_consents(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    await report_removal(bench, seconds_ago=300 * 86_400)
    await settled(bench, operator)
    assert bench.ready
    bench.clock.forward(301 * 86_400)
    await settled(bench, operator)
    assert bench.ready
    remove_at_zoom(bench)
    bench.consent()
    await settled(bench, operator)
    assert bench.ready
    assert bench.works()


async def test_zoom_away_does_not_confirm_a_report(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()

    async def away(_: str) -> Any:
        return httpx.Response(503)

    bench.zoom.before = away
    bench.clock.forward(100)
    await report_removal(bench)
    await settled(bench, operator)
    assert bench.ready
    assert bench.state.tokens is not None
    bench.zoom.before = None
    remove_at_zoom(bench)
    bench.clock.forward(60)
    await settled(bench, operator)
    assert bench.reason == "Deauthorized"


async def test_two_credentials_of_one_user_name_each_other(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    older = bench.kube.peek(CREDENTIALS, namespace=KEY.namespace, name=KEY.name)
    assert older is not None
    older["metadata"]["name"] = "first"
    older["metadata"]["uid"] = "uid-first"
    older["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    younger = bench.kube.peek(CREDENTIALS, namespace=KEY.namespace, name=KEY.name)
    assert younger is not None
    younger["metadata"]["creationTimestamp"] = "2026-02-01T00:00:00Z"
    bench.kube.put(CREDENTIALS, younger)
    operator.services.caches.credentials.put(bench.kube.put(CREDENTIALS, older))
    await operator.look()
    assert bench.ready
    assert "ZoomCredential first holds a consent of the same Zoom user" in message(bench)
    older["metadata"]["creationTimestamp"] = "2026-03-01T00:00:00Z"
    operator.services.caches.credentials.put(bench.kube.put(CREDENTIALS, older))
    await operator.look()
    assert "ZoomCredential first holds a consent of the same Zoom user, which may have ended this one" in message(bench)
    older["spec"]["appSecretRef"]["name"] = "another-app"
    operator.services.caches.credentials.put(bench.kube.put(CREDENTIALS, older))
    await operator.look()
    assert "ZoomCredential first" not in message(bench), "another app's consent is another consent"


# Our clock is ahead of Zoom's: the removal seems to be from before the last renewal.


async def test_a_removal_that_seems_older_than_the_renewal_is_asked_of_zoom(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    remove_at_zoom(bench)
    await report_removal(bench, seconds_ago=-100)
    await settled(bench, operator)
    assert bench.ready, "the renewal was a moment ago"
    bench.clock.forward(120)
    await settled(bench, operator)
    assert bench.reason == "Deauthorized"
    assert bench.kube.peek(SECRETS, namespace=KEY.namespace, name=SECRET_NAME) is None
    assert "u-alice" not in str(bench.status)


async def test_a_consent_that_was_given_again_meanwhile_lives_on(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    await report_removal(bench, seconds_ago=-100)
    for _ in range(40):
        bench.clock.forward(30)
        await settled(bench, operator)
        assert bench.ready
    assert bench.works()
    renewals = bench.zoom.asked.count("/oauth/token")
    assert 2 <= renewals <= 4, "asked until there is no doubt, and not for ever"
