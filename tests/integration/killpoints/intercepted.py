"""The product's client of the API server, for tests that act before or after a call, or instead of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.resources import Resource


@dataclass(frozen=True, kw_only=True)
class KubeCall:
    """A call of the API server; `query` and `body` are empty where it has none."""

    verb: str
    resource: Resource
    path: str
    query: Mapping[str, str]
    body: Object


class InterceptedKube(Kube):
    """Every call but a watch passes `intercept`."""

    async def intercept(self, call: KubeCall, send: Callable[[], Awaitable[Object]]) -> Object:
        """Answer the call; `send` makes it."""
        raise NotImplementedError

    async def _call(self, verb: str, resource: Resource, method: str, path: str, **given: Any) -> Object:
        query, body = given.get("query") or {}, given.get("body") or {}
        call = KubeCall(verb=verb, resource=resource, path=path, query=query, body=body)
        return await self.intercept(call, partial(super()._call, verb, resource, method, path, **given))
