"""The key `environment` of an app Secret selects Zoom or Zoom for Government."""

from __future__ import annotations

import pytest
from meetingbots.credentials.manifests.receiver_secret import (
    AppName,
    ProjectedApp,
    UnreadableApp,
    app_of,
    entry_key,
    entry_value,
    parse_projection,
)
from meetingbots.kube.secrets import encode_data
from meetingbots.zoom.oauth import Environment

from tests.unit.credentials.reconcile.credential_harness import Bench

NAME = AppName("team", "zoom-app")

pytestmark = pytest.mark.usefixtures("consented")


@pytest.mark.parametrize("value", ["zoom.us", "zoomgov.com", " ZoomGov.com\n"])
async def test_a_known_environment_is_used(bench: Bench, value: str) -> None:
    bench.put_secret("zoom-app", client_id="client", client_secret="app-secret", environment=value)
    await bench.operator().look()
    assert bench.ready


@pytest.mark.parametrize("value", ["zoom.example", "gov", "https://evil.test/zoom.us"])
async def test_an_unknown_environment_is_reported(bench: Bench, value: str) -> None:
    bench.put_secret("zoom-app", client_id="client", client_secret="app-secret", environment=value)
    await bench.operator().look()
    assert bench.reason == "AppInvalid"
    assert "Key environment of Secret zoom-app must be zoom.us or zoomgov.com" in (bench.condition() or {})["message"]
    assert not bench.zoom.asked


@pytest.mark.parametrize(
    ("value", "environment"),
    [("", Environment.ZOOM), ("zoom.us", Environment.ZOOM), ("zoomgov.com", Environment.GOVERNMENT)],
)
def test_the_receiver_learns_the_environment(value: str, environment: Environment) -> None:
    data = encode_data({"client_id": "c", "webhook_secret_token": "s", "environment": value})
    app = app_of(NAME, {"data": data})
    assert isinstance(app, ProjectedApp)
    assert app.environment is environment
    stored = parse_projection({"data": {entry_key(NAME): entry_value(NAME, app)}})
    assert stored[NAME] == app


def test_the_receiver_learns_of_an_unknown_environment() -> None:
    data = encode_data({"client_id": "c", "webhook_secret_token": "s", "environment": "zoom.example"})
    assert isinstance(app_of(NAME, {"data": data}), UnreadableApp)
