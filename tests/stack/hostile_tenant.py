"""A hostile tenant at full tilt: everything that a namespace, its apps and its Pods can do to the others, at once."""

import asyncio
import json
import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.stack.event_sender import Line, request, signed_request
from tests.stack.tenant import Tenant

LARGE_CONNECTIONS, LARGE_PAUSE = 2, 0.1
"""Of each kind: about 20 MiB a second."""
SMALL_CONNECTIONS, SMALL_PAUSE = 8, 0.02
"""Of each kind: about 400 requests a second. The sender shares the machine's processors with what it attacks."""
SOURCE = "127.0.0.2"
"""Pods have addresses of their own."""
MEBIBYTE = 1024 * 1024
HUNG_CREDENTIALS = 60
PLANTED_KEYS = 100
DOUBTFUL_MEETINGS = 150
REFUSED_BOTS = 30
FAILING_BOTS = 30
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
_CHURN_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What the floods are sent to: the receiver and the token endpoint, the tenant's own app, and its victim's."""

    receiver_port: int
    token_port: int
    client_id: str
    secret: str = field(repr=False)
    victim_client_id: str


@contextmanager
def flood(targets: Targets) -> Iterator[Callable[[], dict[str, Counter[int]]]]:
    """Send to both from a process of its own while the context lasts.

    The yielded function ends the flood and returns how often each status was answered.
    """
    context = multiprocessing.get_context("spawn")
    begun, stop, results = context.Event(), context.Event(), context.Queue()
    process = context.Process(target=_main, args=(targets, begun, stop, results), daemon=True)
    process.start()
    if not begun.wait(timeout=120):
        process.kill()
        raise TimeoutError("the flood did not begin")

    def result() -> dict[str, Counter[int]]:
        stop.set()
        found: dict[str, Counter[int]] = results.get(timeout=90)
        return found

    try:
        yield result
    finally:
        stop.set()
        process.join(timeout=10)
        if process.is_alive():
            process.kill()
            process.join()


def _main(targets: Targets, begun: Any, stop: Any, results: Any) -> None:
    results.put(asyncio.run(_flood(targets, begun, stop)))


async def _flood(targets: Targets, begun: Any, stop: Any) -> dict[str, Counter[int]]:
    found: dict[str, Counter[int]] = {name: Counter() for name in ("signed", "forged", "small", "garbage")}
    body, small, receiver = _large_event(), b'{"event":"meeting.started"}', targets.receiver_port

    async def repeat(name: str, port: int, content: Callable[[], bytes], *, pause: float) -> None:
        line, ready = Line(port=port, source=SOURCE), content()
        while not stop.is_set():
            found[name][await line.send(content() if name == "garbage" else ready)] += 1
            begun.set()
            await asyncio.sleep(pause)
        line.close()

    def garbage() -> bytes:
        headers = {"Host": "tokens", "Authorization": f"Bearer garbage-{time.monotonic_ns()}"}
        return request("/token", b"", headers=headers)

    def signed() -> bytes:
        return signed_request(body, client_id=targets.client_id, secret=targets.secret)

    def forged() -> bytes:
        return signed_request(body, client_id=targets.victim_client_id, secret="a guess")

    def forged_small() -> bytes:
        return signed_request(small, client_id=targets.victim_client_id, secret="a guess")

    async with asyncio.TaskGroup() as group:
        for _ in range(LARGE_CONNECTIONS):
            group.create_task(repeat("signed", receiver, signed, pause=LARGE_PAUSE))
            group.create_task(repeat("forged", receiver, forged, pause=LARGE_PAUSE))
        for _ in range(SMALL_CONNECTIONS):
            group.create_task(repeat("small", receiver, forged_small, pause=SMALL_PAUSE))
            group.create_task(repeat("garbage", targets.token_port, garbage, pause=SMALL_PAUSE))
    return found


def _large_event() -> bytes:
    addresses = ";".join(f"user-{number}@hostile.example" for number in range(20_000))
    item = {"id": 81234567890, "host_id": "hostile", "type": 2, "settings": {"alternative_hosts": addresses}}
    payload = {"account_id": "hostile", "object": item}
    content = {"event": "meeting.created", "event_ts": int(time.time() * 1000), "payload": payload}
    return json.dumps(content).encode().ljust(MEBIBYTE)


@dataclass(frozen=True, kw_only=True)
class HostileTenant:
    """Its namespace.

    `hung_port` belongs to a server that never answers and that the operator may ask for tokens, `admission_port` to one
    that never answers the API server.
    """

    tenant: Tenant
    victim_client_id: str
    hung_port: int
    admission_port: int

    def plant(self, *, failing_bots: int = FAILING_BOTS) -> None:
        """Create everything that keeps the operator busy."""
        tenant = self.tenant
        tenant.app_secret()
        self._hang()
        for number in range(PLANTED_KEYS):
            name = f"planted-{number}"
            values = {"client_id": self.victim_client_id, "client_secret": "x", "webhook_secret_token": f"key {number}"}
            tenant.secret(name, **values)
            tenant.credential(name, appSecretRef={"name": name})
        for number in range(DOUBTFUL_MEETINGS):
            tenant.apply_object(self._doubtful(88_000_000_000 + number))
        for number in range(REFUSED_BOTS):
            tenant.bot(f"refused-{number}", 87_000_000_000 + number, image=" refused", tokens=["LocalRecording", "ZAK"])
        retry = {"limit": 50, "backoffSeconds": 0}
        for number in range(failing_bots):
            tenant.bot(f"failing-{number}", 86_000_000_000 + number, tokens=[], retry=retry)
        self._refuse_secrets()

    def _hang(self) -> None:
        """Create credentials with token URLs that never answer, and with an app for which Zoom takes 20 s."""
        client_id = self.tenant.app.client_id
        self.tenant.zoom.fault("oauth.token", "delay", seconds=20.0, count=0, client_id=client_id)
        token = self.tenant.consent("shared")
        for number in range(HUNG_CREDENTIALS):
            self.tenant.credential(f"hung-{number}", grant=self._grant())
            self.tenant.secret(f"slow-{number}", refresh_token=f"{token}{number}")
            self.tenant.credential(f"slow-{number}")

    def _doubtful(self, meeting: int) -> dict[str, Any]:
        """A mapping that says that a meeting is live since yesterday, about which Zoom must be asked."""
        entry = {"name": "hung-0", "role": "Host", "source": "Webhook"}
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 86_400 * 2))
        status = {"credentials": [entry], "phase": "Live", "uuid": f"run-{meeting}", "startTime": started}
        return {**self.tenant.mapping_object(meeting, "hung-0"), "status": status}

    def _refuse_secrets(self) -> None:
        """Have an admission webhook delay every write of a Secret of the namespace by 10 s, and then refuse it."""
        name = self.tenant.namespace
        webhook = {
            "name": "refuse.hostile.example",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "timeoutSeconds": 10,
            "clientConfig": {"url": f"https://127.0.0.1:{self.admission_port}/"},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
            "rules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secrets"]}
            ],
        }
        self.tenant.cluster.api.create(WEBHOOKS, {"metadata": {"name": f"refuse-{name}"}, "webhooks": [webhook]})

    @contextmanager
    def churn(self) -> Iterator[None]:
        """Change an object of the namespace ten times a second while the context lasts."""
        end = threading.Event()

        def work() -> None:
            number = 0
            while not end.wait(_CHURN_SECONDS):
                number += 1
                self.tenant.credential("hung-0", labels={"churn": str(number)}, grant=self._grant())

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join(timeout=60)

    def _grant(self) -> dict[str, Any]:
        return {"accessTokenURL": {"url": f"https://localhost:{self.hung_port}/token"}}
