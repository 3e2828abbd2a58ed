"""The simulator's parts as one object, for the HTTP side (server.py) and for tests in the same process."""

from dataclasses import dataclass, replace
from typing import Literal

from pydantic import ConfigDict

from .actions import Actions
from .clock import SimClock
from .consents import Consents
from .faults import Faults
from .join import JoinRequest, Joins
from .limits import Limits
from .listing import Pages
from .recorder import Recorder
from .tokens import Tokens
from .visits import Participant, Visits
from .webhooks import Webhooks
from .world import World


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The behaviour of this Zoom where that of the real one is not known exactly.

    `latency_seconds` (real) delays every answer of OAuth and REST. `stranger`: the error for another user's meeting,
    404/3001 or 400/300. `limits` off lets every call pass. `limit_headers` off omits the X-RateLimit-* headers.
    `sdk_account_id`: the account of the Meeting SDK app of bots that do not name one (None: that of the meeting, so
    that no bot is from outside).
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    latency_seconds: float = 0.0
    stranger: Literal["3001", "300"] = "3001"
    limits: bool = True
    limit_headers: bool = True
    sdk_account_id: str | None = None


class ZoomSim:
    """A simulated Zoom. The server sets `base_url`, and `tls_port` (0: no TLS), when it listens."""

    def __init__(self, *, clock: SimClock | None = None, settings: Settings | None = None) -> None:
        self.clock = clock or SimClock()
        self.settings = settings or Settings()
        self.base_url = ""
        self.tls_port = 0
        self.world = World()
        self.recorder = Recorder()
        self.faults = Faults()
        self.limits = Limits(clock=self.clock)
        self.pages = Pages(clock=self.clock)
        self.consents = Consents(clock=self.clock, world=self.world, recorder=self.recorder)
        self.tokens = Tokens(clock=self.clock, recorder=self.recorder)
        self.webhooks = Webhooks(clock=self.clock, world=self.world)
        self.visits = Visits(world=self.world)
        self.joins = Joins(clock=self.clock, world=self.world, tokens=self.tokens, visits=self.visits)
        self.actions = Actions(
            clock=self.clock,
            world=self.world,
            recorder=self.recorder,
            consents=self.consents,
            webhooks=self.webhooks,
            visits=self.visits,
        )

    def join(self, request: JoinRequest) -> Participant:
        """Let a bot try to join."""
        if request.sdk_account_id is None:
            request = replace(request, sdk_account_id=self.settings.sdk_account_id)
        return self.joins.join(request)

    @property
    def api_url(self) -> str:
        """What ZOOM_API_URL must be."""
        return f"{self.base_url}/v2"

    @property
    def oauth_url(self) -> str:
        """What ZOOM_OAUTH_URL must be."""
        return f"{self.base_url}/oauth"
