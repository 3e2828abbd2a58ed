"""The Python packages (wheel and sdist) and the CRDs as one YAML file."""

import os
import subprocess
import sys
from pathlib import Path

from meetingbots.models.crds import crd_text, crds

from tests.cluster.programs import ToolError
from tests.kind.project_images import ROOT
from tests.release.commit import ReleaseCommit

SIMULATOR = ROOT / "simulator"


def build_packages(commit: ReleaseCommit, *, into: Path) -> list[Path]:
    """Build wheel and sdist of meetingbots, and the wheel of the simulator."""
    before = set(into.iterdir())
    environ = dict(os.environ) | {"SOURCE_DATE_EPOCH": str(commit.epoch)}
    for folder, targets in ((ROOT, ("wheel", "sdist")), (SIMULATOR, ("wheel",))):
        options = [option for target in targets for option in ("-t", target)]
        command = [sys.executable, "-m", "hatchling", "build", *options, "-d", str(into)]
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ToolError(f"the Python package of {folder.name} cannot be built:\n{done.stderr[-2000:]}")
    return sorted(set(into.iterdir()) - before)


def write_crds(commit: ReleaseCommit, *, into: Path) -> Path:
    """Write all CRDs into one file, for `kubectl apply --server-side`."""
    target = into / f"meetingbots-crds-{commit.version}.yaml"
    target.write_text("---\n".join(crd_text(crd) for crd in crds()))
    return target
