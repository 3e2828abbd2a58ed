"""What people copy is taken by the API server: `kubectl apply -f examples/`, and each object of ours on the pages."""

import os
import subprocess
from pathlib import Path

import pytest
from meetingbots.models.kinds import KINDS

from tests.cluster.controlplane import ControlPlane
from tests.unit.pages.yaml_blocks import Document, of_pages

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
    lines = done.stdout.splitlines()
    assert all(line.endswith(" created") for line in lines)
    assert "zoomcredential.meetingbots.dev/alice created" in lines
    assert len(lines) >= len(list(EXAMPLES.glob("*.yaml")))


OURS = {kind.model.KIND: kind.model.PLURAL for kind in KINDS}
ON_PAGES = [one for one in of_pages() if isinstance(one.content, dict) and one.content.get("kind") in OURS]


@pytest.mark.parametrize("document", ON_PAGES, ids=lambda one: one.place)
def test_the_pages_objects_pass_every_rule_of_the_crds(cluster: ControlPlane, document: Document) -> None:
    content = document.content
    metadata = {**content["metadata"], "namespace": "default"}
    path = f"/apis/{content['apiVersion']}/namespaces/default/{OURS[content['kind']]}"
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    cluster.api.request("POST", path, {**content, "metadata": metadata}, query=query)
