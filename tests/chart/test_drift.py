"""Copies in the chart match their sources: CRDs, versions, values and their schema, values and the README."""

import base64
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from meetingbots import __version__

from tests.chart.readme import rows, table, with_table
from tests.chart.rendering import CHART, ROOT, Helm, of_kind
from tests.chart.schema_texts import with_descriptions

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
# Maps, objects that only Kubernetes checks, and the global values of a parent chart.
OPEN = {
    "definitions.stringMap",
    "definitions.resources.requests",
    "definitions.resources.limits",
    "definitions.podTemplate.spec",
    "definitions.extraObject",
    "definitions.scalingBehavior",
    "definitions.volume",
    "global",
    "simulator.scenario",
}


def test_the_chart_has_the_crds_of_the_repository() -> None:
    ours = {path.name: path.read_text() for path in (ROOT / "crds").glob("*.yaml")}
    copies = {path.name: path.read_text() for path in (CHART / "files" / "crds").glob("*.yaml")}
    assert ours
    assert copies == ours, "run: make chart-files"


def test_the_crds_are_rendered_as_they_are(helm: Helm) -> None:
    files = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").glob("*.yaml"))]
    rendered = of_kind(helm.template(), "CustomResourceDefinition")
    assert {one["metadata"]["name"]: one["spec"] for one in rendered} == {
        one["metadata"]["name"]: one["spec"] for one in files
    }


def test_the_versions_are_the_packages() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_the_icon_is_the_drawing() -> None:
    """Artifact Hub reads a data URL; an address of the web would have to be reachable."""
    kind, _, data = yaml.safe_load((CHART / "Chart.yaml").read_text())["icon"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(data) == (ROOT / "docs" / "icon.svg").read_bytes()


def test_the_readme_has_the_present_values() -> None:
    readme = (CHART / "README.md").read_text()
    assert readme == with_table(readme, (CHART / "values.yaml").read_text()), "run: make chart-files"


def test_the_readme_has_every_value() -> None:
    documented = [row.path for row in rows((CHART / "values.yaml").read_text())]
    assert len(documented) == len(set(documented))
    for path in _paths(VALUES):
        assert any(path == one or path.startswith(f"{one}.") for one in documented), path


def test_a_value_without_a_comment_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"b\.d has no comment"):
        rows("# first\na: 1\nb:\n  # third\n  c: 3\n  d: 4\n")


def test_rows_have_defaults_and_text() -> None:
    text = "# One | two,\n# three.\na: [1]\nb:\n  # Deep.\n  c: {d: x}\n"
    assert table(text).splitlines()[2:] == [
        r"| `a` | `[1]` | One \| two, three. |",
        '| `b.c` | `{"d": "x"}` | Deep. |',
    ]


def test_every_object_of_the_schema_is_closed() -> None:
    for path, node in _nodes(SCHEMA):
        if path in OPEN:
            continue
        types = node.get("type") if isinstance(node.get("type"), list) else [node.get("type")]
        if "object" in (types or []) or "properties" in node:
            assert node.get("additionalProperties") is False, path


def test_schema_and_values_have_the_same_keys() -> None:
    in_schema = set(_properties(SCHEMA, ""))
    in_values = set(_paths(VALUES))
    missing = {path for path in in_values if not any(path == one or path.startswith(f"{one}.") for one in in_schema)}
    assert not missing, "keys that the schema would refuse"
    unknown = {one for one in in_schema if not any(path == one or path.startswith(f"{one}.") for path in in_values)}
    assert unknown == {"global"}, "keys that values.yaml does not have"


def test_the_rbac_rules_are_read_from_the_files_that_the_tests_use() -> None:
    text = (CHART / "templates" / "rbac.yaml").read_text()
    assert re.search(r"Files\.Get \(printf \"rbac/%s\.yaml\"", text)
    assert {path.name for path in (CHART / "rbac").iterdir()} == {"operator.yaml", "receiver.yaml"}


def test_no_test_is_packaged(helm: Helm, tmp_path: Path) -> None:
    helm.run("package", str(CHART), "--destination", str(tmp_path))
    [archive] = tmp_path.glob("*.tgz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    assert not {name for name in names if name.startswith("tests/")}
    assert {"rbac/operator.yaml", "rbac/receiver.yaml", "values.schema.json", "README.md"} <= names
    assert len([name for name in names if name.startswith("files/crds/")]) == 3


def _paths(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _paths(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _properties(node: dict[str, Any], prefix: str) -> Iterator[str]:
    """Paths of the chart's own keys; what is defined by Kubernetes (a map or a reference) ends one."""
    for key, named in node["properties"].items():
        ours = named.get("$ref") == "#/definitions/serviceAccount"
        child = SCHEMA["definitions"]["serviceAccount"] if ours else named
        if "properties" in child:
            yield from _properties(child, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _nodes(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, list):
        for child in node:
            yield from _nodes(child, path)
    if not isinstance(node, dict):
        return
    yield path, node
    for keyword in ("properties", "definitions"):
        for key, child in node.get(keyword, {}).items():
            prefix = "definitions." if keyword == "definitions" else f"{path}." if path else ""
            yield from _nodes(child, f"{prefix}{key}")
    for keyword in ("items", "oneOf", "anyOf", "allOf"):
        yield from _nodes(node.get(keyword), f"{path}[]" if keyword == "items" else path)


def test_the_schema_describes_each_value_as_values_yaml_does() -> None:
    schema = (CHART / "values.schema.json").read_text()
    assert with_descriptions(schema, (CHART / "values.yaml").read_text()) == schema, "run: make chart-files"
    assert SCHEMA["properties"]["simulator"]["properties"]["enabled"]["description"].startswith("Run a Zoom simulator")
