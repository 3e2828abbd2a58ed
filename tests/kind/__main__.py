"""A kind cluster as a command: `python -m tests.kind start | stop | run | prepare | load IMAGE` (`make kind`).

`start` makes the cluster, gives it the project's images and returns; `run` does the same and takes it away at Ctrl-C.
`prepare` only gets what a cluster is made from; exit code 3 with the reason where this machine cannot have one.
`load` gives an image of your own to the cluster's node.
"""

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path

from tests.cluster.binaries import find
from tests.cluster.programs import HELM, ToolError, cache_folder, this_machine
from tests.cluster.service import ClusterError
from tests.kind.cluster import KindCluster
from tests.kind.project_images import build_images

DEFAULT_NAME = "meetingbots"
CANNOT = 3


def start(cluster: KindCluster) -> None:
    """Create it and load the images; they are built first, so that what cannot be built is known at once."""
    began = time.monotonic()
    images = build_images(engine=cluster.engine)
    cluster.create()
    for tag in (images.operator, images.example_bot):
        cluster.load(tag)
    print(
        f"The kind cluster {cluster.name} is up after {time.monotonic() - began:.0f} s. It has the images\n"
        f"  {images.operator}\n  {images.example_bot}\n"
        "In another shell:\n"
        f"  export KUBECONFIG={cluster.kubeconfig()}\n"
        f'  export PATH="{path_of(cluster.tools)}:$PATH"\n'
        "  kubectl get nodes\n"
        f"An image of your own: .venv/bin/python -m tests.kind load IMAGE --name {cluster.name}",
        flush=True,
    )


def path_of(tools: Path) -> str:
    """The folders of kind, kubectl, and helm if it is built already."""
    helm = find(programs=HELM, assets=None, downloaded=None, cache=cache_folder(), target=this_machine()).get("helm")
    return os.pathsep.join([str(tools), *([str(helm.path.parent)] if helm is not None else [])])


def run(cluster: KindCluster) -> None:
    """Create it, wait for SIGINT or SIGTERM, and take it away."""
    stop = threading.Event()
    start(cluster)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    print("Ctrl-C takes it away.", flush=True)
    stop.wait()
    cluster.delete()


def prepare(cluster: KindCluster) -> int:
    """Get ready for a cluster; what is missing goes to standard output, for whoever runs this to pass on."""
    try:
        cluster.prepare()
    except (ClusterError, ToolError) as error:
        print(f"no kind cluster can be had here: {error}")
        return CANNOT
    return 0


def main(arguments: list[str]) -> int:
    """Do what is asked; exit code 1 with the reason if that fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.kind", description=__doc__)
    parser.add_argument("verb", choices=("start", "stop", "run", "prepare", "load"))
    parser.add_argument("image", nargs="?", help="for load: the tag of an image of your engine")
    parser.add_argument("--name", default=DEFAULT_NAME, help=f"of the cluster; default: {DEFAULT_NAME}")
    options = parser.parse_args(arguments)
    cluster = KindCluster(options.name)
    try:
        match options.verb:
            case "start":
                start(cluster)
            case "run":
                run(cluster)
            case "prepare":
                return prepare(cluster)
            case "load":
                cluster.load(options.image or parser.error("load needs an image"))
            case _:
                there = cluster.exists()
                cluster.delete()
                print("deleted" if there else f"there is no kind cluster named {options.name}")
    except (ClusterError, ToolError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
