"""Sends webhook events as fast as Python can: ready-made requests over kept connections, answers timed.

The sender shares a machine with what it measures, so it does as little as possible for each event.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tests.zoomsim.webhooks import sign


@dataclass(frozen=True, slots=True)
class Answer:
    """HTTP status (0: the connection ended without one), and seconds from sending to the answer."""

    status: int
    seconds: float


def counts(answers: Iterable[Answer]) -> dict[int, int]:
    """How often each status was answered."""
    return dict(sorted(Counter(answer.status for answer in answers).items()))


def event_body(event: str, *, account_id: str, event_ts: int, item: dict[str, Any]) -> bytes:
    """The body of an event about `item`."""
    content = {"event": event, "event_ts": event_ts, "payload": {"account_id": account_id, "object": item}}
    return orjson.dumps(content)


def signed_request(body: bytes, *, client_id: str, secret: str, timestamp: int | None = None) -> bytes:
    """The whole HTTP request, signed with the app's webhook secret."""
    stamp = int(time.time()) if timestamp is None else timestamp
    headers = {
        "Host": "receiver",
        "x-zm-request-timestamp": str(stamp),
        "x-zm-signature": sign(secret=secret, timestamp=stamp, body=body),
    }
    return request(f"/webhooks/{client_id}", body, headers=headers)


def request(path: str, body: bytes, *, headers: dict[str, str]) -> bytes:
    """A POST of JSON with these headers."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Content-Type: application/json; charset=utf-8",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def send_all(requests: Sequence[bytes], *, port: int, connections: int = 64) -> list[Answer]:
    """Send each once, one after another on each connection; answers in the order in which they came."""
    waiting, answers = iter(requests), list[Answer]()
    await asyncio.gather(*(_send_from(waiting, answers, port=port) for _ in range(min(connections, len(requests)))))
    return answers


async def send_at_pace(requests: Sequence[bytes], *, port: int, per_second: float) -> list[Answer]:
    """Send them evenly spaced, whether or not earlier ones are answered; times count from when each was due."""
    loop, began = asyncio.get_running_loop(), asyncio.get_running_loop().time()
    idle: list[Line] = []

    async def one(number: int, content: bytes) -> Answer:
        due = began + number / per_second
        await asyncio.sleep(max(0.0, due - loop.time()))
        line = idle.pop() if idle else Line(port=port)
        status = await line.send(content)
        idle.append(line)
        return Answer(status, loop.time() - due)

    try:
        return list(await asyncio.gather(*(one(number, content) for number, content in enumerate(requests))))
    finally:
        for line in idle:
            line.close()


async def _send_from(waiting: Iterator[bytes], answers: list[Answer], *, port: int) -> None:
    line = Line(port=port)
    try:
        for content in waiting:
            began = time.perf_counter()
            status = await line.send(content)
            answers.append(Answer(status, time.perf_counter() - began))
    finally:
        line.close()


class Line:
    """One kept connection to a port of the loopback interface, opened when it is needed.

    `source` is the address that it comes from, any of 127.0.0.0/8 (Linux); empty: the usual one.
    """

    def __init__(self, *, port: int, source: str = "") -> None:
        self._port = port
        self._source = source
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, content: bytes) -> int:
        """Send one request; the status of its answer, 0 where none came."""
        try:
            if self._reader is None or self._writer is None:
                self._reader, self._writer = await asyncio.open_connection(
                    "127.0.0.1", self._port, local_addr=(self._source, 0) if self._source else None
                )
            self._writer.write(content)
            return await self._answer(self._reader)
        except (OSError, EOFError):
            self.close()
            return 0

    async def _answer(self, reader: asyncio.StreamReader) -> int:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        _, found, rest = head.partition(b"content-length: ")
        if found:
            await reader.readexactly(int(rest.partition(b"\r\n")[0]))
        if b"connection: close" in head:
            self.close()
        return int(head[9:12])

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None
