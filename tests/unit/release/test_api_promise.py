"""What docs/operators/api-promise.md promises: objects of the first release are valid in this one."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from meetingbots.models.crds import crds
from meetingbots.models.kinds import KINDS

from tests.chart.rendering import ROOT
from tests.release.compatibility import breaks, breaks_of_crd

FIRST = ROOT / "tests" / "release" / "first_release"
OLD_CRDS = [yaml.safe_load(path.read_text()) for path in sorted((FIRST / "crds").glob("*.yaml"))]
MODELS = {kind.model.KIND: kind.model for kind in KINDS}
# Changes that no object of the first release can notice.
HARMLESS = {
    # Only the API server and the operator write status; -1 stands for an object that the operator has not seen.
    "v1alpha1:.status default None became {'observedGeneration': -1}",
    # It changes only how server-side apply merges a status, and people do not apply it.
    "v1alpha1:.status x-kubernetes-map-type None became atomic",
    # It limits fields that the first release did not have.
    "v1alpha1:.spec.onBehalf rule [has(self.credentialRef), has(self.credentialRefs), "
    "has(self.credentialSelector)].filter(given, given).size() <= 1",
}


def objects() -> list[Any]:
    files = sorted((FIRST / "objects").glob("*.yaml"))
    found = [document for path in files for document in yaml.safe_load_all(path.read_text()) if document]
    return [document for document in found if document["kind"] in MODELS]


@pytest.mark.parametrize("old", OLD_CRDS, ids=lambda crd: crd["spec"]["names"]["kind"])
def test_the_crds_take_all_that_those_of_the_first_release_take(old: dict[str, Any]) -> None:
    new = next(crd for crd in crds() if crd["metadata"]["name"] == old["metadata"]["name"])
    assert set(breaks_of_crd(old, new)) - HARMLESS == set()


@pytest.mark.parametrize("one", objects(), ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_the_models_load_objects_of_the_first_release(one: dict[str, Any]) -> None:
    metadata = {"namespace": "x", "uid": "u", "resourceVersion": "1", "generation": 1, **one["metadata"]}
    loaded = MODELS[one["kind"]].model_validate({**one, "metadata": metadata})
    assert loaded.metadata.name == one["metadata"]["name"]


def test_every_kind_is_among_the_objects() -> None:
    assert {one["kind"] for one in objects()} == set(MODELS)
    assert Path(FIRST / "crds").is_dir()


def fields(schema: dict[str, Any], *, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of each field of a schema, at any depth."""
    for name, inner in schema.get("properties", {}).items():
        yield (*at, "properties", name)
        yield from fields(inner, at=(*at, "properties", name))
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), dict):
            yield from fields(schema[part], at=(*at, part))


def schema_of(crd: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


@pytest.mark.parametrize("old", OLD_CRDS, ids=lambda crd: crd["spec"]["names"]["kind"])
def test_the_removal_of_any_field_of_the_first_release_is_found(old: dict[str, Any]) -> None:
    paths = list(fields(schema_of(old)))
    assert len(paths) > 20
    new = next(crd for crd in crds() if crd["metadata"]["name"] == old["metadata"]["name"])
    for path in paths:
        crd = copy.deepcopy(new)
        place = schema_of(crd)
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]
        assert set(breaks_of_crd(old, crd)) - HARMLESS, path


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ("subresources", {"v1alpha1: subresource status"}),
        ("selectableFields", {"v1alpha1: field selector .status.phase", "v1alpha1: field selector .status.meetingId"}),
    ],
)
def test_a_lost_subresource_or_field_selector_is_a_break(part: str, found: set[str]) -> None:
    old = next(crd for crd in OLD_CRDS if crd["spec"]["names"]["kind"] == "MeetingBot")
    crd = next(crd for crd in crds() if crd["spec"]["names"]["kind"] == "MeetingBot")
    del crd["spec"]["versions"][0][part]
    assert set(breaks_of_crd(old, crd)) >= found


STRING = {"type": "string", "maxLength": 10}


@pytest.mark.parametrize(
    ("new", "found"),
    [
        (STRING, []),
        ({"type": "string", "maxLength": 20}, []),
        ({"type": "string"}, []),
        ({"type": "string", "maxLength": 9}, ["x maxLength 10 became 9"]),
        ({"type": "string", "maxLength": 10, "minLength": 1}, ["x minLength None became 1"]),
        ({"type": "integer", "maxLength": 10}, ["x type string became integer"]),
        ({**STRING, "pattern": "a"}, ["x pattern None became a"]),
        ({**STRING, "default": "a"}, ["x default None became 'a'"]),
        ({**STRING, "format": "date-time"}, ["x format None became date-time"]),
        ({**STRING, "not": {"pattern": "a"}}, ["x not None became {'pattern': 'a'}"]),
        ({**STRING, "x-kubernetes-validations": [{"rule": "self != ''"}]}, ["x rule self != ''"]),
    ],
)
def test_a_tighter_schema_is_a_break(new: dict[str, Any], found: list[str]) -> None:
    assert list(breaks(STRING, new, path="x")) == found


@pytest.mark.parametrize(
    ("new", "found"),
    [
        ({"properties": {"a": STRING, "b": STRING}}, []),
        ({"properties": {"b": STRING}}, ["x.a is dropped"]),
        ({"properties": {"a": STRING}, "required": ["a"]}, ["x fields ['a'] are required"]),
        ({"properties": {"a": {**STRING, "enum": ["one"]}}}, ["x.a only ['one'] are accepted"]),
        ({"properties": {}, "x-kubernetes-preserve-unknown-fields": True}, []),
    ],
)
def test_a_lost_or_newly_required_field_is_a_break(new: dict[str, Any], found: list[str]) -> None:
    assert list(breaks({"properties": {"a": STRING}}, new, path="x")) == found


def test_a_lost_value_is_a_break_at_any_depth() -> None:
    old = {"type": "array", "items": {"properties": {"a": {"enum": ["one", "two"]}}}}
    new = {"type": "array", "items": {"properties": {"a": {"enum": ["two", "three"]}}}}
    assert list(breaks(old, new, path="x")) == ["x[].a values ['one'] are refused"]


@pytest.mark.parametrize(
    ("old", "found"),
    [
        ({"additionalProperties": STRING}, ["x unknown fields are dropped"]),
        ({"x-kubernetes-preserve-unknown-fields": True}, ["x unknown fields are dropped"]),
        ({"x-kubernetes-list-type": "atomic"}, ["x x-kubernetes-list-type atomic became None"]),
    ],
)
def test_a_closed_map_and_another_merge_of_a_list_are_breaks(old: dict[str, Any], found: list[str]) -> None:
    assert list(breaks(old, {}, path="x")) == found
