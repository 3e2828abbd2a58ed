import re
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from tests.zoomsim.openapi import OPERATIONS, document
from tests.zoomsim.server import build_app, serving_in_thread
from tests.zoomsim.sim import ZoomSim


def routes() -> set[str]:
    found = set()
    for route in build_app(ZoomSim()).router.routes():
        path = route.resource.canonical if route.resource else ""
        if path.startswith("/sim/") and route.method != "HEAD":
            found.add(f"{route.method} {path.removeprefix('/sim/')}")
    return found


def test_every_control_route_is_described() -> None:
    assert {operation.route for operation in OPERATIONS} == routes()


def references(content: Any) -> set[str]:
    if isinstance(content, dict):
        own = {content["$ref"]} if isinstance(content.get("$ref"), str) else set()
        return own.union(*(references(value) for value in content.values()))
    return set().union(*(references(value) for value in content)) if isinstance(content, list) else set()


def test_each_schema_is_valid_and_each_reference_leads_to_one() -> None:
    made = document()
    for schema in made["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    names = {reference.rpartition("/")[2] for reference in references(made)}
    assert names <= set(made["components"]["schemas"])


def test_operation_ids_are_unique() -> None:
    ids = [one["operationId"] for path in document()["paths"].values() for one in path.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.body], ids=lambda one: one.route)
def test_a_body_that_the_schema_refuses_is_refused(operation: Any) -> None:
    with serving_in_thread() as zoom:
        method, _, path = operation.route.partition(" ")
        url = f"{zoom.base_url}/sim/{re.sub('{act}', 'start', re.sub('{id}', '1', path))}"
        answer = httpx.request(method, url, timeout=60, trust_env=False, json={"no_such_field": 1})
    assert answer.status_code == 400
    assert "no_such_field" in answer.json()["error"]
