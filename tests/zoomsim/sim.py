"""The simulator's parts put together; the HTTP side (server.py) and tests in the same process work on this."""

from dataclasses import dataclass, replace
from typing import Literal

from pydantic import ConfigDict

from tests.zoomsim.actions import Actions
from tests.zoomsim.clock import SimClock
from tests.zoomsim.consents import Consents
from tests.zoomsim.faults import Faults
from tests.zoomsim.join import JoinRequest, Joins, Participant
from tests.zoomsim.limits import Limits
from tests.zoomsim.listing import Pages
from tests.zoomsim.recorder import Recorder
from tests.zoomsim.tokens import Tokens
from tests.zoomsim.webhooks import Webhooks
from tests.zoomsim.world import World


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How this Zoom behaves where the real one is not known to the letter.

    `latency_seconds` (real) goes before every answer of OAuth and REST. `stranger`: what someone is told who asks for
    another's meeting: 404/3001 or 400/300. `limits`: off lets every call pass. `limit_headers`: off leaves the
    X-RateLimit-* headers away. `sdk_account_id`: the account of the Meeting SDK app of bots that do not name theirs
    (None: that of the meeting, so that no bot comes from outside).
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    latency_seconds: float = 0.0
    stranger: Literal["3001", "300"] = "3001"
    limits: bool = True
    limit_headers: bool = True
    sdk_account_id: str | None = None


class ZoomSim:
    """A whole Zoom. `base_url` is set once it listens."""

    def __init__(self, *, clock: SimClock | None = None, settings: Settings | None = None) -> None:
        self.clock = clock or SimClock()
        self.settings = settings or Settings()
        self.base_url = ""
        self.world = World()
        self.recorder = Recorder()
        self.faults = Faults()
        self.limits = Limits(clock=self.clock)
        self.pages = Pages(clock=self.clock)
        self.consents = Consents(clock=self.clock, world=self.world, recorder=self.recorder)
        self.tokens = Tokens(clock=self.clock, recorder=self.recorder)
        self.webhooks = Webhooks(clock=self.clock, world=self.world)
        self.joins = Joins(clock=self.clock, world=self.world, tokens=self.tokens)
        self.actions = Actions(
            clock=self.clock,
            world=self.world,
            recorder=self.recorder,
            consents=self.consents,
            webhooks=self.webhooks,
            joins=self.joins,
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
