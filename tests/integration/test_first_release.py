"""Objects of the first release are stored by the API server with today's CRDs, and no field of them is dropped."""

from typing import Any

import pytest
from meetingbots.models.kinds import KINDS

from tests.cluster.controlplane import ControlPlane
from tests.unit.release.test_api_promise import objects

PLURALS = {kind.model.KIND: kind.model.PLURAL for kind in KINDS}


def missing(wanted: Any, stored: Any, path: str = "") -> list[str]:
    """Paths of `wanted` that are not in `stored`; defaults may be added."""
    if isinstance(wanted, dict) and isinstance(stored, dict):
        return [
            lost
            for name, value in wanted.items()
            if value is not None  # as if absent
            for lost in (missing(value, stored[name], f"{path}.{name}") if name in stored else [f"{path}.{name}"])
        ]
    return [] if wanted == stored else [path]


@pytest.mark.parametrize("one", objects(), ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_an_object_of_the_first_release_is_stored_whole(cluster: ControlPlane, one: dict[str, Any]) -> None:
    path = f"/apis/{one['apiVersion']}/namespaces/default/{PLURALS[one['kind']]}"
    body = {**one, "metadata": {**one["metadata"], "namespace": "default"}}
    stored = cluster.api.request("POST", path, body, query={"dryRun": "All", "fieldValidation": "Strict"})
    assert missing(one["spec"], stored["spec"]) == []
