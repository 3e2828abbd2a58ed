"""The test cluster as a command: `python -m tests.cluster` (`make cluster`) until Ctrl-C, or `--background`, `--stop`.

State, logs and the kubeconfig are in `.run/cluster/` of the checkout.
"""

import argparse
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

from tests.cluster.binaries import ensure_binaries
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.cluster.kubelet.__main__ import image
from tests.cluster.kubelet.double import KubeletDouble
from tests.cluster.programs import ToolError
from tests.cluster.service import ClusterError

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120


class Running:
    """The cluster that runs from this checkout, known by its pid file.

    It keeps a lock on that file while it lives, so that a stale number is never taken for it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pid_file = folder.parent / "cluster.pid"
        self._held: IO[str] | None = None

    def pid(self) -> int | None:
        """Its process id, or None if none runs."""
        try:
            with self._pid_file.open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            # Not yet written in the instant between the lock and the number.
            return int(self._pid_file.read_text() or 0) or None
        except FileNotFoundError:
            pass
        return None

    def require_none(self) -> None:
        """Refuse to start a second one."""
        if (pid := self.pid()) is not None:
            raise ClusterError(f"a test cluster runs already (pid {pid}); stop it with: make cluster-stop")

    def claim(self) -> None:
        """Be the cluster from now on, with a fresh folder."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self._held = self._pid_file.open("a+")
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.require_none()
            raise
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self._held.truncate(0)
        self._held.write(f"{os.getpid()}\n")
        self._held.flush()

    def release(self) -> None:
        """No cluster runs any more."""
        if self._held is not None:
            self._held.truncate(0)
            self._held.close()
            self._held = None

    def stop(self) -> bool:
        """End it and wait until it is gone; False if none ran."""
        pid = self.pid()
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        while self.pid() is not None:
            time.sleep(0.05)
        return True


def serve(running: Running, *, images: dict[str, list[str]], kubelet: bool) -> int:
    """Run the cluster until SIGINT or SIGTERM."""
    binaries = ensure_binaries()
    crds = load_crds(crd_files(ROOT / "crds"))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    running.claim()
    try:
        with ControlPlane(binaries=binaries, crds=crds, folder=running.folder, audit=True) as cluster:
            if kubelet:
                double = KubeletDouble(cluster.kubeconfig("kubelet"), images=images)
                with double:
                    announce(cluster, crds=len(crds))
                    stop.wait()
            else:
                announce(cluster, crds=len(crds))
                stop.wait()
    finally:
        running.release()
    return 0


def announce(cluster: ControlPlane, *, crds: int) -> None:
    """Say how to use it; the file is the sign for `background` that all is up."""
    text = (
        f"The test cluster is up at {cluster.server} with {crds} CRDs. In another shell:\n"
        f"  export KUBECONFIG={cluster.kubeconfig()}\n"
        f'  export PATH="{cluster.binaries}:$PATH"\n'
        "  kubectl get nodes\n"
        "Stop it with Ctrl-C or: make cluster-stop\n"
    )
    print(text, end="", flush=True)
    (cluster.folder / "ready").write_text(text)


def background(running: Running, arguments: list[str]) -> int:
    """Start this command again in the background, and return once the cluster is up."""
    ensure_binaries()  # here, so that its progress is seen
    running.folder.parent.mkdir(parents=True, exist_ok=True)
    log = running.folder.parent / "cluster.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster", *(each for each in arguments if each != "--background")],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    ready = running.folder / "ready"
    deadline = time.monotonic() + START_SECONDS
    while not (running.pid() == process.pid and ready.is_file()):
        if process.poll() is not None or time.monotonic() > deadline:
            raise ClusterError(f"the test cluster did not start:\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.05)
    print(ready.read_text(), end="")
    return 0


def main(arguments: list[str]) -> int:
    """Start or stop the cluster; exit code 1 with the reason if that fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--background", action="store_true", help="return once it is up")
    parser.add_argument("--stop", action="store_true", help="stop the one that runs")
    parser.add_argument("--no-kubelet", action="store_true", help="control plane only: Pods stay Pending")
    parser.add_argument("--image", type=image, action="append", default=[], metavar="NAME=COMMAND")
    options = parser.parse_args(arguments)
    running = Running(ROOT / ".run" / "cluster")
    try:
        if options.stop:
            print("stopped" if running.stop() else "no test cluster runs from this checkout")
            return 0
        running.require_none()
        if options.background:
            return background(running, arguments)
        return serve(running, images=dict(options.image), kubelet=not options.no_kubelet)
    except (ClusterError, ToolError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
