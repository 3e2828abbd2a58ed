"""The simulator's webhooks have exactly the fields and types that Zoom publishes."""

import json

import pytest
from jsonschema import Draft7Validator

from tests.contract.events import SENT, send_everything, subscribe
from tests.contract.schemas import zoom_types
from tests.contract.zoom import ContractZoom

# Fields that Zoom documents or sends, and that its types do not have.
UNTYPED_FIELDS = {"app_deauthorized": {"user_data_retention"}}


async def test_every_webhook_matches_its_type(zoom: ContractZoom) -> None:
    subscribe(zoom, url="http://127.0.0.1:1/nobody")
    send_everything(zoom)
    deliveries = zoom.sim.webhooks.deliveries
    assert {each.event for each in deliveries} == SENT
    wrong = []
    for delivery in deliveries:
        body = json.loads(delivery.body)
        for field in UNTYPED_FIELDS.get(delivery.event, ()):
            del body["payload"][field]
        schema = zoom_types().events[delivery.event]
        errors = Draft7Validator(schema).iter_errors(body)
        wrong += [(delivery.event, error.json_path, error.message) for error in errors]
    assert wrong == []


@pytest.mark.parametrize("name", sorted(SENT))
async def test_the_types_are_strict(name: str) -> None:
    schema = zoom_types().events[name]
    assert list(Draft7Validator(schema).iter_errors({"event": name, "event_ts": 1, "payload": {"invented": 1}}))
