"""A receiver on an API server in memory, behind a real web server on loopback, for tests."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS
from meetingbots.receiver.app_directory import AppDirectory
from meetingbots.receiver.status_reporters import RejectionReporter, WebhookReporter
from meetingbots.runtime.metrics import Metrics
from meetingbots.zoom.webhooks.parser import sign
from pydantic import SecretStr

from tests.unit.fake_kube import FakeKube

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SYSTEM = "meetingbots-system"
CLIENT = "client-one"
MEETING = "81234567890"
SECRET = "first app's webhook token"


def milliseconds(after: float = 0) -> int:
    return int((NOW + timedelta(seconds=after)).timestamp() * 1000)


def event(name: str, *, ts: float = 0, account: str = "A1", **fields: Any) -> dict[str, Any]:
    """A body as Zoom sends it; `fields` are the object's."""
    described = {"id": int(MEETING), "uuid": "run-1==", "host_id": "U1", "topic": "confidential", "type": 2} | fields
    return {"event": name, "event_ts": milliseconds(ts), "payload": {"account_id": account, "object": described}}


def credential(
    name: str,
    *,
    namespace: str = "team",
    app: str = "zoom-app",
    user: str = "U1",
    account: str = "A1",
    level: str = "User",
    **status: Any,
) -> dict[str, Any]:
    """A ZoomCredential; one of level Account has an admin scope unless `status` says otherwise."""
    scopes = {"grantedScopes": ["meeting:read:meeting:admin"]} if level == "Account" else {}
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}", "generation": 1},
        "spec": {"appSecretRef": {"name": app}, "level": level, "grant": {"connect": {}}},
        "status": {"userId": user, "accountId": account, **scopes, **status},
    }


@dataclass
class ReceiverHarness:
    """What a test has in its hands.

    `clock` is the receiver's time, `ready` whether its caches are filled, `current` whether its watches seem to work.
    """

    kube: FakeKube
    directory: AppDirectory
    reception: WebhookReporter
    rejections: RejectionReporter
    metrics: Metrics
    client: TestClient[Any, Any]
    clock: list[datetime]
    ready: list[bool]
    current: list[bool]
    apps: dict[str, dict[str, str]] = field(default_factory=dict)

    def has_app(self, name: str = "zoom-app", *, namespace: str = "team", client: str = CLIENT, **keys: str) -> None:
        """The operator projected an app Secret."""
        self.apps[f"{namespace}.{name}"] = {"client_id": client, "webhook_secret_token": SECRET} | keys
        self._project()

    def has_unreadable_app(self, name: str, *, namespace: str = "team") -> None:
        """The operator could not read an app Secret."""
        self.apps[f"{namespace}.{name}"] = {"unreadable": "the Secret does not exist"}
        self._project()

    def has_credential(self, item: dict[str, Any], *, watched: bool = True) -> None:
        """A ZoomCredential exists; not `watched`: the watch does not show it yet."""
        stored = self.kube.put(CREDENTIALS, item)
        if watched:
            self.directory.on_credential(stored["metadata"]["namespace"], stored["metadata"]["name"], stored)

    def mapping(self, name: str = MEETING, *, namespace: str = "team") -> dict[str, Any] | None:
        return self.kube.peek(MAPPINGS, namespace=namespace, name=name)

    def phase(self, name: str = MEETING, *, namespace: str = "team") -> str | None:
        item = self.mapping(name, namespace=namespace)
        return None if item is None else item["status"].get("phase")

    def entries(self, name: str = MEETING, *, namespace: str = "team") -> list[tuple[str, str, str]]:
        item = self.mapping(name, namespace=namespace)
        found = item["status"].get("credentials", []) if item else []
        return [(one["name"], one["role"], one["source"]) for one in found]

    @property
    def writes(self) -> int:
        return sum(self.kube.count(verb) for verb in ("create", "patch", "apply", "delete"))

    def counted(self, name: str, result: str) -> float:
        labels = {"event": name, "result": result}
        return self.metrics.registry.get_sample_value("meetingbots_webhook_events_total", labels) or 0.0

    async def post(self, body: object, *, secret: str = SECRET, client: str = CLIENT, age: float = 0) -> ClientResponse:
        """What Zoom does: sign the bytes and send them."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.send(raw, headers=self.signed(raw, secret=secret, age=age), client=client)

    async def send(self, raw: bytes, *, headers: dict[str, str], client: str = CLIENT) -> ClientResponse:
        return await self.client.post(f"/webhooks/{client}", data=io.BytesIO(raw), headers=headers)

    def signed(self, raw: bytes, *, secret: str = SECRET, age: float = 0) -> dict[str, str]:
        timestamp = str(int((self.clock[0] - timedelta(seconds=age)).timestamp()))
        return {
            "content-type": "application/json; charset=utf-8",
            "x-zm-request-timestamp": timestamp,
            "x-zm-signature": sign(SecretStr(secret), timestamp=timestamp, body=raw),
        }

    def _project(self) -> None:
        data = {key: base64.b64encode(json.dumps(app).encode()).decode() for key, app in self.apps.items()}
        item = {"metadata": {"namespace": SYSTEM, "name": "meetingbots-receiver"}, "data": data}
        self.directory.on_projection(SYSTEM, "meetingbots-receiver", item)
