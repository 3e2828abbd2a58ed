"""A person who follows only the released chart's README has a bot that records; an upgrade leaves it alone."""

import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chart.rendering import ROOT
from tests.cluster.api import wait_until
from tests.cluster.binaries import ensure_binaries
from tests.cluster.programs import HELM, KIND
from tests.kind.cluster import KindCluster
from tests.release.chart import build_chart
from tests.release.conftest import PORT, REGISTRY, Published
from tests.release.registry import copy_into_node
from tests.release.release import Release

pytestmark = pytest.mark.timeout(3600)
OLDER = "0.0.9"
SECTION = "## Try it without Zoom"


@pytest.fixture(scope="module")
def older(published: Published, release: Release, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An older chart in the registry: there is no older release yet, so it differs in its version only."""
    folder = tmp_path_factory.mktemp("older")
    build_chart(
        replace(release, commit=replace(release.commit, version=OLDER)),
        helm=published.helm,
        image_digest=published.publisher.images["meetingbots"],
        changelog=(ROOT / "CHANGELOG.md").read_text(),
        into=folder,
    )
    replace(published.publisher, dist=folder, version=OLDER).push_chart()
    return OLDER


@pytest.fixture(scope="module")
def cluster(published: Published, older: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KindCluster]:
    """A cluster that pulls from a copy of the registry."""
    running = KindCluster("meetingbots-release")
    running.delete()
    with running:
        copy_into_node(published.data, cluster=running, port=PORT, folder=tmp_path_factory.mktemp("node"))
        yield running


def readme_commands(dist: Path, *, version: str) -> str:
    """Read the shell block of the README in the packaged chart."""
    with tarfile.open(dist / f"meetingbots-{version}.tgz") as tar:
        file = tar.extractfile("meetingbots/README.md")
        assert file is not None
        _, _, section = file.read().decode().partition(SECTION)
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_readme_leads_to_a_bot_that_records_and_an_upgrade_leaves_it_alone(
    published: Published, cluster: KindCluster, older: str
) -> None:
    version = published.publisher.version
    tools = [str(ensure_binaries(programs=KIND)), str(ensure_binaries(programs=HELM))]
    environ = {
        "PATH": os.pathsep.join([*tools, os.environ["PATH"]]),
        "HOME": os.environ["HOME"],
        "KUBECONFIG": str(cluster.kubeconfig()),
    }

    def shell(script: str) -> str:
        command = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=1200, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    commands = readme_commands(published.dist, version=version)
    # The registry of the test has no TLS, and the older chart comes first.
    install = f"--plain-http --timeout 10m --version {older} --namespace"
    assert commands.count("helm install") == 1
    shell(commands.replace("--namespace", install, 1).replace("--timeout=180s", "--timeout=600s"))
    log = commands.strip().splitlines()[-1]
    assert log.startswith("kubectl logs ")
    wait_until(lambda: "\nRecording" in shell(log), what="the bot records", limit_seconds=300)
    pod = "kubectl get mbot/first -o jsonpath='{.status.podName} {.status.phase} {.status.attempts}'"
    before = shell(pod)
    chart = f"oci://{REGISTRY}/charts/meetingbots"
    shell(
        f"helm upgrade meetingbots {chart} --plain-http --version {version} --namespace meetingbots-system"
        " --reuse-values --wait --timeout 10m"
    )
    assert "first" in before
    assert shell(pod) == before
    assert f"meetingbots-{version}" in shell("helm list --namespace meetingbots-system")
