"""The images of a release for each architecture, as OCI layouts that come out the same for the same commit."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.cluster.programs import cache_folder, this_machine
from tests.kind.engine import Engine
from tests.kind.project_images import ProjectImages, build_images, build_simulator, choose_base
from tests.release.commit import ReleaseCommit

NAMES = ("meetingbots", "meetingbots-example-bot", "meetingbots-zoom-simulator")


@dataclass(frozen=True, kw_only=True)
class ReleasedImage:
    """An image: its OCI layout (a folder), the digest of its index, and its tag in the engine for each architecture.

    `bases` has the base image of each architecture, as NAME@sha256:….
    """

    name: str
    layout: Path
    digest: str
    tags: Mapping[str, str]
    bases: Mapping[str, str]


def build_released_images(
    commit: ReleaseCommit,
    *,
    engine: Engine,
    architectures: Sequence[str],
    into: Path,
    environ: Mapping[str, str] = os.environ,
) -> list[ReleasedImage]:
    """Build all images for all architectures (amd64, arm64); another than this machine's needs emulation (binfmt_misc).

    No layer of an earlier build is used: it would have the times of that build.
    """
    tags: dict[str, dict[str, str]] = {name: {} for name in NAMES}
    bases = {}
    for architecture in architectures:
        foreign = "" if architecture == this_machine().arch else architecture
        base = choose_base(engine=engine, cache=cache_folder(environ=environ), environ=environ, architecture=foreign)
        chosen = dict(environ) | {"BASE_IMAGE": base}
        built = build_tags(commit, engine=engine, architecture=architecture, environ=chosen)
        digest = engine.run("image", "inspect", "--format", "{{.Digest}}", base).strip()
        bases[architecture] = f"{base.partition('@')[0]}@{digest}"
        for name, tag in zip(NAMES, built, strict=True):
            tags[name][architecture] = tag
    return [_as_layout(name, tags=tags[name], commit=commit, engine=engine, into=into, bases=bases) for name in NAMES]


def build_tags(
    commit: ReleaseCommit, *, engine: Engine, architecture: str, environ: Mapping[str, str]
) -> tuple[str, str, str]:
    """Build the images for one architecture on `BASE_IMAGE`; their tags in the order of `NAMES`."""
    options = ("--no-cache", "--timestamp", str(commit.epoch), "--platform", f"linux/{architecture}")
    builder = replace(engine, build_options=(*engine.build_options, *options))
    suffix = f"{commit.version}-{architecture}"
    tags = ProjectImages(
        operator=f"localhost/release/meetingbots:{suffix}",
        example_bot=f"localhost/release/meetingbots-example-bot:{suffix}",
        simulator=f"localhost/release/meetingbots-zoom-simulator:{suffix}",
    )
    images = build_images(engine=builder, tags=tags, environ=environ)
    simulator = build_simulator(images, engine=builder)
    return images.operator, images.example_bot, simulator


def _as_layout(
    name: str,
    *,
    tags: Mapping[str, str],
    bases: Mapping[str, str],
    commit: ReleaseCommit,
    engine: Engine,
    into: Path,
) -> ReleasedImage:
    manifest = f"localhost/release/{name}:{commit.version}"
    engine.attempt("manifest", "rm", manifest)
    engine.run("manifest", "create", manifest, *(f"containers-storage:{tag}" for tag in tags.values()))
    layout = into / name
    shutil.rmtree(layout, ignore_errors=True)
    engine.run("manifest", "push", "--all", "-q", manifest, f"oci:{layout}:{commit.version}", label=f"writing {name}")
    engine.run("manifest", "rm", manifest)
    return ReleasedImage(name=name, layout=layout, digest=index_digest(layout), tags=dict(tags), bases=bases)


def index_digest(layout: Path) -> str:
    """Read the digest of the one image or index in an OCI layout."""
    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
    return str(entry["digest"])
