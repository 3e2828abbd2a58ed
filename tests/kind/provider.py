"""Chooses what runs a kind cluster: Docker or podman, and kind's published node image or one of our own.

Docker where an engine answers, else podman. The published image where the engine can pull it, else our own, which needs
Linux and Go. `KIND_EXPERIMENTAL_PROVIDER` (kind's own variable: docker or podman) and `KIND_NODE_IMAGE` overrule that.
"""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.programs import ToolError, cache_folder
from tests.cluster.progress import say
from tests.kind.debian import PODMAN, System, ensure_packages
from tests.kind.engine import Engine, EngineName
from tests.kind.podman_settings import Limits, write_settings

# The default of the pinned kind, whose digest is in its sources (pkg/apis/config/defaults).
PUBLISHED_NODE = (
    "docker.io/kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
)
ANSWER_SECONDS = 10
PULL_SECONDS = 900
REMEMBER_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True, kw_only=True)
class Provider:
    """What a cluster is made with; an empty `node_image` stands for our own, which may have to be built first."""

    engine: Engine
    node_image: str


def choose_provider(*, environ: Mapping[str, str] = os.environ) -> Provider:
    """The best provider of this machine, made ready if need be; ToolError says what is missing and how to get it."""
    engine = choose_engine(environ=environ)
    wished = environ.get("KIND_NODE_IMAGE", "")
    if wished:
        node = wished
    elif _cgroup_v2() and can_pull(PUBLISHED_NODE, engine=engine, cache=cache_folder(environ=environ)):
        node = PUBLISHED_NODE
    else:  # Kubernetes of the published image does not run on version 1 of cgroups
        node = ""
    say(f"kind clusters on {engine.name} with {node or 'a node image of our own'}")
    return Provider(engine=engine, node_image=node)


def choose_engine(*, environ: Mapping[str, str] = os.environ) -> Engine:
    """The engine of this machine; podman is installed if need be and possible."""
    name = engine_name(
        wished=environ.get("KIND_EXPERIMENTAL_PROVIDER", ""), docker_answers=lambda: _docker_answers(environ)
    )
    if name == "docker":
        return Engine(name=name, environ=dict(environ) | {"KIND_EXPERIMENTAL_PROVIDER": name})
    return _podman(environ)


def engine_name(*, wished: str, docker_answers: Callable[[], bool]) -> EngineName:
    """Which engine to use; Docker is only asked where nothing is wished for."""
    if wished == "docker":
        if not docker_answers():
            raise ToolError("KIND_EXPERIMENTAL_PROVIDER is docker, but no Docker engine answers (docker version)")
        return "docker"
    if wished == "podman":
        return "podman"
    if wished:
        raise ToolError(f"KIND_EXPERIMENTAL_PROVIDER is {wished}; docker and podman are supported here")
    return "docker" if docker_answers() else "podman"


def can_pull(image: str, *, engine: Engine, cache: Path, now: float | None = None) -> bool:
    """Whether the engine has `image` or can get it now; a refusal is remembered for a week."""
    if engine.has_image(image):
        return True
    refused = cache / f"refused-{engine.name}-{image.split('@')[0].replace('/', '_').replace(':', '_')}"
    now = time.time() if now is None else now
    if refused.is_file() and now - refused.stat().st_mtime < REMEMBER_SECONDS:
        return False
    done = engine.attempt("pull", "-q", image, label=f"pulling {image}", limit_seconds=PULL_SECONDS)
    if done.code == 0:
        return True
    say(f"{image} cannot be pulled here: {(done.errors.strip().splitlines() or ['it took too long'])[-1][:200]}")
    cache.mkdir(parents=True, exist_ok=True)
    refused.touch()
    return False


def _podman(environ: Mapping[str, str]) -> Engine:
    system = System.here()
    ensure_packages(PODMAN, what_for="a kind cluster without a Docker engine", system=system)
    ours = dict(environ) | {"KIND_EXPERIMENTAL_PROVIDER": "podman"}
    if not system.root:
        return Engine(name="podman", environ=ours)
    _make_modules_folder()
    limits = Limits.here()
    settings = write_settings(
        cache_folder(environ=environ) / "containers.conf",
        cgroup_v2=_cgroup_v2(),
        runc=shutil.which("runc", path=f"{environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") or "runc",
        limits=limits,
    )
    ours["CONTAINERS_CONF"] = str(settings)
    return Engine(name="podman", environ=ours, build_options=limits.build_options)


def _docker_answers(environ: Mapping[str, str]) -> bool:
    if shutil.which("docker", path=environ.get("PATH")) is None:
        return False
    docker = Engine(name="docker", environ=environ)
    # Asked for its server: podman's stand-in for docker has none of that name.
    done = docker.attempt("version", "--format", "{{.Server.Version}}", limit_seconds=ANSWER_SECONDS)
    return done.code == 0 and "Emulate Docker" not in done.errors and bool(done.output.strip())


def _cgroup_v2() -> bool:
    # Where this is no Linux, the engine has a virtual machine of its own, with a kernel of these years.
    return not Path("/sys/fs/cgroup").exists() or Path("/sys/fs/cgroup/cgroup.controllers").exists()


def _make_modules_folder() -> None:
    modules = Path("/lib/modules")
    if not modules.exists():
        say("making the empty folder /lib/modules, which kind mounts into its nodes")
        modules.mkdir()
