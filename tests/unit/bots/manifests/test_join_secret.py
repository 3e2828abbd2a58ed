import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from meetingbots.bots.decide.facts import Delivery, MeetingRef
from meetingbots.bots.decide.pod_state import join_secret_name
from meetingbots.bots.manifests.environment import join_secret, read_delivery, secret_values
from meetingbots.models.bot import TokenKind
from pydantic import SecretStr

from tests.unit.bots.bot_builders import MEETING, POD, at

OWNER = {"apiVersion": "v1", "kind": "Pod", "name": POD, "uid": "uid-1"}
FULL = Delivery(
    pod_name=POD,
    kinds=(TokenKind.LOCAL_RECORDING, TokenKind.ZAK),
    delivered_at=at(2.25),
    issued_at=at(2),
    credential="alice",
    reason="NotTheHost",
    message="LiveStreaming: no.",
    spec_hash="abc",
)
BARE = Delivery(pod_name=POD, kinds=(), delivered_at=at(2))


def secret(delivery: Delivery) -> dict[str, Any]:
    values = secret_values(
        MeetingRef(MEETING, passcode=SecretStr("päss")),
        tokens={TokenKind.LOCAL_RECORDING: SecretStr("hush")},
        reason="",
        sdk_jwt=None,
    )
    return join_secret(namespace="team", bot="standup", owner=OWNER, delivery=delivery, values=values)


def test_the_secret_is_immutable_owned_and_named_after_the_pod() -> None:
    body = secret(FULL)
    metadata = body["metadata"]
    assert (metadata["name"], metadata["namespace"]) == (f"{POD}-zoom", "team") == (join_secret_name(POD), "team")
    assert metadata["ownerReferences"] == [OWNER]
    assert metadata["labels"] == {"app.kubernetes.io/managed-by": "meetingbots", "meetingbots.dev/bot": "standup"}
    assert (body["immutable"], body["type"]) == (True, "Opaque")


def test_values_are_in_its_data_only() -> None:
    body = secret(FULL)
    data = {key: base64.b64decode(value).decode() for key, value in body.pop("data").items()}
    assert data["ZOOM_MEETING_PASSCODE"] == "päss"
    assert data["ZOOM_JOIN_TOKEN"] == "hush"
    assert data["ZOOM_ZAK"] == ""
    assert "hush" not in json.dumps(body)


@pytest.mark.parametrize("delivery", [FULL, BARE, replace(FULL, kinds=(), issued_at=None, credential=None)])
def test_a_delivery_survives_the_round_trip(delivery: Delivery) -> None:
    assert read_delivery(json.loads(json.dumps(secret(delivery)))) == delivery


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "x"},
        {"name": "x", "annotations": None},
        {"name": "x", "annotations": {"other": "1"}},
        {"name": "x", "annotations": {"meetingbots.dev/delivered-at": "yesterday"}},
        {
            "name": "x",
            "annotations": {"meetingbots.dev/delivered-at": at(1).isoformat(), "meetingbots.dev/token-kinds": "?"},
        },
    ],
)
def test_a_foreign_secret_is_no_delivery(metadata: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_delivery({"metadata": metadata})
