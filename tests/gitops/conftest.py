"""What the tests stand on: the examples as they are, and the engines with what the examples configure."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.gitops import engines
from tests.gitops.argocd_cm import CONFIG_MAP, KEY_PREFIX
from tests.gitops.engines import Engines

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "gitops"


def documents(path: Path) -> list[dict[str, Any]]:
    """The objects in a YAML file."""
    return [item for item in yaml.safe_load_all(path.read_text(encoding="utf-8")) if item]


def flux_expressions() -> list[dict[str, str]]:
    """HealthCheckExprs of the team's Kustomization."""
    team = next(item for item in documents(EXAMPLES / "flux" / "team-a.yaml") if item["kind"] == "Kustomization")
    found: list[dict[str, str]] = team["spec"]["healthCheckExprs"]
    return found


def argo_scripts() -> dict[str, str]:
    """The scripts as they stand in the ConfigMap, by GROUP_KIND."""
    (config,) = documents(CONFIG_MAP)
    return {key.removeprefix(KEY_PREFIX): script for key, script in config["data"].items()}


@pytest.fixture(scope="session")
def program() -> Path:
    """The program with the engines; built if it is missing."""
    return engines.program()


@pytest.fixture(scope="session")
def judges(program: Path) -> Engines:
    """The engines, configured as the examples tell people to."""
    return Engines(program=program, flux=flux_expressions(), argo=argo_scripts())
