"""What a bot finds in its environment: the meeting's host and link, the SDK's JWT; and values that it cannot get."""

import json
from typing import Any

import jwt
import pytest
from meetingbots.kube.resources import CREDENTIALS, PODS, SECRETS

from tests.unit.bots.bot_builders import MEETING, UID
from tests.unit.bots.reconcile.bot_harness import BotHarness

CLIENT_SECRET = "a-made-up-client-secret-of-32-characters"


def plain(harness: BotHarness) -> dict[str, str]:
    [pod] = harness.cluster.all(PODS)
    return {one["name"]: one["value"] for one in pod["spec"]["containers"][0]["env"] if "value" in one}


@pytest.mark.parametrize(
    ("meeting", "host", "url"),
    [
        ({"id": MEETING}, "zoom.us", f"https://zoom.us/j/{MEETING}"),
        ({"id": MEETING, "passcode": "a b"}, "zoom.us", f"https://zoom.us/j/{MEETING}?pwd=a%20b"),
        (
            {"url": "https://agency.zoomgov.com/j/1612345678?pwd=MySecret.1"},
            "zoomgov.com",
            "https://agency.zoomgov.com/j/1612345678?pwd=MySecret.1",
        ),
    ],
)
async def test_the_bot_gets_host_link_and_customer_key(meeting: dict[str, str], host: str, url: str) -> None:
    harness = BotHarness()
    harness.put_bot(meeting=meeting, tokens=[])
    await harness.live(harness.operator(), until=harness.running)
    assert harness.heard("ZOOM_MEETING_URL") == [url]
    [given] = harness.heard("ZOOM_HOST") if "id" in meeting else [plain(harness)["ZOOM_HOST"]]
    assert given == host
    assert plain(harness)["ZOOM_CUSTOMER_KEY"] == UID.replace("-", "")
    assert "pwd" not in json.dumps(harness.cluster.all(PODS)), "the link holds the passcode"


async def test_the_sdk_jwt_is_signed_at_delivery_without_any_credential() -> None:
    harness = BotHarness()
    harness.put_bot(tokens=[], sdkSecretRef={"name": "zoom-sdk"}, maxDurationSeconds=7200)
    harness.put_secret("zoom-sdk", client_id="made-up-id", client_secret=CLIENT_SECRET)
    await harness.live(harness.operator(), until=harness.running)
    [token] = harness.heard("ZOOM_SDK_JWT")
    claims = jwt.decode(token, CLIENT_SECRET, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False})
    assert claims["appKey"] == "made-up-id"
    assert claims["exp"] - claims["iat"] > 7200
    assert CLIENT_SECRET not in json.dumps([harness.cluster.all(PODS), harness.bot().to_dict()])


async def test_a_missing_sdk_secret_is_reported_before_the_join() -> None:
    harness = BotHarness()
    harness.put_bot(sdkSecretRef={"name": "zoom-sdk"})
    operator = harness.operator()
    await harness.live(operator, until=harness.troubled)
    assert harness.condition()[1:] == ("ConfigError", "Secret zoom-sdk does not exist.")
    harness.put_secret("zoom-sdk", client_id="made-up-id")
    harness.clock.forward(30)
    await operator.look()
    assert harness.condition()[2] == "Secret zoom-sdk has no key client_secret."
    harness.put_secret("zoom-sdk", client_id="made-up-id", client_secret=CLIENT_SECRET)
    harness.put_mapping()
    harness.clock.forward(30)
    await harness.live(operator, until=harness.running)


@pytest.mark.parametrize("spec", [{"displayName": "a\0b"}, {"meeting": {"id": MEETING, "passcode": "12\0"}}])
async def test_a_nul_fails_before_a_pod_or_token_is_made(spec: dict[str, Any]) -> None:
    harness = BotHarness()
    harness.put_bot(**spec)
    harness.put_mapping()
    await harness.live(harness.operator(), until=harness.troubled)
    assert harness.condition()[1] == "InvalidMeeting"
    assert (harness.pods(), harness.cluster.all(SECRETS), harness.zoom.tokens.asked) == ([], [], [])


@pytest.mark.parametrize("spec", [{"tokens": []}, {}])
async def test_a_lone_id_belongs_to_the_environment_of_its_credential(spec: dict[str, Any]) -> None:
    """Also for a bot that requests no token, and for a credential that has none."""
    harness = BotHarness()
    consent = {"appSecretRef": {"name": "zoom-app"}, "grant": {"connect": {}}}
    metadata = {"namespace": "team", "name": "alice", "uid": "uid-of-alice"}
    harness.cluster.put(CREDENTIALS, {"metadata": metadata, "spec": consent})
    harness.put_secret("zoom-app", client_id="made-up-id", environment="zoomgov.com")
    harness.put_mapping()
    harness.put_bot(meeting={"id": MEETING}, **spec)
    operator = harness.operator()
    operator.tokens.not_ready.add("alice")
    await harness.live(operator, until=harness.running)
    assert (harness.heard("ZOOM_HOST"), harness.heard("ZOOM_JOIN_TOKEN")) == (["zoomgov.com"], [""])
    assert harness.heard("ZOOM_MEETING_URL") == [f"https://zoomgov.com/j/{MEETING}"]
