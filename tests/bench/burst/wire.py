"""The bench's own connection to the API server: bytes out, objects in, as little of everything as possible.

The same for the Pod player and for the bare loop, so that both cost as little as Python can.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
import yaml

Object = dict[str, Any]
MERGE = "application/merge-patch+json"
JSON = "application/json"


class RefusedError(Exception):
    """The API server refused: HTTP status and its words."""


class Wire:
    """One session with the rights of a kubeconfig; use as an async context manager."""

    def __init__(self, kubeconfig: Path, *, connections: int = 64) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self._server: str = cluster["server"]
        self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}", "User-Agent": "bench"}
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=self._connections, ssl=self._tls)
        timeout = aiohttp.ClientTimeout(total=60)
        self._session = aiohttp.ClientSession(connector=connector, headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, method: str, path: str, body: Object | None = None, *, media: str = JSON) -> bytes:
        """The answer's bytes; RefusedError for a refusal."""
        data = None if body is None else orjson.dumps(body)
        assert self._session is not None
        async with self._session.request(
            method, self._server + path, data=data, headers={"Content-Type": media}
        ) as answer:
            raw = await answer.read()
            if answer.status >= 300:
                raise RefusedError(f"{answer.status} {method} {path}: {raw[:300].decode(errors='replace')}")
            return raw

    async def ask(self, method: str, path: str, body: Object | None = None, *, media: str = JSON) -> Object:
        """The same as an object."""
        found: Object = orjson.loads(await self.send(method, path, body, media=media))
        return found

    async def follow(self, path: str, selector: str) -> AsyncIterator[tuple[str, Object]]:
        """All objects, and then every change; never ends by itself."""
        query = f"labelSelector={selector}"
        version = "0"
        while True:
            timeout = aiohttp.ClientTimeout(total=None)
            assert self._session is not None
            url = f"{self._server}{path}?watch=1&resourceVersion={version}&{query}&allowWatchBookmarks=true"
            rest = b""
            async with self._session.get(url, timeout=timeout) as answer:
                async for chunk in answer.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        event = orjson.loads(line)
                        version = event["object"]["metadata"]["resourceVersion"]
                        if event["type"] != "BOOKMARK":
                            yield event["type"], event["object"]


async def all_of(jobs: list[Any], *, at_once: int = 48) -> list[Any]:
    """Results of coroutines, of which so many run at once."""
    turns = asyncio.Semaphore(at_once)

    async def one(job: Any) -> Any:
        async with turns:
            return await job

    return await asyncio.gather(*(one(job) for job in jobs))
