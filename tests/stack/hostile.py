"""The internet at its worst: all of it at once, for some seconds, on the loopback only, from a process of its own."""

import asyncio
import contextlib
import gzip
import multiprocessing
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty

from tests.stack.event_sender import Line, request, signed_request
from tests.zoomsim.webhooks import sign

IDLE_CONNECTIONS = 1000
SLOW_CONNECTIONS = 200
FORGERS = 32
MEBIBYTE = 1024 * 1024
_DRIP_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True)
class Target:
    """The receiver's port on the loopback, an app's client id, and its webhook secret (for what is well signed)."""

    port: int
    client_id: str
    secret: str = field(repr=False)

    @property
    def path(self) -> str:
        """Where Zoom would post."""
        return f"/webhooks/{self.client_id}"


Statuses = dict[str, dict[int, int]]
"""Of each kind of request: how often each HTTP status was answered (0: the connection was closed instead)."""


@contextmanager
def hostile(target: Target, *, seconds: float) -> Iterator[Callable[[], Statuses]]:
    """Be hostile for so long; the yielded function waits for the end and returns the answers."""
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[Statuses] = context.Queue()
    process = context.Process(target=_main, args=(target, seconds, results), daemon=True)
    process.start()

    def result() -> Statuses:
        try:
            return results.get(timeout=seconds + 60)
        except Empty:
            raise TimeoutError("the hostile process did not come to its end") from None

    try:
        yield result
    finally:
        process.join(timeout=5)
        if process.is_alive():
            process.kill()
            process.join()


def _main(target: Target, seconds: float, results: "multiprocessing.Queue[Statuses]") -> None:
    results.put(asyncio.run(_all(target, seconds)))


async def _all(target: Target, seconds: float) -> Statuses:
    end = time.monotonic() + seconds
    found: Statuses = {}

    async def kind(name: str, work: Callable[[Target, float], Awaitable[Counter[int]]]) -> None:
        found[name] = dict(await work(target, end))

    await asyncio.gather(
        kind("idle", _idle),
        kind("slow headers", _slow_headers),
        kind("slow bodies", _slow_bodies),
        kind("large", _large),
        kind("too large", _too_large),
        kind("forged", _forged),
        kind("compressed", _compressed),
        kind("two signatures", _two_signatures),
        kind("two timestamps", _two_timestamps),
    )
    return found


async def _idle(target: Target, end: float) -> Counter[int]:
    """Connections that say nothing."""
    writers = []
    for _ in range(IDLE_CONNECTIONS):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", target.port)
            writers.append(writer)
    await asyncio.sleep(max(0.0, end - time.monotonic()))
    for writer in writers:
        writer.close()
    return Counter({0: len(writers)})


async def _slow_headers(target: Target, end: float) -> Counter[int]:
    head = f"POST {target.path} HTTP/1.1\r\nHost: receiver\r\nX-Slow: ".encode()
    return await _drip(target, end, head)


async def _slow_bodies(target: Target, end: float) -> Counter[int]:
    whole = signed_request(b" " * 1000, client_id=target.client_id, secret=target.secret)
    return await _drip(target, end, whole[: -len(b" " * 1000)])


async def _drip(target: Target, end: float, begin: bytes) -> Counter[int]:
    """Begin a request on many connections, and go on with one byte at a time."""

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        answer = asyncio.create_task(reader.read(12))
        try:
            writer.write(begin)
            while time.monotonic() < end and not answer.done():
                writer.write(b"x")
                await asyncio.wait({answer}, timeout=_DRIP_SECONDS)
            return int(answer.result()[9:12] or 0) if answer.done() else 0
        except OSError:
            return 0
        finally:
            answer.cancel()
            writer.close()

    return Counter(await asyncio.gather(*(one() for _ in range(SLOW_CONNECTIONS))))


async def _large(target: Target, end: float) -> Counter[int]:
    body = b'{"x": "' + b"x" * (MEBIBYTE - 9) + b'"}'
    return await _again_and_again(target, end, signed_request(body, client_id=target.client_id, secret="a guess"))


async def _too_large(target: Target, end: float) -> Counter[int]:
    body = b"x" * (MEBIBYTE + 1)
    return await _again_and_again(target, end, signed_request(body, client_id=target.client_id, secret=target.secret))


async def _compressed(target: Target, end: float) -> Counter[int]:
    body = gzip.compress(b" " * (8 * MEBIBYTE))
    headers = [*_signed_headers(target, body), ("Content-Encoding", "gzip")]
    return await _again_and_again(target, end, _with(target, body, headers))


async def _two_signatures(target: Target, end: float) -> Counter[int]:
    headers = [*_signed_headers(target, b"{}"), ("x-zm-signature", "v0=" + "0" * 64)]
    return await _again_and_again(target, end, _with(target, b"{}", headers))


async def _two_timestamps(target: Target, end: float) -> Counter[int]:
    headers = [*_signed_headers(target, b"{}"), ("x-zm-request-timestamp", "1")]
    return await _again_and_again(target, end, _with(target, b"{}", headers))


def _signed_headers(target: Target, body: bytes) -> list[tuple[str, str]]:
    stamp = int(time.time())
    signature = sign(secret=target.secret, timestamp=stamp, body=body)
    return [("Host", "receiver"), ("x-zm-request-timestamp", str(stamp)), ("x-zm-signature", signature)]


def _with(target: Target, body: bytes, headers: list[tuple[str, str]]) -> bytes:
    whole = request(target.path, body, headers={})
    more = "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
    return whole.replace(b"\r\n\r\n", b"\r\n" + more + b"\r\n", 1)


async def _again_and_again(target: Target, end: float, content: bytes) -> Counter[int]:
    """One after another on one connection, a few each second."""
    statuses, line = Counter[int](), Line(port=target.port)
    while time.monotonic() < end:
        statuses[await line.send(content)] += 1
        await asyncio.sleep(0.1)
    line.close()
    return statuses


async def _forged(target: Target, end: float) -> Counter[int]:
    """As many as the receiver answers, on some connections."""
    forged = signed_request(b'{"event":"meeting.started"}', client_id=target.client_id, secret="a guess")

    async def one() -> Counter[int]:
        statuses, line = Counter[int](), Line(port=target.port)
        while time.monotonic() < end:
            statuses[await line.send(forged)] += 1
        line.close()
        return statuses

    return sum(await asyncio.gather(*(one() for _ in range(FORGERS))), Counter[int]())
