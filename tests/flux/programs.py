"""What of Flux the tests use: its kustomize-controller, built from its Go module, and its CRDs."""

import os
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.binaries import ensure_binaries
from tests.cluster.gomodules import module_folders
from tests.cluster.programs import Program, Target, this_machine

KUSTOMIZE = "github.com/fluxcd/kustomize-controller"
SOURCES = "github.com/fluxcd/source-controller"
KUSTOMIZE_CONTROLLER = Program(
    name="kustomize-controller", module="kustomize-controller", requires=KUSTOMIZE, package=KUSTOMIZE
)
_CRDS = Path("config", "crd", "bases")


def controller_folder(*, environ: Mapping[str, str] = os.environ) -> Path:
    """A folder with the controller for the nodes of a cluster on this machine, and with nothing else."""
    # Nodes run Linux wherever they run.
    nodes = Target(os="linux", arch=this_machine().arch)
    binaries = ensure_binaries(programs=(KUSTOMIZE_CONTROLLER,), environ=environ, target=nodes)
    return (binaries / KUSTOMIZE_CONTROLLER.name).resolve().parent


def crd_manifests() -> list[Path]:
    """The CRDs of Kustomizations and of all sources that the controller looks at; ToolError without Go."""
    folders = [
        module_folders(module, (name,), what="Flux's CRDs")[name]
        for module, name in ((KUSTOMIZE_CONTROLLER.module, KUSTOMIZE), ("flux-crds", SOURCES))
    ]
    return [file for folder in folders for file in sorted((folder / _CRDS).glob("*.yaml"))]
