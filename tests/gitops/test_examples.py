"""examples/gitops: both layouts are whole, and what stands in two places is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from meetingbots.models.bot import MeetingBot
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MeetingMapping
from meetingbots.models.names import API_VERSION, GROUP

from tests.gitops import argocd_cm
from tests.gitops.argocd_cm import CONFIG_MAP
from tests.gitops.conftest import EXAMPLES, argo_scripts, documents, flux_expressions
from tests.gitops.engines import problems

KINDS = {model.KIND: model for model in (ZoomCredential, MeetingMapping, MeetingBot)}
SCRIPTS = EXAMPLES / "argocd" / "health"


def of_kind(kind: str, file: str) -> list[dict[str, Any]]:
    return [item for item in documents(EXAMPLES / file) if item["kind"] == kind]


def test_the_config_map_has_the_scripts_of_the_folder() -> None:
    folder = {f"{GROUP}_{file.stem}": file.read_text(encoding="utf-8") for file in SCRIPTS.glob("*.lua")}
    assert argo_scripts() == folder, "run `make gitops-files`"
    assert CONFIG_MAP.read_text(encoding="utf-8") == argocd_cm.text(), "run `make gitops-files`"
    assert set(folder) == {f"{GROUP}_{kind}" for kind in KINDS}


def test_flux_has_expressions_for_each_kind() -> None:
    entries = flux_expressions()
    assert [(entry["apiVersion"], entry["kind"]) for entry in entries] == [(API_VERSION, kind) for kind in KINDS]
    assert {key for entry in entries for key in entry} <= {"apiVersion", "kind", "current", "failed", "inProgress"}


def test_flux_takes_every_field(program: Path) -> None:
    files = sorted((EXAMPLES / "flux").rglob("*.yaml"))
    manifests = [(file.name, item) for file in files for item in documents(file)]
    reported = problems(program, [item for _, item in manifests])
    assert [(name, words) for (name, _), words in zip(manifests, reported, strict=True) if words] == []
    kinds = {item["kind"] for _, item in manifests}
    assert {"Kustomization", "HelmRelease", "GitRepository"} <= kinds


@pytest.mark.parametrize("kind", ["Kustomization", "HelmRelease", "GitRepository"])
def test_a_wrong_field_is_found(program: Path, kind: str) -> None:
    files = ("operator.yaml", "operator/release.yaml")
    item = next(item for file in files for item in documents(EXAMPLES / "flux" / file) if item["kind"] == kind)
    wrong = {**item, "spec": {**item["spec"], "Interval": "1m"}}
    assert problems(program, [item, wrong]) == ["", f'{kind}: unknown field "spec.Interval"']


@pytest.mark.parametrize("file", ["flux/operator.yaml", "flux/team-a.yaml"])
def test_flux_finds_its_folders_and_waits_and_prunes(file: str) -> None:
    (kustomization,) = of_kind("Kustomization", file)
    spec = kustomization["spec"]
    assert (EXAMPLES / spec["path"] / "kustomization.yaml").is_file()
    assert (spec["wait"], spec["prune"]) == (True, True)
    known = {
        item["metadata"]["name"]
        for name in ("operator", "team-a")
        for item in of_kind("Kustomization", f"flux/{name}.yaml")
    }
    assert {one["name"] for one in spec.get("dependsOn", ())} <= known


def test_argo_cd_finds_its_folders() -> None:
    (team,) = of_kind("Application", "argocd/team-a.yaml")
    assert (EXAMPLES / team["spec"]["source"]["path"] / "kustomization.yaml").is_file()
    (operator,) = of_kind("Application", "argocd/operator.yaml")
    assert (EXAMPLES.parents[1] / operator["spec"]["source"]["path"] / "Chart.yaml").is_file()


@pytest.mark.parametrize("folder", ["team", "flux/operator"])
def test_a_kustomization_names_every_file_of_its_folder(folder: str) -> None:
    (kustomization,) = documents(EXAMPLES / folder / "kustomization.yaml")
    files = {file.name for file in (EXAMPLES / folder).glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == files


@pytest.mark.parametrize("file", sorted((EXAMPLES / "team").glob("*.yaml")), ids=lambda file: file.name)
def test_what_a_team_keeps_in_git_is_of_our_kinds(file: Path) -> None:
    for item in documents(file):
        if item["kind"] != "Kustomization":
            KINDS[item["kind"]].from_object(item)


def test_a_bot_in_git_has_its_time() -> None:
    bots = [MeetingBot.from_object(item) for item in documents(EXAMPLES / "team" / "bots.yaml")]
    assert bots
    assert all(bot.spec.join_at is not None for bot in bots)
