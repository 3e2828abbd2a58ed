"""The programs that check the chart: helm, helm-unittest (which renders with Helm 3's engine), kubeconform.

As a program it builds them; the first build takes minutes.
"""

import sys
from pathlib import Path

from tests.cluster.binaries import ensure_binaries
from tests.cluster.gomodules import module_folders
from tests.cluster.programs import HELM, Program, ToolError
from tests.cluster.progress import say

CHART_PROGRAMS: tuple[Program, ...] = (
    *HELM,
    Program(
        name="helm-unittest",
        module="helm-unittest",
        requires="github.com/helm-unittest/helm-unittest",
        package="github.com/helm-unittest/helm-unittest/cmd/helm-unittest",
    ),
    Program(
        name="kubeconform",
        module="kubeconform",
        requires="github.com/yannh/kubeconform",
        package="github.com/yannh/kubeconform/cmd/kubeconform",
    ),
)

_PROMETHEUS = "example/prometheus-operator-crd/monitoring.coreos.com"
_FOREIGN = {
    "sigs.k8s.io/gateway-api": ("config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",),
    "github.com/prometheus-operator/prometheus-operator": (
        f"{_PROMETHEUS}_servicemonitors.yaml",
        f"{_PROMETHEUS}_podmonitors.yaml",
        f"{_PROMETHEUS}_prometheusrules.yaml",
    ),
}


def foreign_crds() -> list[Path]:
    """Get the CRDs of other projects for objects of the chart, from their Go modules; ToolError without Go."""
    folders = module_folders("foreign-crds", _FOREIGN, what="CRDs of other projects")
    return [folders[name] / file for name, files in _FOREIGN.items() for file in files]


def main() -> int:
    """Build everything; on failure print the reason to stderr and return 1."""
    try:
        ensure_binaries(programs=CHART_PROGRAMS)
        foreign_crds()
    except ToolError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
