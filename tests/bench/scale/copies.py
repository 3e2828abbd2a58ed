"""Copies of objects, written into etcd past the API server: a hundred thousand in seconds, each as it was stored."""

import asyncio
import base64
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import aiohttp
import orjson

MOST_WRITES = 128
"""etcd's limit for a transaction."""
ROOT = "/registry/meetingbots.dev"


class Etcd:
    """A session with etcd's JSON gateway; use as an async context manager."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, key: str) -> str:
        """The stored JSON of an object."""
        answer = await self._call("range", {"key": _encoded(key)})
        return base64.b64decode(answer["kvs"][0]["value"]).decode()

    async def put(self, items: Iterable[tuple[str, str]]) -> None:
        """Write all pairs of key and JSON."""
        batch: list[object] = []
        for key, value in items:
            batch.append({"requestPut": {"key": _encoded(key), "value": _encoded(value)}})
            if len(batch) == MOST_WRITES:
                await self._call("txn", {"success": batch})
                batch = []
                await asyncio.sleep(0)
        if batch:
            await self._call("txn", {"success": batch})

    async def delete(self, folder: str) -> None:
        """Delete everything below a key that ends with a slash."""
        await self._call("deleterange", {"key": _encoded(folder), "range_end": _encoded(folder[:-1] + "0")})

    async def _call(self, method: str, body: object) -> dict[str, list[dict[str, str]]]:
        assert self._session is not None
        async with self._session.post(f"{self._url}/v3/kv/{method}", data=orjson.dumps(body)) as answer:
            raw = await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"etcd answered {answer.status}: {raw[:200].decode(errors='replace')}")
            found: dict[str, list[dict[str, str]]] = orjson.loads(raw)
            return found


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
