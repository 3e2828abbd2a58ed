"""Whoever copies YAML from the pages or the examples gets objects that the API takes: shape, fields, values."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from meetingbots.models.base import ModelError
from meetingbots.models.crds import schema
from meetingbots.models.credential import GrantKind, ZoomCredential
from meetingbots.models.kinds import KINDS
from meetingbots.models.metadata import CustomResource
from meetingbots.models.names import API_VERSION

from tests.unit.pages.yaml_blocks import ROOT, Document, blocks, of_examples, of_pages, unknown_fields

OURS: dict[str, type[CustomResource]] = {kind.model.KIND: kind.model for kind in KINDS}
VALUES = yaml.safe_load((ROOT / "charts" / "meetingbots" / "values.yaml").read_text(encoding="utf-8"))
DOCUMENTS = [one for one in (*of_pages(), *of_examples()) if one.content is not None]
OBJECTS = [one for one in DOCUMENTS if isinstance(one.content, dict) and "kind" in one.content]
OF_OURS = [one for one in OBJECTS if one.content["kind"] in OURS]
PARTS = [one for one in DOCUMENTS if isinstance(one.content, dict) and set(one.content) == {"spec"}]
CHART_VALUES = [one for one in DOCUMENTS if isinstance(one.content, dict) and set(one.content) <= set(VALUES)]


def strangers(content: Any, kind: str) -> list[str]:
    """Fields that the kind does not have; of metadata, which is Kubernetes' own, names and labels are looked at."""
    rest = {key: value for key, value in content.items() if key != "metadata"}
    wrong = [*unknown_fields(rest, schema(OURS[kind]))]
    metadata = {"name", "namespace", "labels", "annotations", "generateName"}
    return wrong + [f"metadata.{key}" for key in content.get("metadata", {}) if key not in metadata]


@pytest.mark.parametrize("document", OF_OURS, ids=lambda one: one.place)
def test_our_objects_are_taken(document: Document) -> None:
    content = document.content
    assert content["apiVersion"] == API_VERSION
    OURS[content["kind"]].from_object(content)
    assert strangers(content, content["kind"]) == []
    if content["kind"] == "MeetingMapping":
        assert content["metadata"]["name"] == content["spec"]["meetingId"]


@pytest.mark.parametrize("document", OBJECTS, ids=lambda one: one.place)
def test_every_object_says_what_it_is(document: Document) -> None:
    # A kustomization.yaml is a file of the tool's own and no object.
    if not document.content["apiVersion"].startswith("kustomize.config.k8s.io/"):
        assert document.content["metadata"]["name"]


@pytest.mark.parametrize("document", PARTS, ids=lambda one: one.place)
def test_parts_of_a_spec_are_of_one_of_our_kinds(document: Document) -> None:
    assert any(strangers(document.content, kind) == [] for kind in OURS)


@pytest.mark.parametrize("document", CHART_VALUES, ids=lambda one: one.place)
def test_values_are_the_charts(document: Document) -> None:
    def unknown(given: dict[str, Any], known: dict[str, Any], at: str) -> list[str]:
        wrong = [f"{at}{key}" for key in given if key not in known]
        for key in given.keys() & known.keys():
            if isinstance(given[key], dict) and known[key]:
                wrong += unknown(given[key], known[key], f"{at}{key}.")
        return wrong

    assert unknown(document.content, VALUES, "") == []


def test_there_is_something_of_everything() -> None:
    assert {one.content["kind"] for one in OF_OURS} == set(OURS)
    assert len(OF_OURS) > 12
    assert PARTS
    assert CHART_VALUES


def test_the_page_on_credentials_shows_every_grant() -> None:
    shown = [one for one in OF_OURS if one.place.startswith("docs/users/credentials.md")]
    grants = [credential.spec.grant.kind for one in shown for credential in [ZoomCredential.from_object(one.content)]]
    assert sorted(grants) == sorted(GrantKind)


def test_what_is_wrong_is_seen() -> None:
    [block] = blocks(
        "text\n```yaml\nspec: {grant: {connect: {}}, appSecretRef: {name: a}, levle: User}\n```\n```sh\nx\n```\n"
    )
    content = yaml.safe_load(block)
    assert strangers(content, "ZoomCredential") == ["spec.levle"]
    with pytest.raises(ModelError):
        ZoomCredential.from_object({"spec": {**content["spec"], "grant": {}}})
