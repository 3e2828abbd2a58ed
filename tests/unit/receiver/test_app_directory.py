from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from meetingbots.models.credential import Level
from meetingbots.receiver.app_directory import KEYS_PER_CLIENT_ID, KEYS_PER_NAMESPACE, AppDirectory
from meetingbots.receiver.credential_lookup import known_credential
from meetingbots.runtime.object_cache import Key
from pydantic import SecretStr

from tests.unit.receiver.receiver_harness import credential

APP = Key("team", "zoom-app")


def watch(directory: AppDirectory, item: dict[str, Any]) -> None:
    directory.on_credential(item["metadata"]["namespace"], item["metadata"]["name"], item)


def project(directory: AppDirectory, **apps: dict[str, str]) -> None:
    data = {key.replace("__", "."): base64.b64encode(json.dumps(app).encode()).decode() for key, app in apps.items()}
    directory.on_projection("system", "meetingbots-receiver", {"metadata": {}, "data": data})


def names(directory: AppDirectory, *, account: str = "A1", app: Key = APP) -> list[str]:
    return sorted(one.name for one in directory.by_app(apps=[app], account_id=account).get(app, []))


def test_credentials_are_found_by_app_and_account() -> None:
    directory = AppDirectory()
    watch(directory, credential("alice"))
    watch(directory, credential("bob", account="A2"))
    watch(directory, credential("carol", app="another"))
    watch(directory, credential("dora", namespace="elsewhere"))
    assert names(directory) == ["alice"]
    assert names(directory, account="A2") == ["bob"]


def test_a_changed_credential_is_found_under_what_it_is_now() -> None:
    directory = AppDirectory()
    watch(directory, credential("alice", account=""))
    assert names(directory, account="") == []
    watch(directory, credential("alice"))
    assert names(directory) == ["alice"]
    watch(directory, credential("alice", account="A2"))
    assert (names(directory), names(directory, account="A2")) == ([], ["alice"])
    directory.on_credential("team", "alice", None)
    directory.on_credential("team", "alice", None)
    assert names(directory, account="A2") == []
    assert directory.webhook_status(Key("team", "alice")) is None


def test_apps_are_found_by_client_id_one_door_for_each_secret() -> None:
    directory = AppDirectory()
    project(
        directory,
        team__app={"client_id": "c", "webhook_secret_token": "s"},
        two__app={"client_id": "c", "webhook_secret_token": "s ", "previous_webhook_secret_token": "old"},
        three__app={"client_id": "d", "webhook_secret_token": "s"},
    )
    keys = {key.secret.get_secret_value(): key.apps for key in directory.keys("c")}
    assert keys == {"s": {Key("team", "app"), Key("two", "app")}, "old": {Key("two", "app")}}
    assert directory.has_app("d")
    assert not directory.has_app("e")
    assert "old" not in repr(directory.keys("c"))
    directory.on_projection("system", "meetingbots-receiver", None)
    assert not directory.has_app("c")


def planted(client_id: str, *, namespace: str, count: int) -> dict[str, dict[str, str]]:
    """App Secrets of one namespace, each with a webhook secret of its own."""
    return {
        f"{namespace}__app-{number:03}": {
            "client_id": client_id,
            "webhook_secret_token": f"{namespace} {number}",
            "previous_webhook_secret_token": f"{namespace} previous {number}",
        }
        for number in range(count)
    }


def test_a_namespace_has_a_bounded_number_of_secrets_for_a_client_id() -> None:
    directory = AppDirectory()
    team = {"team__app": {"client_id": "c", "webhook_secret_token": "s", "previous_webhook_secret_token": "old"}}
    project(directory, **planted("c", namespace="evil", count=500), **team)
    secrets = [key.secret.get_secret_value() for key in directory.keys("c")]
    assert len(secrets) == KEYS_PER_NAMESPACE + 2
    assert {"s", "old"} <= set(secrets)


def test_many_namespaces_do_not_displace_anothers_secrets() -> None:
    directory = AppDirectory()
    evil: dict[str, dict[str, str]] = {}
    for number in range(40):
        evil |= planted("c", namespace=f"evil-{number}", count=9)
    team = {"zteam__app": {"client_id": "c", "webhook_secret_token": "s"}}
    project(directory, **evil, **team)
    secrets = [key.secret.get_secret_value() for key in directory.keys("c")]
    assert len(secrets) == KEYS_PER_CLIENT_ID
    assert "s" in secrets


def created(namespace: str, app: str, *, account: str = "", at: str = "2026-11-24T12:00:00Z") -> dict[str, Any]:
    """A credential of the app Secret `app`, identified by Zoom if it has an account."""
    status = {"userId": "u", "accountId": account} if account else {}
    return {
        "metadata": {"namespace": namespace, "name": app, "creationTimestamp": at},
        "spec": {"appSecretRef": {"name": app}},
        "status": status,
    }


def test_a_hundred_namespaces_do_not_displace_an_identified_credentials_secrets() -> None:
    directory = AppDirectory()
    evil: dict[str, dict[str, str]] = {}
    for number in range(100):
        evil |= planted("c", namespace=f"evil-{number}", count=3)
        directory.on_credential(
            f"evil-{number}", "app-000", created(f"evil-{number}", "app-000", at="2026-01-01T00:00:00Z")
        )
    team = {"zteam__app": {"client_id": "c", "webhook_secret_token": "s", "previous_webhook_secret_token": "old"}}
    directory.on_credential("zteam", "app", created("zteam", "app"))
    project(directory, **evil, **team)
    assert "s" not in {key.secret.get_secret_value() for key in directory.keys("c")}
    directory.on_credential("zteam", "app", created("zteam", "app", account="acc"))
    secrets = [key.secret.get_secret_value() for key in directory.keys("c")]
    assert {"s", "old"} <= set(secrets)
    assert len(secrets) == KEYS_PER_CLIENT_ID
    directory.on_credential("zteam", "app", None)
    assert "s" not in {key.secret.get_secret_value() for key in directory.keys("c")}


@pytest.mark.parametrize(
    "condition",
    [
        {"type": "Ready", "status": "False", "reason": "AppInvalid"},
        {"type": "Reconciling", "status": "True", "reason": "AppInvalid"},
        {"type": "Ready", "status": "False", "reason": "Suspended"},
    ],
    ids=lambda one: f"{one['type']} {one['reason']}",
)
def test_credentials_identified_with_another_app_displace_no_secret(condition: dict[str, str]) -> None:
    directory = AppDirectory()
    evil: dict[str, dict[str, str]] = {}
    for number in range(100):
        evil |= planted("c", namespace=f"evil-{number}", count=1)
        name = next(iter(planted("c", namespace=f"evil-{number}", count=1))).partition("__")[2]
        item = created(f"evil-{number}", name, account="own", at="2020-01-01T00:00:00Z")
        item["status"]["conditions"] = [condition]
        directory.on_credential(f"evil-{number}", name, item)
    directory.on_credential("zteam", "app", created("zteam", "app", account="acc"))
    project(directory, **evil, zteam__app={"client_id": "c", "webhook_secret_token": "s"})
    assert "s" in {key.secret.get_secret_value() for key in directory.keys("c")}


def test_the_older_of_two_identified_credentials_comes_first() -> None:
    directory = AppDirectory()
    apps: dict[str, dict[str, str]] = {}
    for number in range(KEYS_PER_CLIENT_ID + 1):
        apps[f"ns-{number}__app"] = {"client_id": "c", "webhook_secret_token": f"s-{number}"}
        at = f"2026-01-01T00:{number % 60:02}:{number // 60:02}Z"
        directory.on_credential(f"ns-{number}", "app", created(f"ns-{number}", "app", account="acc", at=at))
    project(directory, **apps)
    secrets = {key.secret.get_secret_value() for key in directory.keys("c")}
    assert secrets == {f"s-{number}" for number in range(KEYS_PER_CLIENT_ID + 1)} - {"s-59"}


def test_an_equal_secret_counts_for_all_its_apps_also_beyond_the_limit() -> None:
    directory = AppDirectory()
    apps = planted("c", namespace="many", count=20)
    shared = {f"ns-{number}__app": {"client_id": "c", "webhook_secret_token": "s"} for number in range(300)}
    project(directory, **apps, **shared)
    found = {key.secret.get_secret_value(): key.apps for key in directory.keys("c")}
    assert len(found["s"]) == 300


def test_a_namespace_has_one_lane_however_many_client_ids_it_uses() -> None:
    directory = AppDirectory()
    app = {"webhook_secret_token": "s"}
    project(
        directory,
        evil__a={"client_id": "a", **app},
        evil__b={"client_id": "b", **app},
        evil__c={"client_id": "c", **app},
        team__c={"client_id": "c", **app},
    )
    assert directory.lane("a") == directory.lane("b")
    assert len({directory.lane(client_id) for client_id in ("a", "c", "unknown")}) == 3


def test_only_apps_of_the_namespaces_served_count() -> None:
    directory = AppDirectory(namespaces=["team"])
    app = {"client_id": "c", "webhook_secret_token": "s"}
    project(directory, team__app=app, two__app=app)
    assert [key.apps for key in directory.keys("c")] == [{Key("team", "app")}]


def test_an_app_that_is_referred_to_and_not_readable() -> None:
    directory = AppDirectory()
    assert not directory.may_be_unreadable("c")
    watch(directory, credential("alice"))
    watch(directory, credential("bob"))
    assert directory.may_be_unreadable("c")
    project(directory, **{"team__zoom-app": {"unreadable": "why", "client_id": "c"}})
    assert directory.may_be_unreadable("c")
    assert not directory.may_be_unreadable("d")
    project(directory, **{"team__zoom-app": {"client_id": "c", "webhook_secret_token": "s"}})
    assert not directory.may_be_unreadable("d")
    project(directory)
    directory.on_credential("team", "alice", None)
    assert directory.may_be_unreadable("c")
    directory.on_credential("team", "bob", None)
    assert not directory.may_be_unreadable("c")


@pytest.mark.parametrize("status", [None, {}, {"userId": None}])
def test_a_credential_nobody_consented_to_yet(status: dict[str, Any] | None) -> None:
    known = known_credential({"metadata": {"name": "alice", "namespace": "team"}, "spec": {}, "status": status})
    assert (known.user_id, known.account_id, known.level, known.app) == ("", "", Level.USER, "")


def test_all_credentials_of_an_app() -> None:
    directory = AppDirectory()
    watch(directory, credential("alice"))
    watch(directory, credential("bob", account="A2"))
    watch(directory, credential("carol", app="another"))
    assert sorted(directory.credentials_of({APP})) == [Key("team", "alice"), Key("team", "bob")]


def test_secrets_are_in_no_repr() -> None:
    assert "s3cret" not in repr(SecretStr("s3cret"))
    directory = AppDirectory()
    project(directory, team__app={"client_id": "c", "webhook_secret_token": "s3cret"})
    assert "s3cret" not in repr(directory.keys("c"))
