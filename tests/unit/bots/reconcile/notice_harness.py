"""A namespace's webhook in memory, and operators that may call it."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from meetingbots.egress.addresses import EgressError, Target
from meetingbots.egress.client import EgressClient, EgressResponse

from tests.unit.bots.reconcile.bot_harness import BotHarness, Operator

HOST: Final = "hooks.example.com"
KEY: Final = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


class Webhook(EgressClient):
    """A webhook that accepts, or fails with `failure`."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted: list[dict[str, Any]] = []
        self.ids: list[str] = []
        """The ids of all requests, also of those that failed."""
        self.failure: EgressError | None = None
        self.hook: Callable[[str], Awaitable[None]] | None = None
        """Awaited `before` a request arrives, and `after` it was accepted; it may raise."""

    async def post(self, target: Target, *, headers: Mapping[str, str], body: bytes) -> EgressResponse:
        """Accept the message, or fail."""
        assert target.host == HOST
        if self.hook is not None:
            await self.hook("before")
        self.ids.append(headers["webhook-id"])
        if self.failure is not None:
            raise self.failure
        self.accepted.append(json.loads(body))
        if self.hook is not None:
            await self.hook("after")
        return EgressResponse(status=204, body=b"")

    def types(self) -> list[str]:
        """The types of the accepted notices, in order."""
        return [one["type"] for one in self.accepted]


def configure(harness: BotHarness) -> None:
    """Store the namespace's notification Secret."""
    harness.put_secret("meetingbots-notify", url=f"https://{HOST}/bots", secret=KEY)


def operator(harness: BotHarness) -> Operator:
    """Start an operator that may call the webhook."""
    return harness.operator(allowed_notify_url_hosts=(HOST,))
