"""Command: `python -m tests.zoomsim --port 8085 [--seed scenario.yaml]`; prints its URL, runs until stopped."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from . import scenario
from .clock import SimClock
from .server import serving
from .sim import ZoomSim


async def run(*, host: str, port: int, url: str, seed: Path | None, factor: float) -> None:
    """Serve until SIGINT or SIGTERM."""
    sim = ZoomSim(clock=SimClock(factor=factor))
    if seed is not None:
        scenario.load(sim, scenario.read(seed))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(sim, host=host, port=port, url=url):
        print(sim.base_url, flush=True)
        await stop.wait()


def main() -> None:
    """Read the arguments and run; exit with a message for a wrong scenario file."""
    parser = argparse.ArgumentParser(description="A simulator of Zoom.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8085, help="0: any free one")
    parser.add_argument("--url", default="", help="address for others; default: host and port")
    parser.add_argument("--seed", type=Path, help="scenario file (YAML or JSON) to load first")
    parser.add_argument("--factor", type=float, default=1.0, help="simulated seconds per real second")
    wanted = parser.parse_args()
    try:
        asyncio.run(run(**vars(wanted)))
    except (OSError, ValueError, LookupError) as error:
        sys.exit(f"zoomsim: {error}")


if __name__ == "__main__":
    main()
