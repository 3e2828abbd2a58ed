"""Builds our own node image for kind, from `node/`, Debian's packages and the programs that Go built.

Its tag has a word that changes with everything that is in it, so that the engine's storage is the cache.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.cluster.binaries import ensure_binaries
from tests.cluster.gobuild import only_one
from tests.cluster.programs import NODE, Program, cache_folder
from tests.cluster.progress import say
from tests.kind.engine import Engine
from tests.kind.root_filesystem import NODE_ROOT, ensure_root_filesystem

RECIPE = Path(__file__).resolve().parent / "node"
REGISTRY = "localhost"
PAUSE_TAG = "1"  # also in node/files/etc/containerd/config.toml
ON_THE_NODE = ("kubelet", "kubeadm", "kubectl")
IN_IMAGES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "etcd", "coredns")


@dataclass(frozen=True, kw_only=True)
class NodeVersions:
    """Versions of what a node runs, as tags of images."""

    by_program: Mapping[str, str]

    @classmethod
    def pinned(cls, programs: Iterable[Program] = NODE) -> "NodeVersions":
        """Versions in the go.mod files."""
        return cls(by_program={program.name: program.version() for program in programs})

    @property
    def kubernetes(self) -> str:
        """Such as v1.34.4."""
        return self.by_program["kubelet"]


def image_key(*, recipe: Path = RECIPE, versions: NodeVersions, root_key: str) -> str:
    """Word for everything that is in the image: settings with their modes, versions, Debian's packages."""
    parts = [root_key, repr(sorted(versions.by_program.items()))]
    for path in sorted(each for each in recipe.rglob("*") if each.is_file()):
        executable = os.access(path, os.X_OK)
        parts.append(f"{path.relative_to(recipe)} {executable} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def node_image_tag() -> str:
    """Tag of the node image that the pinned versions and this recipe lead to."""
    versions = NodeVersions.pinned()
    return f"{REGISTRY}/meetingbots-node:{versions.kubernetes}-{image_key(versions=versions, root_key=NODE_ROOT.key)}"


def ensure_node_image(*, engine: Engine, environ: Mapping[str, str] = os.environ) -> str:
    """Tag of our node image; it is built if the engine does not have it (minutes, where Go must build first)."""
    versions, tag = NodeVersions.pinned(), node_image_tag()
    if engine.has_image(tag):
        return tag
    cache = cache_folder(environ=environ)
    binaries = ensure_binaries(programs=NODE, environ=environ)
    root = ensure_root_filesystem(NODE_ROOT, engine=engine, cache=cache, environ=environ)
    with only_one(cache / ".node-image", waiting="somebody else builds the node image; waiting for it"):
        if not engine.has_image(tag):
            say(f"building {tag} (once; half a minute)")
            with TemporaryDirectory(prefix=".node-", dir=cache) as folder:
                _build(tag, Path(folder), engine=engine, binaries=binaries, root=root, versions=versions)
    return tag


def _build(tag: str, work: Path, *, engine: Engine, binaries: Path, root: str, versions: NodeVersions) -> None:
    context = work / "context"
    shutil.copytree(RECIPE / "files", context / "files")
    (context / "version").write_text(versions.kubernetes + "\n")
    _gather(ON_THE_NODE, binaries=binaries, folder=context / "bin")
    _gather(IN_IMAGES, binaries=binaries, folder=work / "components")
    (context / "images").mkdir()
    for component in (*IN_IMAGES, "pause"):
        image = f"{REGISTRY}/{component}:{versions.by_program.get(component, PAUSE_TAG)}"
        engine.build(
            file=RECIPE / "components.Containerfile",
            context=work / "components",
            tag=image,
            target=component,
            arguments={"ROOT": root},
        )
        engine.save(image, archive=context / "images" / f"{component}.tar")
        engine.run("rmi", image)
    engine.build(file=RECIPE / "Containerfile", context=context, tag=tag, arguments={"ROOT": root})


def _gather(names: Iterable[str], *, binaries: Path, folder: Path) -> None:
    folder.mkdir()
    for name in names:
        source = (binaries / name).resolve()
        try:
            (folder / name).hardlink_to(source)
        except OSError:  # another file system
            shutil.copy2(source, folder / name)
