"""Builds the project's images (`make image`): meetingbots itself and the example bot, on one base.

The base is `BASE_IMAGE` if set, else the published python:slim where it can be pulled, else one of Debian's packages.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from meetingbots import __version__

from tests.cluster.programs import ToolError, cache_folder
from tests.cluster.progress import say
from tests.cluster.service import ClusterError
from tests.kind.engine import Engine
from tests.kind.provider import can_pull, choose_engine
from tests.kind.root_filesystem import PYTHON_BASE, ensure_root_filesystem
from tests.kind.wheels import Interpreter, ensure_wheels

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED_BASE = "docker.io/library/python:3.13-slim"
OPERATOR = f"localhost/meetingbots:{__version__}"
EXAMPLE_BOT = f"localhost/meetingbots-example-bot:{__version__}"
SIMULATOR = f"localhost/meetingbots-zoom-simulator:{__version__}"
LOCKS = (ROOT / "requirements-build.lock", ROOT / "requirements-runtime.lock")
MEGABYTE = 1_000_000
STARTS = 3


@dataclass(frozen=True, kw_only=True)
class ProjectImages:
    """Tags of the images, as the engine and Pods name them."""

    operator: str
    example_bot: str
    simulator: str


IMAGES = ProjectImages(operator=OPERATOR, example_bot=EXAMPLE_BOT, simulator=SIMULATOR)


def build_images(
    *, engine: Engine, tags: ProjectImages = IMAGES, environ: Mapping[str, str] = os.environ
) -> ProjectImages:
    """Build the images of meetingbots and the example bot; a second time only what changed is built."""
    cache = cache_folder(environ=environ)
    base = choose_base(engine=engine, cache=cache, environ=environ)
    wheels = ensure_wheels(LOCKS, interpreter=Interpreter.of(base, engine=engine), cache=cache)
    # Not as build arguments, after which podman 4 takes layers with an older revision from its cache.
    labels = {
        "org.opencontainers.image.version": __version__,
        "org.opencontainers.image.revision": revision(ROOT),
    }
    engine.build(
        file=ROOT / "Containerfile",
        context=ROOT,
        tag=tags.operator,
        arguments={"BASE_IMAGE": base, "PIP_OPTIONS": "--no-index"},
        contexts={"wheels": wheels},
        labels=labels,
        network=False,
    )
    bot = ROOT / "examples" / "bot"
    engine.build(
        file=bot / "Containerfile",
        context=bot,
        tag=tags.example_bot,
        arguments={"BASE_IMAGE": base},
        labels=labels,
        network=False,
    )
    return tags


def build_simulator(images: ProjectImages, *, engine: Engine) -> str:
    """Build the image of the Zoom simulator upon meetingbots' own; its tag."""
    folder = ROOT / "tests" / "zoomsim"
    engine.build(
        file=folder / "Containerfile",
        context=folder,
        tag=images.simulator,
        arguments={"MEETINGBOTS_IMAGE": images.operator},
        network=False,
    )
    return images.simulator


def choose_base(*, engine: Engine, cache: Path, environ: Mapping[str, str], architecture: str = "") -> str:
    """Tag of the base image; one of Debian's packages is made if nothing else is to be had.

    `architecture` is Debian's name of one other than this machine's.
    """
    if wished := environ.get("BASE_IMAGE", ""):
        return wished
    if can_pull(PUBLISHED_BASE, engine=engine, cache=cache):
        return PUBLISHED_BASE
    recipe = replace(PYTHON_BASE, architecture=architecture)
    return ensure_root_filesystem(recipe, engine=engine, cache=cache, environ=environ)


def revision(checkout: Path) -> str:
    """Commit of the checkout, with a word if files differ from it; `unknown` where there is no git."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def start_seconds(image: str, *arguments: str, engine: Engine) -> float:
    """Seconds from asking the engine for a container to its end: the median of some, the engine's own time included."""
    restricted = ("run", "--rm", "--read-only", "--network", "none", "--cap-drop", "ALL")
    times = []
    for _ in range(STARTS):
        began = time.monotonic()
        engine.run(*restricted, image, *arguments)
        times.append(time.monotonic() - began)
    return statistics.median(times)


def main() -> int:
    """Build the images and say how large they are and how fast they start."""
    try:
        engine = choose_engine()
        images = build_images(engine=engine)
        for tag in (images.operator, images.example_bot):
            print(f"{tag}: {engine.image_size(tag) / MEGABYTE:.0f} MB unpacked, built with {engine.name}")
        seconds = start_seconds(images.operator, "operator", "--help", engine=engine)
        print(f"{images.operator} starts in {seconds:.2f} s (operator --help, which loads everything; engine included)")
    except (ToolError, ClusterError) as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
