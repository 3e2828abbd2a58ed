"""Builds a release into `dist/` (`make release`), or publishes the one that is there (`make release-publish`)."""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.chart.rendering import ROOT, Helm
from tests.cluster.binaries import ensure_binaries
from tests.cluster.programs import HELM, ToolError, this_machine
from tests.cluster.progress import say
from tests.cluster.service import ClusterError
from tests.release.build import build_release
from tests.release.commit import ReleaseCommit
from tests.release.emulation import can_run
from tests.release.publish import Publisher, check_ready, cosign_program
from tests.release.release import (
    ARCHITECTURES,
    EXAMPLE_REGISTRY,
    EXAMPLE_SOURCE,
    Release,
    architectures_of,
    registry_of,
)

DIST = ROOT / "dist"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; on failure print the reason and return 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.release")
    parser.add_argument("command", choices=["build", "publish"])
    parser.add_argument(
        "--registry", default=EXAMPLE_REGISTRY, help="where images and chart are, such as ghcr.io/OWNER"
    )
    parser.add_argument("--architectures", default=",".join(ARCHITECTURES), help="amd64,arm64")
    parser.add_argument("--plain-http", action="store_true", help="the registry has no TLS")
    parser.add_argument("--dist", type=Path, default=DIST)
    wanted = parser.parse_args(arguments)
    try:
        if wanted.command == "publish":
            check_ready(wanted.dist)
            helm = Helm(ensure_binaries(programs=HELM) / "helm")
            Publisher.of(wanted.dist, helm=helm, cosign=cosign_program(), plain_http=wanted.plain_http).publish()
            return 0
        registry, asked = registry_of(wanted.registry), architectures_of(wanted.architectures)
        there = _can_build(asked)
        release = Release(
            commit=ReleaseCommit.of(),
            registry=registry,
            architectures=there,
            left_out=tuple(each for each in asked if each not in there),
            source=os.environ.get("RELEASE_SOURCE", EXAMPLE_SOURCE),
            builder=os.environ.get("RELEASE_BUILDER", f"{EXAMPLE_SOURCE}/make"),
            download_url=os.environ.get("RELEASE_DOWNLOAD_URL", f"{EXAMPLE_SOURCE}/releases"),
        )
        _print_summary(build_release(release, into=wanted.dist), release)
    except (ToolError, ClusterError, ValueError) as error:
        say(str(error))
        return 1
    return 0


def _can_build(wanted: Sequence[str]) -> tuple[str, ...]:
    there = tuple(each for each in wanted if each == this_machine().arch or can_run(each))
    for each in wanted:
        if each not in there:
            say(f"!! no image for {each}: this machine cannot emulate it (Debian: qemu-user-static, binfmt_misc)")
    if not there:
        raise ToolError(f"this machine cannot build an image for {', '.join(wanted)}")
    return there


def _print_summary(files: Iterable[Path], release: Release) -> None:
    for file in sorted(files):
        print(f"{file.stat().st_size / 1_000_000:8.1f} MB  {file.name}")
    print(f"{release.commit.version} of {release.commit.revision} for {', '.join(release.architectures)}")
    for reason in release.obstacles((ROOT / "CHANGELOG.md").read_text()):
        print(f"!! Not to be published: {reason}")


if __name__ == "__main__":
    sys.exit(main())
