from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from meetingbots.credentials.manifests.receiver_secret import (
    LINK_SIGNING_KEY,
    AppName,
    ProjectedApp,
    UnreadableApp,
    app_of,
    entry_key,
    entry_value,
    keyring_value,
    new_projection_secret,
    parse_projection,
)
from meetingbots.credentials.manifests.signing_keys import Keyring, renewed
from meetingbots.zoom.oauth import Environment
from pydantic import SecretStr

NAME = AppName("team", "zoom-app")
APP = ProjectedApp(
    client_id="client",
    webhook_secret_token=SecretStr("hook"),
    previous_webhook_secret_token=SecretStr("older hook"),
    account_id="acc",
)


def app_secret(**values: str) -> dict[str, Any]:
    return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}}


def projection(**entries: str) -> dict[str, Any]:
    return {"data": entries}


@pytest.mark.parametrize(
    "app",
    [
        APP,
        ProjectedApp(client_id="client", webhook_secret_token=SecretStr("hook")),
        UnreadableApp(why="Secret x does not exist."),
        UnreadableApp(why="no token", client_id="client"),
        replace(APP, environment=Environment.GOVERNMENT),
        UnreadableApp(why="no token", client_id="client", environment=Environment.GOVERNMENT),
    ],
)
def test_entries_are_read_as_they_were_written(app: ProjectedApp | UnreadableApp) -> None:
    secret = new_projection_secret(namespace="system", data={entry_key(NAME): entry_value(NAME, app)})
    assert secret["metadata"]["name"] == "meetingbots-receiver"
    read = parse_projection(secret)
    assert dict(read) == {NAME: app}
    assert read[NAME] == app
    assert len(read) == 1


def test_an_environment_that_zoom_does_not_have_makes_the_app_unreadable() -> None:
    values = {"client_id": "client", "webhook_secret_token": "hook"}
    gov = app_of(NAME, app_secret(**values, environment="zoomgov.com"))
    assert gov.environment is Environment.GOVERNMENT
    odd = app_of(NAME, app_secret(**values, environment="zoom.example"))
    assert isinstance(odd, UnreadableApp)
    assert "environment" in odd.why


def test_key_is_namespace_and_name() -> None:
    assert entry_key(NAME) == "team.zoom-app"
    assert entry_key(AppName("team", "zoom.app")) == "team.zoom.app"
    assert dict(parse_projection(projection(**{"team.zoom.app": entry_value(NAME, APP)}))) == {
        AppName("team", "zoom.app"): APP
    }


def test_names_too_long_for_a_key_are_shortened_and_still_known() -> None:
    long = AppName("n" * 63, "s" * 253)
    other = AppName("n" * 63, "s" * 252 + "t")
    assert len(entry_key(long)) == 253
    assert entry_key(long) != entry_key(other)
    read = parse_projection(projection(**{entry_key(long): entry_value(long, APP)}))
    assert dict(read) == {long: APP}


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        (None, "does not exist"),
        ({}, "no key client_id"),
        (app_secret(client_id="  \n", webhook_secret_token="h"), "no key client_id"),
        (app_secret(client_id="c"), "no key webhook_secret_token"),
        ({"data": {"client_id": "%%%", "webhook_secret_token": "%%%"}}, "no key client_id"),
    ],
)
def test_unreadable_apps_say_why(secret: dict[str, Any] | None, why: str) -> None:
    app = app_of(NAME, secret)
    assert isinstance(app, UnreadableApp)
    assert why in app.why
    assert "zoom-app" in app.why


def test_values_are_stripped_and_nothing_else_is_taken_along() -> None:
    secret = app_secret(
        client_id=" client\n",
        client_secret="never",
        webhook_secret_token="hook\n",
        previous_webhook_secret_token="\tolder hook ",
        account_id="acc\n",
    )
    app = app_of(NAME, secret)
    assert app == APP
    assert "never" not in base64.b64decode(entry_value(NAME, app)).decode()
    assert "hook" not in repr(app)


def test_without_its_secret_the_client_id_is_still_known() -> None:
    app = app_of(NAME, app_secret(client_id="client"))
    assert isinstance(app, UnreadableApp)
    assert app.client_id == "client"


@pytest.mark.parametrize("value", ["", "%%%", base64.b64encode(b"[1]").decode(), base64.b64encode(b"{}").decode()])
def test_broken_entries_are_unreadable(value: str) -> None:
    assert isinstance(parse_projection(projection(**{"team.zoom-app": value}))[NAME], UnreadableApp)


def test_signing_keys_are_not_an_app() -> None:
    keyring = renewed(Keyring(), key_id="k1", secret=SecretStr("s" * 43), now=datetime(2026, 11, 24, tzinfo=UTC))
    read = parse_projection(projection(**{LINK_SIGNING_KEY: keyring_value(keyring)}))
    assert dict(read) == {}
    assert read.keyring == keyring
    assert "sss" not in repr(read)
    assert parse_projection({}).keyring == Keyring()
