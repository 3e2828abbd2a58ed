from typing import Any

from tests.flux.ownership import fields_by_manager


def entry(manager: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"manager": manager, "operation": "Apply", "fieldsV1": fields}


def test_each_field_is_reported_by_its_path() -> None:
    entries = [
        entry("git", {"f:spec": {"f:credentials": {".": {}, 'k:{"name":"alice"}': {".": {}, "f:name": {}}}}}),
        entry("git", {"f:metadata": {"f:labels": {"f:team": {}}}}),
        entry("operator", {"f:metadata": {"f:labels": {"f:live": {}}}, "f:status": {"f:phase": {}}}),
    ]
    owned = fields_by_manager({"metadata": {"managedFields": entries}})
    assert owned == {
        "git": {("f:spec", "f:credentials", 'k:{"name":"alice"}', "f:name"), ("f:metadata", "f:labels", "f:team")},
        "operator": {("f:metadata", "f:labels", "f:live"), ("f:status", "f:phase")},
    }
    assert fields_by_manager({"metadata": {}}) == {}
