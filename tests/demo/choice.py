"""Chooses where the demo runs: on kind if its parts are ready, else on the embedded control plane."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.binaries import find
from tests.cluster.programs import HELM, KIND, Program, ToolError, cache_folder, this_machine
from tests.cluster.service import ClusterError
from tests.kind.engine import Engine
from tests.kind.node_image import node_image_tag
from tests.kind.provider import PUBLISHED_NODE, can_pull, choose_engine

KIND_MINUTES_READY: Final = 2
KIND_MINUTES_FROM_NOTHING: Final = 14


@dataclass(frozen=True, kw_only=True)
class Choice:
    """`kind` or `embedded`, with the reason, and the minutes that a first run on kind takes here."""

    where: str
    reason: str
    kind_minutes: int


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What this machine has. Each check is cheap, except `node_image`, which may pull kind's published image."""

    engine: Callable[[], str]
    node_image: Callable[[], bool]
    programs: Callable[[], bool]


def choose(machine: Machine) -> Choice:
    """Kind needs an engine, a node image that is there or can be pulled, and the programs kind, kubectl and helm."""
    missing = _missing(machine)
    if missing:
        return Choice(where="embedded", reason=missing, kind_minutes=KIND_MINUTES_FROM_NOTHING)
    return Choice(where="kind", reason="everything for a kind cluster is ready", kind_minutes=KIND_MINUTES_READY)


def _missing(machine: Machine) -> str:
    if not machine.engine():
        return "neither Docker nor podman is ready"
    if not machine.programs():
        return "kind, kubectl and helm are not built yet"
    if not machine.node_image():
        return "no node image is ready, and none can be pulled"
    return ""


def this_one(*, environ: Mapping[str, str] = os.environ) -> Machine:
    """The checks of this machine. None of them installs or builds anything."""
    cache = cache_folder(environ=environ)

    def engine() -> Engine | None:
        if all(shutil.which(name, path=environ.get("PATH")) is None for name in ("docker", "podman")):
            return None
        try:
            return choose_engine(environ=environ)
        except (ToolError, ClusterError):
            return None

    def has_engine() -> str:
        found = engine()
        return found.name if found is not None else ""

    def has_node_image() -> bool:
        found = engine()
        if found is None:
            return False
        wanted = environ.get("KIND_NODE_IMAGE", "") or node_image_tag()
        return found.has_image(wanted) or can_pull(PUBLISHED_NODE, engine=found, cache=cache)

    return Machine(
        engine=has_engine,
        node_image=has_node_image,
        programs=lambda: are_there((*KIND, *HELM), cache=cache, environ=environ),
    )


def are_there(programs: tuple[Program, ...], *, cache: Path, environ: Mapping[str, str]) -> bool:
    """Whether all programs are built, downloaded or installed already."""
    found = find(programs=programs, assets=None, downloaded=None, cache=cache, target=this_machine())
    installed = {p.name for p in programs if p.on_path and shutil.which(p.name, path=environ.get("PATH"))}
    return all(program.name in found or program.name in installed for program in programs)
