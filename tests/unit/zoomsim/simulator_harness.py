"""A small Zoom that most of these tests begin with, and short ways to call it."""

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.zoomsim.scenario import Consented, ConsentWanted, consent
from tests.zoomsim.sim import ZoomSim
from tests.zoomsim.world import Account, App, Meeting, User

START = 1_800_000_000.0
REDIRECT = "https://bots.example.com/oauth/callback"


@dataclass(frozen=True, kw_only=True)
class SimulatorHarness:
    """One account with Alice, Bob and an app; another with Mallory. The clock stands still until it is advanced."""

    sim: ZoomSim
    http: httpx.AsyncClient
    account: Account
    alice: User
    bob: User
    other_account: Account
    mallory: User
    app: App

    def consent(self, user: User | None = None, app: App | None = None, **how: Any) -> Consented:
        """Let a user (Alice) consent to an app (the user-level one)."""
        wanted = ConsentWanted(client_id=(app or self.app).client_id, user=(user or self.alice).id, **how)
        return consent(self.sim, wanted)

    def account_app(self, **fields: Any) -> App:
        """Register an account-level app."""
        return self.sim.actions.add_app(App(owner_account_id=self.account.id, level="account", **fields))

    def meeting(self, host: User | None = None, **fields: Any) -> Meeting:
        """Schedule a meeting (Alice's, in an hour), without an event."""
        fields.setdefault("start_time", START + 3600)
        return self.sim.actions.add_meeting(Meeting(host_id=(host or self.alice).id, **fields), emit=False)

    async def get(self, path: str, token: str, **query: str) -> httpx.Response:
        """Call REST with a bearer token."""
        return await self.http.get(f"/v2{path}", params=query or None, headers={"Authorization": f"Bearer {token}"})

    async def token(
        self, form: Mapping[str, str], *, app: App | None = None, secret: str | None = None
    ) -> httpx.Response:
        """Call the token endpoint."""
        return await self.http.post("/oauth/token", data=dict(form), headers=basic(app or self.app, secret))

    async def refresh(self, refresh_token: str, app: App | None = None) -> httpx.Response:
        """Refresh."""
        return await self.token({"grant_type": "refresh_token", "refresh_token": refresh_token}, app=app)

    async def join_token(self, meeting: Meeting, token: str, **query: str) -> str:
        """Get a local-recording join token that bypasses the waiting room."""
        query.setdefault("bypass_waiting_room", "true")
        answer = await self.get(f"/{meeting.kind}s/{meeting.id}/jointoken/local_recording", token, **query)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])


def basic(app: App, secret: str | None = None) -> dict[str, str]:
    """Make the Basic header of an app."""
    pair = f"{app.client_id}:{app.client_secret if secret is None else secret}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


async def until(condition: Callable[[], bool]) -> None:
    """Wait (10 s at most) for something that another task does."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


def error_of(answer: httpx.Response) -> tuple[int, int | str]:
    """Give the status and Zoom's code (REST) or error (OAuth)."""
    content = answer.json()
    return answer.status_code, content["code"] if "code" in content else content["error"]
