"""The kubelet double as a command: `python -m tests.cluster.kubelet --kubeconfig FILE [--image NAME=COMMAND ...]`."""

import argparse
import os
import shlex
import signal
import sys
import threading
from pathlib import Path

from tests.cluster.kubelet.double import KubeletDouble


def image(text: str) -> tuple[str, list[str]]:
    """Parse `NAME=COMMAND`, the command in the shell's quoting."""
    name, equals, command = text.partition("=")
    if not name or not equals or not shlex.split(command):
        raise argparse.ArgumentTypeError(f"expected NAME=COMMAND, got {text!r}")
    return name, shlex.split(command)


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.kubelet", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, default=os.environ.get("KUBECONFIG"), help="default: $KUBECONFIG")
    parser.add_argument("--image", type=image, action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--node-name", default="double-1")
    options = parser.parse_args(arguments)
    if options.kubeconfig is None:
        parser.error("--kubeconfig is needed (or KUBECONFIG in the environment)")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with KubeletDouble(Path(options.kubeconfig), images=dict(options.image), node_name=options.node_name):
        print(f"node {options.node_name} is ready", flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
