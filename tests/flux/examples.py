"""What `examples/gitops/` gives to people, read as they read it."""

from pathlib import Path
from typing import Any

import yaml

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "gitops"
Object = dict[str, Any]


def team_objects() -> list[Object]:
    """What the example's team keeps in Git, without the file that lists it."""
    folder = EXAMPLES / "team"
    listed = _documents(folder / "kustomization.yaml")[0]["resources"]
    return [one for name in listed for one in _documents(folder / name)]


def health_check_exprs() -> list[Object]:
    """The health checks of our kinds in Flux."""
    (found,) = [one for one in _documents(EXAMPLES / "flux" / "team-a.yaml") if one["kind"] == "Kustomization"]
    exprs: list[Object] = found["spec"]["healthCheckExprs"]
    return exprs


def _documents(file: Path) -> list[Object]:
    return [one for one in yaml.safe_load_all(file.read_text()) if one]
