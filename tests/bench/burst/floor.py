"""The floor: a bare asyncio loop that makes the same calls for each bot, and thinks nothing.

Run as `python -m tests.bench.burst.floor PLAN`, a process of its own as the operator is. It waits until the burst
begins, and then for each bot: token from Zoom, Secret, touch of the Pod, the bot's status, deletion of the Secret.
"""

import asyncio
import base64
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import orjson

from tests.bench.burst.player import ISSUED, TOUCHED
from tests.bench.burst.wire import MERGE, Object, Wire

WORKERS = 64
WARM_UP_SECONDS = 2.0


@dataclass(frozen=True)
class Place:
    """One bot: the paths of its objects, their bodies without the join token, and the access token to use."""

    meeting: str
    access_token: str
    secrets: str
    secret: Object
    pod: str
    bot: str
    status: Object


@dataclass(frozen=True)
class Plan:
    """Everything the process needs; `start` in seconds since the epoch."""

    kubeconfig: str
    zoom: str
    start: float
    places: list[Place]

    def write(self, path: Path) -> None:
        """Store it."""
        path.write_bytes(orjson.dumps(asdict(self)))


async def run(plan: Plan) -> None:
    """Wait for the beginning, then go through all bots."""
    connector = aiohttp.TCPConnector(limit=100)
    async with Wire(Path(plan.kubeconfig)) as wire, aiohttp.ClientSession(connector=connector) as zoom:
        places = iter(plan.places)
        await asyncio.sleep(max(0.0, plan.start - time.time() - WARM_UP_SECONDS))
        await asyncio.gather(*(_connect(plan, wire, zoom) for _ in range(WORKERS)))
        await asyncio.sleep(plan.start - time.time())
        await asyncio.gather(*(_work(places, plan, wire, zoom) for _ in range(WORKERS)))


async def _connect(plan: Plan, wire: Wire, zoom: aiohttp.ClientSession) -> None:
    """Open the connections before they are needed: the floor is what is done, not who was there first."""
    await wire.send("GET", plan.places[0].pod)
    async with zoom.get(plan.zoom.removesuffix("/v2") + "/healthz") as answer:
        await answer.read()


async def _work(places: Iterator[Place], plan: Plan, wire: Wire, zoom: aiohttp.ClientSession) -> None:
    for place in places:
        issued = datetime.now(UTC).isoformat()
        url = f"{plan.zoom}/meetings/{place.meeting}/jointoken/local_recording?bypass_waiting_room=true"
        async with zoom.get(url, headers={"Authorization": f"Bearer {place.access_token}"}) as answer:
            token = orjson.loads(await answer.read())["token"]
        secret = place.secret
        secret["metadata"]["annotations"][ISSUED] = issued
        secret["data"]["ZOOM_JOIN_TOKEN"] = base64.b64encode(token.encode()).decode()
        await wire.ask("POST", place.secrets, secret)
        await wire.ask("PATCH", place.pod, {"metadata": {"annotations": {TOUCHED: issued}}}, media=MERGE)
        await wire.ask("PATCH", f"{place.bot}/status", place.status, media=MERGE)
        name = secret["metadata"]["name"]
        await wire.ask("DELETE", f"{place.secrets}/{name}", {"propagationPolicy": "Background"})


def main() -> None:
    """Read the plan and run it."""
    raw = orjson.loads(Path(sys.argv[1]).read_bytes())
    places = [Place(**place) for place in raw.pop("places")]
    asyncio.run(run(Plan(places=places, **raw)))


if __name__ == "__main__":
    main()
