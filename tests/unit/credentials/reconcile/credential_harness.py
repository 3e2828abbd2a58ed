"""A bench for a credential's life: an API server and a Zoom in memory, a virtual clock, operators that can die."""

from __future__ import annotations

import base64
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from meetingbots.credentials.assembly import ProcessPorts, access_tokens, credential_reconciler
from meetingbots.credentials.decide.token_state import TokenState
from meetingbots.credentials.manifests.token_secret import read_state
from meetingbots.credentials.reconcile.memory import CredentialMemories, SyncedPersonalIds
from meetingbots.credentials.reconcile.reconciler import CredentialReconciler
from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.egress.client import EgressClient
from meetingbots.kube.client import Object
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.kube.resources import CREDENTIALS, SECRETS
from meetingbots.mappings.reconcile.sync_reconciler import MeetingSyncReconciler
from meetingbots.runtime.context import ObjectCaches, OperatorContext, Queues
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.object_cache import Key
from meetingbots.runtime.settings import OperatorSettings
from meetingbots.runtime.work_queue import WorkQueue
from meetingbots.zoom.api import ZoomAPI
from meetingbots.zoom.http.exchange import new_http_client
from meetingbots.zoom.oauth import OAuthClient
from pydantic import SecretStr

from tests.unit.fake_kube import FakeKube
from tests.unit.mappings.reconcile.mapping_harness import sync_of

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
KEY = Key("team", "alice")
SECRET_NAME = "alice-zoom-token"
ALL_SCOPES = (
    "meeting:read:local_recording_token meeting:read:list_meetings meeting:read:meeting "
    "user:read:user user:read:zak user:read:token"
)


class Clock:
    """The wall clock and the monotonic clock of all processes; both stand still between calls of `forward`."""

    def __init__(self) -> None:
        self.now = START
        self.seconds = 1000.0

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.seconds

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds

    def step(self, seconds: float) -> None:
        """Set the wall clock, as NTP does; the monotonic clock goes on."""
        self.now += timedelta(seconds=seconds)


class Killed(BaseException):
    """The process died here."""


@dataclass
class FakeZoom:
    """Zoom's token endpoint and /users/me: refresh tokens rotate, and the old one is dead at once."""

    users: dict[str, str] = field(default_factory=dict)
    """Live refresh tokens, and whose they are."""
    access: dict[str, str] = field(default_factory=dict)
    authors_codes: dict[str, tuple[str, str, str | None]] = field(default_factory=dict)
    """Authorization codes: whose they are, the redirect URI, the code verifier."""
    scopes: str = ALL_SCOPES
    life: int = 3600
    spent: Counter[str] = field(default_factory=Counter)
    """How often each refresh token was taken."""
    asked: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    """Every secret that was ever given out or taken."""
    before: Callable[[str], Awaitable[httpx.Response | None]] | None = None
    """Awaited before the work on a request; an answer of its own replaces the work."""
    after: Callable[[str], Awaitable[httpx.Response | None]] | None = None
    """Awaited after the work was done; an answer of its own replaces the true one."""
    client_secret: str = "app-secret"
    checks: int = 0
    """How often the app was checked with the right client secret."""
    account: str = "acc"
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def consent(self, user: str = "u-alice") -> str:
        """A new consent's refresh token."""
        token = f"refresh-{next(self.numbers)}"
        self.users[token] = user
        self.secrets.append(token)
        return token

    def code(self, user: str = "u-alice", *, redirect: str = "https://here/back", verifier: str | None = None) -> str:
        """A new consent's authorization code."""
        code = f"code-{next(self.numbers)}"
        self.authors_codes[code] = (user, redirect, verifier)
        self.secrets += [code, *([verifier] if verifier else [])]
        return code

    def access_token(self, user: str = "u-alice", *, token: str = "") -> str:
        """An access token that somebody else keeps."""
        token = token or f"kept-{next(self.numbers)}"
        self.access[token] = user
        self.secrets.append(token)
        return token

    def revoke_access(self) -> None:
        """All access tokens are dead, the refresh tokens live."""
        self.access.clear()

    async def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(path)
        if self.before is not None and (answer := await self.before(path)) is not None:
            return answer
        answer = self._answer(request, path)
        if self.after is not None and (other := await self.after(path)) is not None:
            return other
        return answer

    def _answer(self, request: httpx.Request, path: str) -> httpx.Response:
        if path == "/oauth/token":
            return self._token(request)
        user = self.access.get(request.headers["authorization"].removeprefix("Bearer "))
        if user is None:
            return httpx.Response(401, json={"code": 124, "message": "Invalid access token."})
        if path == "/v2/users/me":
            fields = {"id": user, "account_id": self.account, "email": f"{user}@example.test", "pmi": 5551234567}
            return httpx.Response(200, json=fields)
        return httpx.Response(200, json={"meetings": [], "next_page_token": ""})

    def _token(self, request: httpx.Request) -> httpx.Response:
        basic = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        if basic != f"client:{self.client_secret}":
            return httpx.Response(401, json={"error": "invalid_client", "reason": "Invalid client_id or client_secret"})
        form = httpx.QueryParams(request.content.decode())
        if form["grant_type"] == "account_credentials":
            if form["account_id"] != self.account:
                return httpx.Response(400, json={"error": "invalid_request", "reason": "Bad account"})
            return self._tokens("u-owner", refresh=False)
        if form["grant_type"] == "client_credentials":
            self.checks += 1
            return httpx.Response(200, json={"access_token": "of-the-app"})
        if form["grant_type"] == "authorization_code":
            return self._code(form)
        user = self.users.pop(form["refresh_token"], None)
        if user is None:
            return httpx.Response(400, json={"error": "invalid_grant", "reason": "Invalid Token!"})
        self.spent[form["refresh_token"]] += 1
        return self._tokens(user, refresh=True)

    def _code(self, form: httpx.QueryParams) -> httpx.Response:
        known = self.authors_codes.get(form["code"])
        if known is None:
            return httpx.Response(400, json={"error": "invalid_request", "reason": "Invalid authorization code (4734)"})
        user, redirect, verifier = known
        if form["redirect_uri"] != redirect:
            return httpx.Response(400, json={"error": "invalid_request", "reason": "Redirect URI mismatch. (4709)"})
        del self.authors_codes[form["code"]]
        if verifier != form.get("code_verifier"):
            return httpx.Response(400, json={"error": "invalid_grant", "reason": "Invalid code verifier."})
        self.spent[form["code"]] += 1
        return self._tokens(user, refresh=True)

    def _tokens(self, user: str, *, refresh: bool) -> httpx.Response:
        access = f"access-{next(self.numbers)}"
        self.access[access] = user
        self.secrets.append(access)
        fields = {
            "access_token": access,
            "token_type": "bearer",
            "expires_in": self.life,
            "scope": self.scopes,
            "api_url": "https://api.zoom.us",
        }
        if refresh:
            fields["refresh_token"] = self.consent(user)
        return httpx.Response(200, json=fields)


@dataclass
class Operator:
    """One operator process. A second one on the same bench is another process, or the first after a restart."""

    services: OperatorContext
    tokens: AccessTokens
    credentials: CredentialReconciler
    sync: MeetingSyncReconciler
    http: httpx.AsyncClient
    sleeps: list[float]
    ports: ProcessPorts
    memories: CredentialMemories

    def use(self, tokens: AccessTokens) -> None:
        """Build the reconcilers with other access tokens."""
        memories = CredentialMemories()
        self.tokens, self.memories = tokens, memories
        self.credentials = credential_reconciler(self.services, tokens=tokens, memories=memories, ports=self.ports)
        personal_ids = SyncedPersonalIds(credentials=self.services.caches.credentials, memories=memories)
        self.sync = sync_of(self.services, tokens=tokens, personal_ids=personal_ids)

    async def look(self, key: Key = KEY) -> float | None:
        """Reconcile the tokens and the meetings once, from the newest state."""
        kube = self.services.kube
        assert isinstance(kube, FakeKube)
        item = kube.peek(CREDENTIALS, namespace=key.namespace, name=key.name)
        if item is None:
            self.services.caches.credentials.drop(key)
        else:
            self.services.caches.credentials.put(item)
        after, next_sync = await self.credentials.reconcile(key), await self.sync.reconcile(key)
        return min((seconds for seconds in (after, next_sync) if seconds is not None), default=None)


class Bench:
    """What outlives processes: the cluster, Zoom, the time."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.kube = FakeKube()
        self.zoom = FakeZoom()
        self.operators: list[Operator] = []
        self.outside = EgressClient()
        self.token_url_hosts: tuple[str, ...] = ()
        self.notify_url_hosts: tuple[str, ...] = ()
        self.public_url = ""
        self.put_app()

    # Set-up.

    def put_secret(self, name: str, **values: str) -> None:
        """Store a Secret of a person's."""
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        self.kube.put(SECRETS, {"metadata": {"namespace": KEY.namespace, "name": name}, "data": data})

    def put_app(self, secret: str = "app-secret\n") -> None:
        """Store the app's Secret."""
        self.zoom.secrets.append(secret.strip())
        self.put_secret("zoom-app", client_id=" client\n", client_secret=secret, webhook_secret_token="hook")

    def put_grant(self, token: str) -> None:
        """Store the grant's Secret."""
        self.put_secret("alice", refresh_token=token)

    def put_credential(self, *, annotations: dict[str, str] | None = None, **spec: Any) -> Object:
        """Store (or change) the credential."""
        known = self.kube.peek(CREDENTIALS, namespace=KEY.namespace, name=KEY.name)
        full = {
            "appSecretRef": {"name": "zoom-app"},
            "grant": {"refreshToken": {"secretKeyRef": {"name": "alice", "key": "refresh_token"}}},
            "meetingSync": {"enabled": False},
            **spec,
        }
        metadata: Object = {"namespace": KEY.namespace, "name": KEY.name, "generation": 1}
        if known is not None:
            metadata["generation"] = known["metadata"]["generation"] + (known["spec"] != full)
        metadata["annotations"] = annotations or {}
        item = {"metadata": metadata, "spec": full, "status": (known or {}).get("status", {})}
        return self.kube.put(CREDENTIALS, item)

    def consent(self, user: str = "u-alice") -> str:
        """A new consent, in the grant's Secret."""
        token = self.zoom.consent(user)
        self.put_grant(token)
        return token

    def operator(self, *, instance: str = "", life_after_sleep: Callable[[float], None] | None = None) -> Operator:
        """Start a process."""
        sleeps: list[float] = []

        async def sleep(seconds: float) -> None:
            sleeps.append(seconds)
            self.clock.forward(seconds)
            if life_after_sleep is not None:
                life_after_sleep(seconds)

        async def no_wait(*_: Any) -> None: ...

        http = new_http_client(timeout=5, user_agent="test", transport=httpx.MockTransport(self.zoom.handle))
        settings = OperatorSettings(
            zoom_api_url="https://zoom.test/v2",
            zoom_oauth_url="https://zoom.test/oauth",
            system_namespace="system",
            allowed_token_url_hosts=self.token_url_hosts,
            allowed_notify_url_hosts=self.notify_url_hosts,
            public_url=self.public_url,
        )
        name = instance or f"operator-{len(self.operators) + 1}"
        seconds = self.clock.now.timestamp
        services = OperatorContext(
            kube=self.kube,
            oauth=OAuthClient(http, oauth_url=settings.zoom_oauth_url),
            api=ZoomAPI(http, api_url=settings.zoom_api_url),
            api_at=lambda url: ZoomAPI(http, api_url=url),
            settings=settings,
            clock=self.clock,
            recorder=EventRecorder(kube=self.kube, clock=self.clock, instance=name),
            metrics=Metrics(),
            instance=name,
            queues=Queues(**{one.name: WorkQueue(clock=seconds) for one in fields(Queues)}),
            caches=ObjectCaches(),
            outside=self.outside,
        )
        ports = ProcessPorts(monotonic=self.clock.monotonic, sleep=sleep, jitter=lambda: 0.5)
        tokens, memories = access_tokens(services, wait=no_wait), CredentialMemories()
        personal_ids = SyncedPersonalIds(credentials=services.caches.credentials, memories=memories)
        started = Operator(
            services=services,
            tokens=tokens,
            credentials=credential_reconciler(services, tokens=tokens, memories=memories, ports=ports),
            sync=sync_of(services, tokens=tokens, personal_ids=personal_ids),
            http=http,
            sleeps=sleeps,
            ports=ports,
            memories=memories,
        )
        self.operators.append(started)
        return started

    # Looking.

    @property
    def state(self) -> TokenState:
        """The token Secret's content now."""
        item = self.kube.peek(SECRETS, namespace=KEY.namespace, name=SECRET_NAME)
        return read_state(item) if item is not None else TokenState()

    @property
    def status(self) -> Object:
        """The credential's status now."""
        item = self.kube.peek(CREDENTIALS, namespace=KEY.namespace, name=KEY.name)
        assert item is not None
        status: Object = item.get("status", {})
        return status

    def condition(self, kind: str = "Ready") -> Object | None:
        """A condition as it is now."""
        found: Object | None = next((c for c in self.status.get("conditions", ()) if c["type"] == kind), None)
        return found

    @property
    def reason(self) -> str:
        """Ready's reason."""
        condition = self.condition()
        return str(condition["reason"]) if condition else ""

    @property
    def ready(self) -> bool:
        """Whether Ready is True."""
        condition = self.condition()
        return condition is not None and condition["status"] == "True"

    def works(self) -> bool:
        """Whether the stored tokens are alive at Zoom."""
        tokens = self.state.tokens
        return (
            tokens is not None
            and tokens.access_token.get_secret_value() in self.zoom.access
            and (tokens.refresh_token or SecretStr("")).get_secret_value() in self.zoom.users
        )

    async def close(self) -> None:
        """End all processes."""
        for operator in self.operators:
            await operator.http.aclose()


async def ready(bench: Bench) -> Operator:
    """Start a process that finds the credential Ready."""
    operator = bench.operator()
    await operator.look()
    assert bench.ready
    return operator
