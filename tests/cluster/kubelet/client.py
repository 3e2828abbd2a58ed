"""The kubelet double's connection to the API server: one aiohttp session, JSON requests and watches."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml
from meetingbots.kube.bounded_json import decode

Object = dict[str, Any]
LINE_BYTES = 4 * 1024 * 1024
PASSING = (aiohttp.ClientError, OSError, asyncio.TimeoutError)


class RefusedError(Exception):
    """The API server's answer was an error: HTTP `status` and Kubernetes' message."""

    def __init__(self, *, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class ExpiredError(Exception):
    """The watch's resourceVersion is too old: list again."""


class Client:
    """API server as described by a kubeconfig with a CA file and a token; use as an async context manager."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self._server: str = cluster["server"]
        self._context = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._token: str = config["users"][0]["user"]["token"]
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            self._server,
            connector=aiohttp.TCPConnector(ssl=self._context, limit=64),
            headers={"Authorization": f"Bearer {self._token}", "User-Agent": "kubelet-double"},
            timeout=aiohttp.ClientTimeout(total=10),
            read_bufsize=LINE_BYTES,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self, method: str, path: str, body: Object | None = None, *, content_type: str = "application/json"
    ) -> Object:
        """Answer as an object; RefusedError for an error answer, one of `PASSING` where there is none."""
        data = None if body is None else json.dumps(body)
        async with self._open().request(method, path, data=data, headers={"Content-Type": content_type}) as answer:
            text = await answer.text()
            parsed: Object = decode(text.encode()) if text.startswith("{") else {"message": text[:200]}
            if answer.status >= 400:
                raise RefusedError(status=answer.status, message=str(parsed.get("message", "")))
            return parsed

    async def get(self, path: str) -> Object | None:
        """The object, or None where there is none."""
        try:
            return await self.request("GET", path)
        except RefusedError as error:
            if error.status == 404:
                return None
            raise

    async def merge(self, path: str, patch: Object) -> Object:
        """JSON merge patch."""
        return await self.request("PATCH", path, patch, content_type="application/merge-patch+json")

    async def watch(self, path: str, *, resource_version: str) -> AsyncIterator[tuple[str, Object]]:
        """Events (type, object) after `resource_version` until the server ends the watch; ExpiredError if too old."""
        query: Mapping[str, str] = {"watch": "1", "resourceVersion": resource_version, "allowWatchBookmarks": "true"}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=None)
        async with self._open().get(path, params=query, timeout=timeout) as answer:
            if answer.status == 410:
                raise ExpiredError
            if answer.status >= 400:
                raise RefusedError(status=answer.status, message=await answer.text())
            async for line in answer.content:
                event = decode(line)
                if event["type"] == "ERROR":
                    raise ExpiredError
                if event["type"] != "BOOKMARK":
                    yield event["type"], event["object"]

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the client is not open")
        return self._session
