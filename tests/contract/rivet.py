"""Runs Zoom's SDK for servers, `@zoom/rivet`, in node: its clients for one job, or its HTTP receiver."""

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.contract.node import HERE, node_environment, node_program
from tests.contract.zoom import ContractZoom
from tests.stack.processes import free_port
from tests.zoomsim.grants import Issued
from tests.zoomsim.world import App

Json = dict[str, Any]
Call = tuple[str, str, str, Json]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The result of a job: `{"data": …}` or `{"error": …}` for each call, and the token store's content."""

    answers: list[Json]
    token: Json | None


@dataclass(frozen=True, kw_only=True)
class RivetReceiver:
    """A running receiver."""

    port: int
    process: Process

    @property
    def url(self) -> str:
        """The URL for a subscription."""
        return f"http://127.0.0.1:{self.port}/zoom/events"

    async def line(self) -> Json:
        """Wait for the next accepted event or stored token."""
        if self.process.stdout is None:
            raise RuntimeError("no standard output")
        async with asyncio.timeout(30):
            line: Json = json.loads(await self.process.stdout.readline())
        return line


class Rivet:
    """Starts node. All of its HTTP goes through the proxy, which alone knows where Zoom is."""

    def __init__(self, zoom: ContractZoom) -> None:
        self._zoom = zoom
        self._environment = node_environment(
            HTTPS_PROXY=zoom.proxy.url, NODE_EXTRA_CA_CERTS=str(zoom.ca_file), NO_PROXY=""
        )

    async def server_to_server(self, calls: Sequence[Call]) -> Answers:
        """Make calls as a server-to-server app."""
        app = self._zoom.server_app
        return await self._run({"grant": "s2s", "accountId": app.owner_account_id, "calls": calls, **_client(app)})

    async def oauth(self, issued: Issued, calls: Sequence[Call], *, expires_at: float) -> Answers:
        """Make calls as the user-level app, with the tokens of a consent; `expires_at` as the app believes it."""
        token = {
            "accessToken": issued.access.value,
            "refreshToken": issued.refresh_token,
            "expirationTimeIso": datetime.fromtimestamp(expires_at, tz=UTC).isoformat(),
            "scopes": sorted(issued.access.scopes),
        }
        return await self._run({"grant": "oauth", "token": token, "calls": calls, **_client(self._zoom.user_app)})

    @asynccontextmanager
    async def receiver(self, *, app: App, events: Sequence[str]) -> AsyncIterator[RivetReceiver]:
        """Run the HTTP receiver of an app; it reports these events."""
        arguments = [app.webhook_secret_token, app.client_id, app.client_secret, str(free_port()), ",".join(events)]
        process = await self._node("receiver.cjs", *arguments)
        try:
            receiver = RivetReceiver(port=int(arguments[3]), process=process)
            if await receiver.line() != {"port": receiver.port}:
                raise RuntimeError("the receiver did not start")
            yield receiver
        finally:
            process.terminate()
            await process.communicate()

    async def _run(self, job: Json) -> Answers:
        process = await self._node("client.cjs")
        out, error = await process.communicate(json.dumps(job).encode())
        if process.returncode != 0:
            raise RuntimeError(error.decode())
        return Answers(**json.loads(out))

    async def _node(self, script: str, *arguments: str) -> Process:
        command = [node_program(), str(HERE / script), *arguments]
        # Lines of output hold whole events; the limit of a line is 1 MiB.
        return await asyncio.create_subprocess_exec(
            *command, env=self._environment, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=1024 * 1024
        )


def _client(app: App) -> Json:
    return {"clientId": app.client_id, "clientSecret": app.client_secret}
