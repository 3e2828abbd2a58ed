"""A registry for the tests: Debian's docker-registry on a port of the loopback interface, with its data in a folder."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from tests.kind.cluster import KindCluster
from tests.kind.debian import System, ensure_packages

PACKAGE = {"docker-registry": "docker-registry"}
PROGRAM = "/usr/bin/docker-registry"
ANSWER_SECONDS = 60.0


def settings(*, data: Path, port: int) -> str:
    """Write the registry's settings."""
    return yaml.safe_dump(
        {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(data)}},
            "http": {"addr": f"127.0.0.1:{port}"},
            "log": {"level": "warn"},
        }
    )


@contextmanager
def running_registry(folder: Path, *, port: int) -> Iterator[Path]:
    """Run the registry; yields the folder of its data."""
    ensure_packages(PACKAGE, what_for="a registry for the tests", system=System.here())
    data = folder / "data"
    (folder / "registry.yaml").write_text(settings(data=data, port=port))
    with (
        (folder / "registry.log").open("w") as log,
        subprocess.Popen([PROGRAM, "serve", str(folder / "registry.yaml")], stdout=log, stderr=log) as process,
    ):
        try:
            _wait_answers(process, f"http://127.0.0.1:{port}/v2/", log=folder / "registry.log")
            yield data
        finally:
            process.terminate()


def copy_into_node(data: Path, *, cluster: KindCluster, port: int, folder: Path) -> None:
    """Run a copy of the registry on the node, where `localhost:PORT` is the node itself."""
    node = cluster.node_name
    (folder / "node.yaml").write_text(settings(data=Path("/registry/data"), port=port))
    cluster.node("mkdir", "-p", "/registry")
    for source, target in ((PROGRAM, "program"), (data, "data"), (folder / "node.yaml", "settings.yaml")):
        cluster.engine.run("cp", source, f"{node}:/registry/{target}")
    cluster.engine.run("exec", "-d", node, "/registry/program", "serve", "/registry/settings.yaml")


def _wait_answers(process: "subprocess.Popen[bytes]", url: str, *, log: Path) -> None:
    until = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise RuntimeError(f"the registry does not answer: {log.read_text()[-2000:]}")
