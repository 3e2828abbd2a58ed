"""A hostile tenant at full tilt: signed 1 MiB events of its own app, and forgeries for another tenant's app."""

import asyncio
import json
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.stack.event_sender import Line, signed_request

CONNECTIONS = 8
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class HostileApp:
    """The hostile tenant's own app, and the client id of its victim."""

    port: int
    client_id: str
    secret: str = field(repr=False)
    victim_client_id: str


@contextmanager
def flood(app: HostileApp) -> Iterator[None]:
    """Send as fast as the receiver answers, from a process of its own, while the context lasts."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_main, args=(app,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(timeout=5)


def _main(app: HostileApp) -> None:
    asyncio.run(_flood(app))


async def _flood(app: HostileApp) -> None:
    body = _large_event()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(_repeat(app.port, body, client_id=app.client_id, secret=app.secret))
            group.create_task(_repeat(app.port, body, client_id=app.victim_client_id, secret="a guess"))


def _large_event() -> bytes:
    addresses = ";".join(f"user-{number}@hostile.example" for number in range(20_000))
    settings = {"alternative_hosts": addresses}
    item = {"id": 81234567890, "host_id": "hostile", "type": 2, "settings": settings}
    content = {"event": "meeting.created", "event_ts": int(time.time() * 1000), "payload": {"account_id": "hostile"}}
    content["payload"] = {"account_id": "hostile", "object": item}
    return json.dumps(content).encode().ljust(MEBIBYTE)


async def _repeat(port: int, body: bytes, *, client_id: str, secret: str) -> None:
    line = Line(port=port)
    while True:
        await line.send(signed_request(body, client_id=client_id, secret=secret))
