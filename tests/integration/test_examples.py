"""`kubectl apply -f examples/` as people type it: everything in the folder is an object that the API server takes."""

import os
import subprocess
from pathlib import Path

from tests.cluster.controlplane import ControlPlane

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_the_whole_folder_can_be_applied(own_cluster: ControlPlane, tmp_path: Path) -> None:
    """On a control plane of its own: the access token's policy holds for all of a cluster."""
    done = subprocess.run(
        ["kubectl", "apply", "--namespace", "default", "-f", EXAMPLES],
        env={
            "PATH": f"{own_cluster.binaries}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "KUBECONFIG": str(own_cluster.kubeconfig()),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = done.stdout.splitlines()
    assert all(line.endswith(" created") for line in told)
    assert "zoomcredential.meetingbots.dev/alice created" in told
    assert len(told) >= len(list(EXAMPLES.glob("*.yaml")))
