"""A credential's life through its reconciliation, from consent to renewal to healing."""

from __future__ import annotations

from datetime import timedelta

from meetingbots.kube.resources import CREDENTIALS, SECRETS
from meetingbots.models.base import format_time
from meetingbots.runtime.object_cache import Key

from tests.unit.credentials.reconcile.credential_harness import KEY, SECRET_NAME, START, Bench
from tests.unit.recorded_events import take_events


async def test_first_consent_is_stored_identified_and_shown(bench: Bench) -> None:
    grant = bench.consent()
    bench.put_credential()
    operator = bench.operator()
    after = await operator.look()
    assert bench.ready
    assert bench.reason == "TokenValid"
    assert bench.works()
    assert bench.zoom.spent == {grant: 1}
    status = bench.status
    assert status["userId"] == "u-alice"
    assert status["accountId"] == "acc"
    assert status["email"] == "u-alice@example.test"
    assert status["pmi"] == "5551234567"
    assert status["expiresAt"] == format_time(START + timedelta(seconds=3600))
    assert status["lastRefreshTime"] == format_time(START)
    # two thirds of the life, less half of a tenth
    assert status["nextRefreshTime"] == format_time(START + timedelta(seconds=2280))
    assert status["missingScopes"] == []
    assert status["consecutiveFailures"] == 0
    assert bench.condition("Reconciling") is None
    assert bench.condition("Stalled") is None
    assert after is not None
    assert 0 < after <= 600


async def test_secret_has_the_keys_of_the_contract_and_no_owner(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    await bench.operator().look()
    secret = bench.kube.peek(SECRETS, namespace="team", name=SECRET_NAME)
    assert secret is not None
    assert set(secret["data"]) == {"access_token", "refresh_token", "expires_at", "token_type", "scope", "api_url"}
    assert "ownerReferences" not in secret["metadata"]
    assert secret["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "meetingbots",
        "meetingbots.dev/credential": "alice",
    }
    assert "meetingbots.dev/refresh-claim" not in secret["metadata"]["annotations"]


async def test_server_to_server_asks_again_without_a_refresh_token(bench: Bench) -> None:
    bench.put_credential(grant={"serverToServer": {"accountId": "acc"}})
    operator = bench.operator()
    await operator.look()
    assert bench.ready
    first = bench.state.tokens
    bench.clock.forward(2300)
    await operator.look()
    second = bench.state.tokens
    assert first is not None
    assert second is not None
    assert first.access_token != second.access_token
    assert second.refresh_token is None
    assert bench.zoom.asked.count("/oauth/token") == 2
    assert bench.zoom.asked.count("/v2/users/me") == 1


async def test_renewal_is_planned_and_a_restart_causes_none(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    await bench.operator().look()
    bench.clock.forward(2000)
    after = await bench.operator().look()
    assert bench.zoom.asked.count("/oauth/token") == 1
    assert after is not None
    assert 0 < after <= 280
    bench.clock.forward(281)
    operator = bench.operator()
    await operator.look()
    assert bench.zoom.asked.count("/oauth/token") == 2
    assert bench.zoom.asked.count("/v2/users/me") == 1
    assert bench.ready
    assert bench.works()


async def test_nothing_to_do_writes_nothing(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    writes = len([call for call in bench.kube.calls if call.verb != "get"])
    bench.clock.forward(60)
    await operator.look()
    await bench.operator().look()
    assert len([call for call in bench.kube.calls if call.verb != "get"]) == writes


async def test_consent_outlives_its_object(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    bench.kube.remove(CREDENTIALS, namespace="team", name="alice")
    assert await operator.look() is None
    bench.put_credential()
    await bench.operator().look()
    assert bench.ready
    assert bench.works()
    assert bench.zoom.asked.count("/oauth/token") == 1
    assert bench.status["email"] == "u-alice@example.test"


async def test_policy_delete_owns_and_retain_disowns(bench: Bench) -> None:
    bench.consent()
    bench.put_credential(tokenDeletionPolicy="Delete")
    operator = bench.operator()
    await operator.look()
    secret = bench.kube.peek(SECRETS, namespace="team", name=SECRET_NAME)
    credential = bench.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert secret is not None
    assert credential is not None
    assert [owner["uid"] for owner in secret["metadata"]["ownerReferences"]] == [credential["metadata"]["uid"]]
    bench.put_credential()
    await operator.look()
    secret = bench.kube.peek(SECRETS, namespace="team", name=SECRET_NAME)
    assert secret is not None
    assert not secret["metadata"].get("ownerReferences")
    assert bench.works()


async def test_refresh_request_acts_once_per_value(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    request = {"meetingbots.dev/refresh-requested-at": "2026-11-24T12:00:00Z"}
    bench.put_credential(annotations=request)
    await operator.look()
    await operator.look()
    await bench.operator().look()
    assert bench.zoom.asked.count("/oauth/token") == 2
    assert bench.status["lastHandledRefreshRequest"] == "2026-11-24T12:00:00Z"
    bench.put_credential(annotations={"meetingbots.dev/refresh-requested-at": "again"})
    await operator.look()
    assert bench.zoom.asked.count("/oauth/token") == 3


async def test_suspend_stops_all_calls(bench: Bench) -> None:
    bench.consent()
    bench.put_credential(suspend=True)
    operator = bench.operator()
    await operator.look()
    assert bench.zoom.asked == []
    assert bench.reason == "Suspended"
    assert bench.condition("Reconciling") is None
    bench.put_credential()
    await operator.look()
    assert bench.ready
    bench.put_credential(suspend=True)
    bench.clock.forward(3000)
    asked = len(bench.zoom.asked)
    await operator.look()
    assert len(bench.zoom.asked) == asked


async def test_grants_of_later_versions_are_told(bench: Bench) -> None:
    bench.put_credential(grant={"accessTokenURL": {"url": "https://tokens.example/alice"}})
    await bench.operator().look()
    assert not bench.ready
    assert bench.reason == "AppInvalid"
    assert bench.condition("Stalled") is not None
    assert bench.zoom.asked == []


async def test_on_demand_renews_when_a_token_is_wanted_and_before_thirty_days(bench: Bench) -> None:
    bench.consent()
    bench.put_credential(refreshPolicy="OnDemand")
    operator = bench.operator()
    await operator.look()
    bench.clock.forward(7200)
    await operator.look()
    assert bench.zoom.asked.count("/oauth/token") == 1
    assert bench.ready
    await operator.tokens.get(KEY)
    await operator.look()
    assert bench.zoom.asked.count("/oauth/token") == 2
    bench.clock.forward(30 * 86400)
    await operator.look()
    assert bench.zoom.asked.count("/oauth/token") == 3


async def test_scopes_are_named_by_feature(bench: Bench) -> None:
    bench.zoom.scopes = "meeting:read:local_recording_token user:read:user"
    bench.consent()
    bench.put_credential()
    await bench.operator().look()
    assert bench.ready
    condition = bench.condition()
    assert condition is not None
    assert "meeting:read:list_meetings" in bench.status["missingScopes"]
    assert "the list of meetings (meeting:read:list_meetings)" in condition["message"]


async def test_transitions_of_ready_are_events_and_nothing_else_is(bench: Bench) -> None:
    bench.put_grant("refresh-spent")
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    await operator.look()
    bench.consent()
    await operator.look()
    bench.clock.forward(2300)
    await operator.look()
    events = take_events(operator.services.recorder)
    assert [(event["type"], event["reason"]) for event in events] == [
        ("Warning", "ReauthorizationRequired"),
        ("Normal", "TokenValid"),
    ]
    assert events[0]["regarding"]["kind"] == "ZoomCredential"
    assert "The user must consent again" in events[0]["note"]


async def test_status_that_someone_else_keeps_changing_is_not_raced(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()

    async def contradict() -> None:
        item = bench.kube.peek(CREDENTIALS, namespace="team", name="alice")
        assert item is not None
        item["status"]["consecutiveFailures"] = 7
        item["status"].pop("lastError", None)
        bench.kube.put(CREDENTIALS, item)
        after = await operator.look()
        assert after is not None

    for _ in range(20):
        await contradict()
    assert bench.kube.count("apply", CREDENTIALS) <= 7
    bench.clock.forward(11)
    await operator.look()
    assert bench.status["consecutiveFailures"] == 0


async def test_gone_credential_asks_for_the_projection_and_loses_its_series(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    queue = operator.services.queues.receiver
    assert await queue.get() == Key("team", "zoom-app")
    queue.done(Key("team", "zoom-app"))
    registry = operator.services.metrics.registry
    labels = {"namespace": "team", "name": "alice"}
    assert registry.get_sample_value("meetingbots_credential_ready", labels) == 1
    bench.kube.remove(CREDENTIALS, namespace="team", name="alice")
    await operator.look()
    assert await queue.get() == Key("team", "zoom-app")
    assert registry.get_sample_value("meetingbots_credential_ready", labels) is None
