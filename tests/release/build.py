"""Builds all files of a release into one folder."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.chart.rendering import ROOT, Helm
from tests.cluster.binaries import ensure_binaries
from tests.cluster.programs import HELM
from tests.kind.engine import Engine
from tests.kind.project_images import LOCKS
from tests.kind.provider import choose_engine
from tests.release.archive import files_below, write_tar
from tests.release.changelog import newest_entry
from tests.release.chart import build_chart
from tests.release.checksums import checksums, provenance, sha256, statement
from tests.release.images import ReleasedImage, build_released_images
from tests.release.krew import build_plugin, manifest
from tests.release.packages import build_packages, write_crds
from tests.release.release import Release
from tests.release.sbom import components_of_image, components_of_lock, spdx


def build_release(release: Release, *, into: Path) -> list[Path]:
    """Build everything; the files of an earlier build in `into` are deleted."""
    shutil.rmtree(into, ignore_errors=True)
    layouts = into / "images"
    layouts.mkdir(parents=True)
    engine = choose_engine(environ=_podman())
    commit, changelog = release.commit, (ROOT / "CHANGELOG.md").read_text()
    images = build_released_images(commit, engine=engine, architectures=release.architectures, into=layouts)
    for image in images:
        target = into / f"{image.name}-image-{commit.version}.oci.tar"
        write_tar(target, root=image.layout, files=files_below(image.layout), epoch=commit.epoch)
    digests = {image.name: image.digest for image in images}
    helm = Helm(ensure_binaries(programs=HELM) / "helm")
    build_chart(release, helm=helm, image_digest=digests["meetingbots"], changelog=changelog, into=into)
    write_crds(commit, into=into)
    packages = build_packages(commit, into=into)
    wheel = next(file for file in packages if file.name.startswith("meetingbots-") and file.suffix == ".whl")
    archives = build_plugin(commit, wheel=wheel, into=into)
    plugin = manifest(commit, archives, homepage=release.source, download_url=release.download_url)
    (into / "krew-meetingbots.yaml").write_text(plugin)
    _write_sboms(images, release=release, wheel=wheel, engine=engine, into=into)
    (into / "RELEASE_NOTES.md").write_text(newest_entry(changelog).text + "\n")
    about = {"version": commit.version, "registry": release.registry, "images": digests}
    _write_json(into / "release.json", about | {"obstacles": release.obstacles(changelog)})
    return _finish(release, images=images, into=into)


def _write_sboms(images: list[ReleasedImage], *, release: Release, wheel: Path, engine: Engine, into: Path) -> None:
    commit = release.commit
    lock = components_of_lock((ROOT / "requirements-runtime.lock").read_text())
    document = spdx(
        "meetingbots", lock, commit=commit, digest=sha256(wheel), purl=f"pkg:pypi/meetingbots@{commit.version}"
    )
    _write_json(into / f"meetingbots-python-{commit.version}.spdx.json", document)
    for image in images:
        for architecture, tag in image.tags.items():
            purl = f"pkg:oci/{image.name}@{image.digest.replace(':', '%3A')}?arch={architecture}"
            found = components_of_image(tag, engine=engine)
            name = f"{image.name}-image-{architecture}"
            document = spdx(name, found, commit=commit, digest=image.digest, purl=purl)
            _write_json(into / f"{name}-{commit.version}.spdx.json", document)


def _finish(release: Release, *, images: Sequence[ReleasedImage], into: Path) -> list[Path]:
    commit = release.commit
    files = [path for path in into.iterdir() if path.is_file()]
    predicate = provenance(
        commit,
        source=release.source,
        builder=release.builder,
        registry=release.registry,
        architectures=release.architectures,
        locks=LOCKS,
        bases=images[0].bases,
    )
    _write_json(into / "provenance-predicate.json", predicate)
    subjects = {file.name: sha256(file) for file in files}
    subjects |= {f"{release.registry}/{one.name}": one.digest.removeprefix("sha256:") for one in images}
    _write_json(into / f"meetingbots-{commit.version}.intoto.json", statement(subjects, predicate))
    files = [path for path in into.iterdir() if path.is_file()]
    (into / "SHA256SUMS").write_text(checksums(files))
    return [*files, into / "SHA256SUMS"]


def _write_json(target: Path, content: Mapping[str, Any]) -> None:
    target.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def _podman() -> dict[str, str]:
    """Environment that chooses podman, which can set all times in an image."""
    return dict(os.environ) | {"KIND_EXPERIMENTAL_PROVIDER": "podman"}
