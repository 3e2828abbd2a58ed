"""Clients of Kubernetes and Zoom in which SIGKILL comes at the n-th call.

Between two calls nothing leaves the process, so that the points before and after each call are all the points that can
make a difference to anybody else.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from meetingbots.kube.client import Object

from tests.integration.killpoints.intercepted import InterceptedKube, KubeCall

Moment = Literal["before", "after"]


class Killer:
    """Notes calls in `trace`, a line each, and ends the process at call number `call` (from 1; 0: never)."""

    def __init__(self, *, trace: Path, call: int, moment: Moment) -> None:
        self._trace = trace
        self._at = (call, moment)
        self._count = 0

    def begin(self, what: str) -> int:
        """A call begins; answers with its number."""
        self._count += 1
        with self._trace.open("a") as file:
            file.write(f"{what}\n")
        self._strike(self._count, "before")
        return self._count

    def end(self, number: int) -> None:
        """A call's answer is there."""
        self._strike(number, "after")

    def _strike(self, number: int, moment: Moment) -> None:
        if (number, moment) == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


class DyingKube(InterceptedKube):
    """The product's client of the API server."""

    def __init__(self, *, killer: Killer, **given: Any) -> None:
        super().__init__(**given)
        self._killer = killer

    def counts(self, call: KubeCall) -> bool:
        """Whether the call is one of those at which to die."""
        return True

    async def intercept(self, call: KubeCall, send: Callable[[], Awaitable[Object]]) -> Object:
        """Die before the call, or when its answer is there."""
        if not self.counts(call):
            return await send()
        kind = "status" if call.path.endswith("/status") else call.resource.kind
        number = self._killer.begin(f"{call.verb} {kind}")
        try:
            return await send()
        finally:
            self._killer.end(number)


class DyingTransport(AiohttpTransport):
    """The product's way to Zoom."""

    def __init__(self, *, client: aiohttp.ClientSession, killer: Killer) -> None:
        super().__init__(client=client)
        self._killer = killer

    def counts(self, path: str) -> bool:
        """Whether the call is one of those at which to die."""
        return True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Ask Zoom; die before it is asked, or when its whole answer is there."""
        if not self.counts(request.url.path):
            return await super().handle_async_request(request)
        number = self._killer.begin(f"Zoom {request.method} {request.url.path}")
        answer = await super().handle_async_request(request)
        await answer.aread()
        self._killer.end(number)
        return answer
