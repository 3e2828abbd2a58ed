"""A release built from this checkout, a registry with it, and the key that signed it.

`MEETINGBOTS_RELEASE=FOLDER` uses a release that is there; it must be for `REGISTRY` and `SOURCE`.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chart.rendering import Helm
from tests.cluster.binaries import ensure_binaries
from tests.cluster.programs import HELM, this_machine
from tests.release.build import build_release
from tests.release.commit import ReleaseCommit
from tests.release.publish import Publisher, cosign_program
from tests.release.registry import running_registry
from tests.release.release import Release

PORT = 5055
REGISTRY = f"localhost:{PORT}/meetingbots"
SOURCE = "https://example.test/source"


@dataclass(frozen=True, kw_only=True)
class Published:
    """A release in its registry: the folder with its files, the registry's data, and the public key."""

    dist: Path
    data: Path
    public_key: Path
    cosign: Path
    helm: Helm
    publisher: Publisher


@pytest.fixture(scope="session")
def commit() -> ReleaseCommit:
    """The commit of this checkout."""
    return ReleaseCommit.of()


@pytest.fixture(scope="session")
def release(commit: ReleaseCommit) -> Release:
    """What is released: for this machine's architecture, or for those of the release that is there."""
    architectures = (this_machine().arch,)
    if folder := os.environ.get("MEETINGBOTS_RELEASE", ""):
        predicate = json.loads((Path(folder) / "provenance-predicate.json").read_text())
        architectures = tuple(predicate["buildDefinition"]["externalParameters"]["architectures"])
    return Release(
        commit=commit,
        registry=REGISTRY,
        architectures=architectures,
        source=SOURCE,
        builder="https://example.test/builder",
        download_url="https://example.test/files",
    )


@pytest.fixture(scope="session")
def dist(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the release."""
    if folder := os.environ.get("MEETINGBOTS_RELEASE", ""):
        return Path(folder)
    into = tmp_path_factory.mktemp("release") / "dist"
    build_release(release, into=into)
    return into


@pytest.fixture(scope="session")
def published(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """The release, pushed and signed with a key of the test."""
    folder = tmp_path_factory.mktemp("registry")
    cosign, helm = cosign_program(), Helm(ensure_binaries(programs=HELM) / "helm")
    environ = dict(os.environ) | {"COSIGN_PASSWORD": "", "COSIGN_KEY": str(folder / "cosign.key")}
    subprocess.run([cosign, "generate-key-pair"], cwd=folder, env=environ, check=True, capture_output=True)
    with running_registry(folder, port=PORT) as data:
        publisher = Publisher.of(dist, helm=helm, cosign=cosign, plain_http=True, environ=environ)
        publisher.publish()
        yield Published(
            dist=dist,
            data=data,
            public_key=folder / "cosign.pub",
            cosign=cosign,
            helm=helm,
            publisher=publisher,
        )
