"""Mappings that are not there, or not yet: how long a bot waits for them."""

import pytest
from meetingbots.kube.resources import CREDENTIALS

from tests.unit.bots.bot_builders import at
from tests.unit.bots.reconcile.bot_harness import BotHarness


async def test_without_a_mapping_a_preferred_bot_joins_without_a_token_after_three_seconds() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.kubelet.image = 1
    await harness.live(harness.operator())
    assert harness.heard() == [""]
    assert harness.heard("ZOOM_TOKEN_REASON") == ["NoMapping"]
    assert harness.condition("TokenIssued")[:2] == ("False", "NoMapping")
    assert harness.zoom.tokens.asked == []
    assert harness.kubelet.starts[0][0] == pytest.approx(3, abs=0.1)
    assert harness.condition()[:2] == ("True", "Succeeded")


async def test_a_late_mapping_is_used() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.kubelet.image = 1
    operator = harness.operator()
    await harness.live(operator, until=lambda: harness.condition()[1] == "NoMapping")
    harness.put_mapping()
    await harness.live(operator, until=harness.running)
    assert harness.heard() == ["join-token-1"]


async def test_a_required_bot_without_a_mapping_fails_with_no_mapping() -> None:
    harness = BotHarness()
    harness.put_bot(tokenPolicy="Required")
    operator = harness.operator()
    await harness.live(operator)
    assert harness.condition()[:2] == ("False", "NoMapping")
    assert harness.condition("Stalled")[0] == "True"
    await operator.look()
    assert (harness.pods(), harness.join_secrets()) == ([], [])


async def test_the_wait_for_a_mapping_starts_with_the_process() -> None:
    harness = BotHarness()
    harness.clock.forward(3)
    harness.put_bot(credentialSelector={"matchLabels": {"customer": "acme"}}, joinAt=at(100).isoformat())
    harness.kubelet.image = 1
    harness.clock.forward(97)
    await harness.live(harness.operator(), until=harness.running)
    assert harness.kubelet.starts[0][0] == pytest.approx(103, abs=0.1)


@pytest.mark.parametrize(
    ("status", "reason", "named"),
    [("False", "SignatureInvalid", True), ("Unknown", "NothingReceived", True), ("True", "Receiving", False)],
)
async def test_no_mapping_names_the_credentials_without_webhooks(status: str, reason: str, named: bool) -> None:
    harness = BotHarness()
    spec = {"appSecretRef": {"name": "zoom-app"}, "grant": {"connect": {}}}
    condition = {"type": "WebhookReceiving", "status": status, "reason": reason, "message": "m"}
    condition["lastTransitionTime"] = "2026-01-01T12:00:00Z"
    item = {"metadata": {"namespace": "team", "name": "alice", "uid": "a"}, "spec": spec}
    harness.cluster.put(CREDENTIALS, item | {"status": {"conditions": [condition]}})
    harness.put_bot(tokenPolicy="Required")
    await harness.live(harness.operator(), until=lambda: harness.condition()[1] == "NoMapping")
    expected = f"condition WebhookReceiving of ZoomCredential alice ({reason})"
    assert (expected in harness.condition("TokenIssued")[2]) is named
