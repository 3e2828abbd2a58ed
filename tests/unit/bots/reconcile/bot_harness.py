"""A harness for a bot's life: cluster, kubelet and Zoom in memory, a virtual clock, operators that can die.

`check` asserts the invariants: no Pod or Secret is created twice for an attempt, and no two Pods read one token.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

import httpx
from meetingbots.bots import assembly
from meetingbots.bots.assembly import BotSlice
from meetingbots.bots.reconcile.reconciler import BotReconciler
from meetingbots.bots.rejoin.endpoint import EndpointServices
from meetingbots.credentials.sessions.access_tokens import AccessToken, AccessTokens, NotReady
from meetingbots.egress.client import EgressClient
from meetingbots.kube.client import Object
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.kube.resources import BOTS, CREDENTIALS, MAPPINGS, PODS, SECRETS
from meetingbots.models import names
from meetingbots.models.bot import MeetingBot
from meetingbots.models.credential import CredentialReason
from meetingbots.runtime.context import ObjectCaches, OperatorContext, Queues
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.object_cache import Key, ObjectCache, key_of
from meetingbots.runtime.settings import OperatorSettings
from meetingbots.runtime.work_queue import WorkQueue
from meetingbots.runtime.workers import Controller
from meetingbots.zoom.api import ZoomAPI
from meetingbots.zoom.http.exchange import new_http_client
from meetingbots.zoom.oauth import OAuthClient
from pydantic import SecretStr

from tests.unit.bots.bot_builders import MEETING, NOW, UID, bot_object
from tests.unit.bots.reconcile.bot_cluster import Clock, Cluster, Kubelet
from tests.unit.recorded_events import take_events

KEY = Key("team", "standup")


@dataclass
class JoinTokens:
    """Zoom's join tokens, all different. Failures are set once, or for good per credential."""

    asked: list[tuple[float, str, str]] = field(default_factory=list)
    """Time, credential, and path with query of each request."""
    given: list[str] = field(default_factory=list)
    once: list[httpx.Response | Exception] = field(default_factory=list)
    always: dict[str, httpx.Response] = field(default_factory=dict)
    """Answers by credential, or by a part of the path."""
    inner: Callable[[], Awaitable[None]] | None = None
    numbers: Any = field(default_factory=lambda: itertools.count(1))


@dataclass
class Zoom:
    """Zoom's side of the transport."""

    clock: Clock
    tokens: JoinTokens = field(default_factory=JoinTokens)

    async def handle(self, request: httpx.Request) -> httpx.Response:
        who = request.headers["authorization"].removeprefix("Bearer access-of-")
        path = request.url.path.removeprefix("/v2/") + (f"?{request.url.query.decode()}" if request.url.query else "")
        self.tokens.asked.append((self.clock.seconds(), who, path))
        if self.tokens.inner is not None:
            await self.tokens.inner()
        if self.tokens.once:
            answer = self.tokens.once.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        for part, answer in self.tokens.always.items():
            if part == who or part in path:
                return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)
        token = f"join-token-{next(self.tokens.numbers)}"
        self.tokens.given.append(token)
        return httpx.Response(200, json={"expire_in": 120, "token": token})


class Tokens(AccessTokens):
    """Access tokens without the credentials' own reconciliation."""

    def __init__(self, *, services: OperatorContext) -> None:
        super().__init__(
            kube=services.kube,
            credentials=services.caches.credentials,
            queue=services.queues.credentials,
            clock=services.clock,
        )
        self.not_ready: set[str] = set()
        self.reasons: dict[str, CredentialReason] = {}
        """The reason of a credential that is not ready; WaitingForConsent where unset."""
        self.thrown_away: list[str] = []
        self.asked: list[str] = []

    async def get(self, key: Key) -> AccessToken | NotReady:
        self.asked.append(key.name)
        if key.name in self.not_ready:
            reason = self.reasons.get(key.name, CredentialReason.WAITING_FOR_CONSENT)
            return NotReady(reason=reason, message=f"{key.name} waits for consent.")
        return AccessToken(
            token=SecretStr(f"access-of-{key.name}"),
            expires_at=NOW + timedelta(days=1000),
            api_url="",
            user_id="u",
            account_id="a",
            rate_account="a",
        )

    def invalidate(self, key: Key, access: AccessToken) -> None:
        self.thrown_away.append(key.name)


@dataclass
class Operator:
    """One operator process. A second one is another replica, or the first after a restart."""

    cluster: Cluster
    services: OperatorContext
    tokens: Tokens
    slice: BotSlice

    def watch(self) -> None:
        """Bring the caches up to date."""
        caches = self.services.caches
        for cache, resource in ((caches.bots, BOTS), (caches.pods, PODS), (caches.credentials, CREDENTIALS)):
            _fill(cache, self.cluster.all(resource))
        live = [
            item for item in self.cluster.all(MAPPINGS) if names.LIVE_LABEL in (item["metadata"].get("labels") or {})
        ]
        for item in live:
            caches.live_mappings.put(item)

    async def look(self, *, watch: bool = True) -> float | None:
        """Reconcile the bot once."""
        if watch:
            self.watch()
        return await self._reconcile("MeetingBot", KEY)

    async def reconcile_mapping(self, key: Key) -> float | None:
        """Reconcile the mapping of a running meeting once."""
        return await self._reconcile("MeetingMapping", key)

    @property
    def endpoint(self) -> EndpointServices:
        """The services behind the token endpoint."""
        return self.slice.endpoint

    @property
    def bots(self) -> BotReconciler:
        """The reconciler of MeetingBots."""
        found = getattr(self._controller("MeetingBot").reconcile, "__self__", None)
        assert isinstance(found, BotReconciler)
        return found

    async def send_notices(self) -> float | None:
        """Send the bot's due notices once."""
        self.watch()
        return await self._reconcile("BotNotice", KEY)

    async def _reconcile(self, kind: str, key: Key) -> float | None:
        return await self._controller(kind).reconcile(key)

    def _controller(self, kind: str) -> Controller[Key]:
        return next(one for one in self.slice.controllers if one.kind == kind)

    def events(self) -> list[Object]:
        """The Events recorded since the last call."""
        return take_events(self.services.recorder)


def _statuses(pod: Object) -> list[Object]:
    found: list[Object] = pod.get("status", {}).get("containerStatuses", [])
    return found


def _fill(cache: ObjectCache, items: list[Object]) -> None:
    present = {key_of(item): item["metadata"]["uid"] for item in items}
    for key in cache:
        if key not in present:
            cache.drop(key)
    for item in items:
        cache.put(item)


class BotHarness:
    """Everything that outlives a process: the cluster, Zoom, the time."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.cluster = Cluster(self.clock)
        self.kubelet = Kubelet(self.cluster, self.clock)
        self.zoom = Zoom(self.clock)
        self.metrics: list[Metrics] = []
        self.outside = EgressClient()
        """What the operators call tenants' webhooks with."""

    # Set-up.

    def put_bot(self, *, generation: int = 1, **spec: Any) -> None:
        """Store (or change the spec of) the bot."""
        known = self.cluster.peek(BOTS, namespace="team", name="standup")
        item = bot_object(generation=generation, **spec)
        item["metadata"]["uid"] = known["metadata"]["uid"] if known else UID
        item["status"] = known.get("status", {}) if known else {}
        self.cluster.put(BOTS, item)

    def put_mapping(self, *, people: tuple[str, ...] = (), host: str = "alice") -> None:
        """Store the meeting's mapping."""
        found = [{"name": host, "role": "Host", "source": "Sync"}] if host else []
        spec = {"meetingId": MEETING, "credentials": [{"name": name} for name in people]}
        item = {"metadata": {"namespace": "team", "name": MEETING}, "spec": spec, "status": {"credentials": found}}
        self.cluster.put(MAPPINGS, item)

    def put_secret(self, name: str, **values: str) -> None:
        """Store a user's Secret."""
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        self.cluster.put(SECRETS, {"metadata": {"namespace": "team", "name": name}, "data": data})

    def operator(self, **settings: Any) -> Operator:
        """Start an operator process."""
        http = new_http_client(timeout=5, user_agent="test", transport=httpx.MockTransport(self.zoom.handle))
        api = ZoomAPI(http, api_url="https://zoom.test/v2")
        metrics = Metrics()
        self.metrics.append(metrics)
        services = OperatorContext(
            kube=self.cluster,
            oauth=OAuthClient(http, oauth_url="https://zoom.test/oauth"),
            api=api,
            api_at=lambda _: api,
            settings=OperatorSettings(_cli_parse_args=False, zoom_api_url="https://zoom.test/v2", **settings),
            clock=self.clock,
            recorder=EventRecorder(kube=self.cluster, clock=self.clock, instance="test"),
            metrics=metrics,
            outside=self.outside,
            instance="test",
            queues=Queues(**{one.name: WorkQueue(clock=self.clock.seconds) for one in fields(Queues)}),
            caches=ObjectCaches(),
        )
        tokens = Tokens(services=services)
        bots = assembly.assemble(services, access_tokens=tokens, monotonic=self.clock.seconds)
        return Operator(self.cluster, services, tokens, bots)

    # Reads.

    def bot(self) -> MeetingBot:
        """The bot as it is now."""
        item = self.cluster.peek(BOTS, namespace="team", name="standup")
        assert item is not None
        return MeetingBot.from_object(item)

    def exists(self) -> bool:
        """Whether the bot exists."""
        return self.cluster.peek(BOTS, namespace="team", name="standup") is not None

    def condition(self, kind: str = "Ready") -> tuple[str, str, str]:
        """Status, reason and message of the bot's condition; empty if it is absent."""
        for condition in self.bot().status.conditions:
            if condition.type == kind:
                return str(condition.status), condition.reason, condition.message
        return "", "", ""

    def pods(self) -> list[str]:
        """Names of the existing Pods."""
        return [pod["metadata"]["name"] for pod in self.cluster.all(PODS)]

    def join_secrets(self) -> list[str]:
        """Names of the existing join-token Secrets."""
        names = [secret["metadata"]["name"] for secret in self.cluster.all(SECRETS)]
        return [name for name in names if name.startswith("standup-")]

    def heard(self, variable: str = "ZOOM_JOIN_TOKEN") -> list[str]:
        """The values of a variable in the Pods, in the order of their starts."""
        return [values[variable] for values in self.kubelet.heard.values()]

    def forward(self, after: float | None, *, most: float = 1e9) -> bool:
        """Move the clock to the next event; False if there is none."""
        now = self.clock.seconds()
        moments = [moment for moment in self.kubelet.due() if moment > now]
        if after is not None:
            moments.append(now + max(after, 0.001))
        if not moments:
            return False
        self.clock.forward(min(min(moments) - now, most))
        return True

    async def live(self, operator: Operator, *, until: Callable[[], bool] | None = None, steps: int = 400) -> None:
        """Run kubelet, operator and time until the bot has finished, or until `until()` is true."""
        done = until or self.finished
        for _ in range(steps):
            if done():
                return
            before = self.cluster.versions()
            after = await operator.look()
            changed = self.kubelet.work() or self.cluster.versions() != before
            if not changed and not done() and not self.forward(after):
                raise AssertionError(f"nothing will ever happen: {self.bot().status}")
        raise AssertionError(f"no end in {steps} steps: {self.bot().status}")

    def finished(self) -> bool:
        """Whether the bot has finished."""
        phase = self.bot().status.phase
        return phase is not None and phase.finished

    def running(self) -> bool:
        """Whether the bot's phase is Running."""
        return self.bot().status.phase == "Running"

    def waiting(self) -> bool:
        """Whether a Pod waits only for its Secret."""
        states = [status["state"] for pod in self.cluster.all(PODS) for status in _statuses(pod)]
        return any(state.get("waiting", {}).get("reason") == "CreateContainerConfigError" for state in states)

    def troubled(self) -> bool:
        """Whether the bot's Ready condition is False."""
        return self.condition()[0] == "False"

    def check(self) -> None:
        """Assert the invariants."""
        for (plural, name), uids in self.cluster.made.items():
            if plural in (PODS.plural, SECRETS.plural):
                assert len(uids) == 1, f"{plural} {name} was made {len(uids)} times"
        tokens = [token for token in self.heard() if token]
        assert len(tokens) == len(set(tokens)), "a token was read by two Pods"
        assert len(self.pods()) == len(set(self.pods()))
