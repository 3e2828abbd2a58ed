"""A scripted API server and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from meetingbots.kube.client import Kube
from meetingbots.kube.resources import Resource

from tests.unit.kube.scripted_server import ScriptedServer


@dataclass
class RecordedCalls:
    """Remembers the calls of `on_call`."""

    calls: list[tuple[str, str, int]] = field(default_factory=list)

    def __call__(self, verb: str, resource: Resource, status: int) -> None:
        self.calls.append((verb, resource.plural, status))


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer().running() as running:
        yield running


@pytest.fixture
def recorded() -> RecordedCalls:
    return RecordedCalls()


@pytest.fixture
async def kube(server: ScriptedServer, recorded: RecordedCalls) -> AsyncIterator[Kube]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield Kube(session=session, server=server.url, on_call=recorded)
