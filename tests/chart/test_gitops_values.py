"""The chart with the values that examples/gitops give it by Flux and by Argo CD."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import Helm, of_kind

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "gitops"


def values_of(tool: str) -> dict[str, Any]:
    file = {"flux": "flux/operator/release.yaml", "argocd": "argocd/operator.yaml"}[tool]
    kinds = {item["kind"]: item for item in yaml.safe_load_all((EXAMPLES / file).read_text(encoding="utf-8"))}
    if tool == "flux":
        values: dict[str, Any] = kinds["HelmRelease"]["spec"]["values"]
    else:
        values = kinds["Application"]["spec"]["source"]["helm"]["valuesObject"]
    return values


@pytest.mark.parametrize("tool", ["flux", "argocd"])
def test_the_chart_takes_the_values_of_the_examples(helm: Helm, tool: str) -> None:
    objects = helm.template(values_of(tool))
    images = {
        container["image"]
        for one in of_kind(objects, "Deployment")
        for container in one["spec"]["template"]["spec"]["containers"]
    }
    assert images == {"registry.example/meetingbots:1"}


@pytest.mark.parametrize("tool", ["flux", "argocd"])
def test_the_crds_are_kept_by_both_tools(helm: Helm, tool: str) -> None:
    crds = of_kind(helm.template(values_of(tool)), "CustomResourceDefinition")
    annotations = [crd["metadata"]["annotations"] for crd in crds]
    assert [one["helm.sh/resource-policy"] for one in annotations] == ["keep"] * 3
    if tool == "argocd":
        assert {one["argocd.argoproj.io/sync-options"] for one in annotations} == {"Prune=false,Delete=false"}
