from __future__ import annotations

import base64
import copy
from dataclasses import replace

import pytest
from meetingbots.credentials.assembly import receiver_projection
from meetingbots.credentials.manifests.receiver_secret import (
    AppName,
    ProjectedApp,
    Projection,
    UnreadableApp,
    parse_projection,
)
from meetingbots.kube.errors import ConflictError
from meetingbots.kube.resources import CREDENTIALS, SECRETS
from meetingbots.models.names import RECEIVER_SECRET
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key

from tests.unit.credentials.reconcile.credential_harness import Bench
from tests.unit.fake_kube import Call
from tests.unit.recorded_events import take_events

APP = Key("team", "zoom-app")
NAME = AppName("team", "zoom-app")
LONG = "x" * 200


def services(bench: Bench, *, cached: bool = True) -> OperatorContext:
    made = bench.operator().services
    item = bench.kube.peek(CREDENTIALS, namespace="team", name="alice")
    if cached and item is not None:
        made.caches.credentials.put(item)
    return made


def projection(bench: Bench) -> Projection:
    secret = bench.kube.peek(SECRETS, namespace="system", name=RECEIVER_SECRET)
    assert secret is not None
    return parse_projection(secret)


async def test_app_in_use_is_projected_without_its_client_secret(bench: Bench) -> None:
    bench.put_credential()
    after = await receiver_projection(services(bench)).reconcile(APP)
    assert after == 20
    app = projection(bench)[NAME]
    assert isinstance(app, ProjectedApp)
    assert app.client_id == "client"
    assert app.webhook_secret_token.get_secret_value() == "hook"
    secret = bench.kube.peek(SECRETS, namespace="system", name=RECEIVER_SECRET)
    assert secret is not None
    assert b"app-secret" not in base64.b64decode(secret["data"]["team.zoom-app"])


async def test_missing_app_is_unreadable_and_looked_at_again_soon(bench: Bench) -> None:
    bench.put_credential()
    bench.kube.remove(SECRETS, namespace="team", name="zoom-app")
    reconciler = receiver_projection(services(bench))
    assert await reconciler.reconcile(APP) == 30
    assert isinstance(projection(bench)[NAME], UnreadableApp)
    bench.put_app()
    assert await reconciler.reconcile(APP) == 20
    assert isinstance(projection(bench)[NAME], ProjectedApp)


async def test_unchanged_is_not_written(bench: Bench) -> None:
    bench.put_credential()
    reconciler = receiver_projection(services(bench))
    await reconciler.reconcile(APP)
    await reconciler.reconcile(APP)
    assert bench.kube.count("create", SECRETS) == 1
    assert bench.kube.count("patch", SECRETS) == 0


async def test_entry_goes_with_the_last_credential(bench: Bench) -> None:
    bench.put_credential()
    made = services(bench)
    reconciler = receiver_projection(made)
    await reconciler.reconcile(APP)
    bench.kube.remove(CREDENTIALS, namespace="team", name="alice")
    made.caches.credentials.drop(Key("team", "alice"))
    assert await reconciler.reconcile(APP) is None
    assert dict(projection(bench)) == {}


async def test_empty_cache_removes_nothing(bench: Bench) -> None:
    bench.put_credential()
    await receiver_projection(services(bench)).reconcile(APP)
    assert await receiver_projection(services(bench, cached=False)).reconcile(APP) == 20
    assert NAME in projection(bench)


async def test_stray_entries_get_their_turn(bench: Bench) -> None:
    bench.put_credential(appSecretRef={"name": "older"})
    await receiver_projection(services(bench)).reconcile(Key("team", "older"))
    bench.put_credential()
    made = services(bench)
    reconciler = receiver_projection(made)
    await reconciler.reconcile(APP)
    assert len(made.queues.receiver) == 1
    await reconciler.reconcile(Key("team", "older"))
    assert set(projection(bench)) == {NAME}


async def test_other_releases_namespaces_are_left_alone(bench: Bench) -> None:
    bench.put_credential()
    made = services(bench)
    await receiver_projection(made).reconcile(APP)
    narrow = replace(made, settings=made.settings.model_copy(update={"namespace": ("elsewhere",)}))
    bench.kube.remove(CREDENTIALS, namespace="team", name="alice")
    made.caches.credentials.drop(Key("team", "alice"))
    assert await receiver_projection(narrow).reconcile(APP) is None
    assert NAME in projection(bench)


async def test_conflicting_writers_both_get_in(bench: Bench) -> None:
    bench.put_credential()
    bench.put_secret("second-app", client_id="two", client_secret="x", webhook_secret_token="y")
    made = services(bench)
    reconciler = receiver_projection(made)
    await reconciler.reconcile(APP)
    bench.put_credential(appSecretRef={"name": "second-app"})
    other = receiver_projection(services(bench))
    raced = False

    async def race(call: Call) -> None:
        nonlocal raced
        if call.moment == "before" and call.verb == "patch" and not raced:
            raced = True
            await other.reconcile(Key("team", "second-app"))

    bench.kube.hook = race
    bench.put_app()
    bench.put_secret("zoom-app", client_id="changed", client_secret="x", webhook_secret_token="hook")
    await reconciler.reconcile(APP)
    assert raced
    assert set(projection(bench)) == {NAME, AppName("team", "second-app")}


async def test_an_entry_is_written_while_other_shards_write_all_the_time(bench: Bench) -> None:
    bench.put_credential()
    reconciler = receiver_projection(services(bench))
    await reconciler.reconcile(APP)
    bench.put_secret("zoom-app", client_id="changed", client_secret="x", webhook_secret_token="hook")
    left = 20

    async def busy(call: Call) -> None:
        nonlocal left
        if call.moment == "before" and call.verb == "patch" and left:
            left -= 1
            raise ConflictError("busy", status=409)

    bench.kube.hook = busy
    await reconciler.reconcile(APP)
    app = projection(bench)[NAME]
    assert isinstance(app, ProjectedApp)
    assert app.client_id == "changed"


async def test_endless_conflicts_are_raised_for_the_queue(bench: Bench) -> None:
    bench.put_credential()
    reconciler = receiver_projection(services(bench))
    await reconciler.reconcile(APP)
    bench.put_secret("zoom-app", client_id="changed", client_secret="x", webhook_secret_token="hook")

    async def busy(call: Call) -> None:
        if call.moment == "before" and call.verb == "patch":
            raise ConflictError("busy", status=409)

    bench.kube.hook = busy
    with pytest.raises(ConflictError):
        await reconciler.reconcile(APP)


async def test_a_changed_webhook_secret_is_taken_at_the_next_look(bench: Bench) -> None:
    bench.put_credential()
    reconciler = receiver_projection(services(bench))
    after = await reconciler.reconcile(APP)
    assert after is not None
    assert after < 30
    bench.put_secret("zoom-app", client_id="client", webhook_secret_token="next", previous_webhook_secret_token="hook")
    bench.clock.forward(after)
    await reconciler.reconcile(APP)
    app = projection(bench)[NAME]
    assert isinstance(app, ProjectedApp)
    assert app.webhook_secret_token.get_secret_value() == "next"


async def test_a_look_is_one_read_and_the_receivers_secret_is_looked_at_now_and_then(bench: Bench) -> None:
    bench.put_credential()
    reconciler = receiver_projection(services(bench))
    await reconciler.reconcile(APP)
    before = bench.kube.count("get", SECRETS)
    bench.clock.forward(20)
    await reconciler.reconcile(APP)
    assert bench.kube.count("get", SECRETS) == before + 1
    bench.kube.remove(SECRETS, namespace="system", name=RECEIVER_SECRET)
    bench.clock.forward(600)
    await reconciler.reconcile(APP)
    assert isinstance(projection(bench)[NAME], ProjectedApp)


async def test_many_apps_are_read_at_a_bounded_rate(bench: Bench) -> None:
    made, after = services(bench), None
    for number in range(1000):
        item = bench.put_credential()
        item["metadata"]["namespace"] = f"n{number}"
        made.caches.credentials.put(item)
    reconciler = receiver_projection(made)
    for number in range(1000):
        after = await reconciler.reconcile(Key(f"n{number}", "zoom-app"))
    assert after == 1000 / 20


async def test_one_app_cannot_fill_the_secret_of_all(bench: Bench) -> None:
    bench.put_credential()
    bench.put_secret("zoom-app", client_id="client", client_secret="s", webhook_secret_token="x" * 600_000)
    await receiver_projection(services(bench)).reconcile(APP)
    app = projection(bench)[NAME]
    assert isinstance(app, UnreadableApp)
    assert app.why == "Key webhook_secret_token of Secret zoom-app is longer than 512 characters."
    secret = bench.kube.peek(SECRETS, namespace="system", name=RECEIVER_SECRET)
    assert len(str(secret)) < 2000


async def test_a_namespace_has_a_bounded_share_of_the_secret(bench: Bench) -> None:
    """1,886 credentials without a single app Secret filled the receiver's Secret for everybody."""
    bench.put_credential()
    template = bench.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert template is not None
    made = bench.operator().services
    made.caches.credentials.put(template)
    reconciler = receiver_projection(made)
    await reconciler.reconcile(APP)
    for number in range(250):
        item = copy.deepcopy(template)
        item["metadata"] |= {"namespace": "hostile", "name": f"c-{number}", "uid": f"uid-{number}"}
        item["spec"]["appSecretRef"]["name"] = f"missing-{number}-{LONG}"
        made.caches.credentials.put(item)
        await reconciler.reconcile(Key("hostile", f"missing-{number}-{LONG}"))
    secret = bench.kube.peek(SECRETS, namespace="system", name=RECEIVER_SECRET)
    assert secret is not None
    assert sum(len(key) + len(value) for key, value in secret["data"].items()) < 70_000
    assert isinstance(projection(bench)[NAME], ProjectedApp)
    reasons = {event["reason"] for event in take_events(made.recorder)}
    assert reasons == {"ReceiverShareExceeded"}
    made.caches.credentials.drop(Key("hostile", "c-0"))
    await reconciler.reconcile(Key("hostile", f"missing-0-{LONG}"))
    await reconciler.reconcile(Key("hostile", f"missing-249-{LONG}"))
    assert AppName("hostile", f"missing-249-{LONG}") in projection(bench), "room that is free again is used"
