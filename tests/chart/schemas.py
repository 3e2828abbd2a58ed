"""JSON schemas for kubeconform, from the OpenAPI v3 documents of an API server, closed to unknown fields.

They match the version that the tests run, CRDs included, and need no internet.
"""

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from tests.cluster.api import Api, wait_until

LOCATION = "{{.ResourceKind}}-{{.Group}}-{{.ResourceAPIVersion}}.json"


def write_schemas(api: Api, api_versions: Iterable[str], folder: Path) -> str:
    """Write a file for each kind of these API versions (`apps/v1`, `v1`); return kubeconform's -schema-location."""
    for api_version in api_versions:
        path = f"/openapi/v3/{'apis' if '/' in api_version else 'api'}/{api_version}"
        # The document of a CRD follows some time after the CRD is served.
        wait_until(partial(_answers, api, path), what=f"{path} served")
        components = {"schemas": _closed(api.request("GET", path)["components"]["schemas"])}
        for name, schema in components["schemas"].items():
            for kind in schema.get("x-kubernetes-group-version-kind", ()):
                full = f"{kind['group']}/{kind['version']}" if kind["group"] else kind["version"]
                if full == api_version:
                    group, version = api_version.split("/")[0], kind["version"]
                    document = {"$ref": f"#/components/schemas/{name}", "components": components}
                    file = folder / f"{kind['kind'].lower()}-{group}-{version}.json"
                    file.write_text(json.dumps(document))
    return f"{folder}/{LOCATION}"


def _answers(api: Api, path: str) -> bool:
    return api.raw("GET", path)[0] == 200


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(child) for child in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(child) for key, child in node.items()}
    free = closed.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in closed
    if isinstance(closed.get("properties"), dict) and closed.get("type") == "object" and not free:
        closed["additionalProperties"] = False
    return closed
