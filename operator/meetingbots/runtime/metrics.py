"""The metrics of both processes, and the HTTP ports for machines: /metrics, /healthz and /readyz."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_AGE = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
PROBE_PATHS: Final = ("/healthz", "/readyz")


class Metrics:
    """All series of this project. Durations are in seconds; no label holds a secret or a meeting's topic."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.bots = gauge("meetingbots_bots", "MeetingBots by phase", ["phase"])
        self.token_age_at_start = histogram(
            "meetingbots_token_age_at_start_seconds",
            "Age of the join token when the bot's container started",
            buckets=_AGE,
        )
        self.join_delay = histogram(
            "meetingbots_join_delay_seconds", "From joinAt to the start of the bot's container", buckets=_AGE
        )
        self.tokens = counter(
            "meetingbots_tokens",
            "Requested tokens of started bots, by outcome (issued, missing) and reason",
            ["kind", "outcome", "reason"],
        )
        self.recordings = counter(
            "meetingbots_recordings",
            "Finished bots by outcome: recorded, denied, not_recorded, not_admitted, not_started, not_reported",
            ["outcome"],
        )
        self.join_to_recording = histogram(
            "meetingbots_join_to_recording_seconds",
            "From joinAt to the first report that the bot records",
            buckets=_AGE,
        )
        self.zoom_requests = counter("meetingbots_zoom_requests", "Requests to Zoom", ["call", "code"])
        self.zoom_request_duration = histogram(
            "meetingbots_zoom_request_duration_seconds", "Duration of requests to Zoom", ["call"], buckets=_FAST
        )
        self.zoom_rate_limit_wait = histogram(
            "meetingbots_zoom_rate_limit_wait_seconds",
            "How long a request to Zoom waited for the account's rate limit",
            ["category", "priority"],
            buckets=_FAST,
        )
        self.credential_ready = gauge(
            "meetingbots_credential_ready", "1 while the ZoomCredential is Ready", ["namespace", "name"]
        )
        self.credential_blocked = gauge(
            "meetingbots_credential_refresh_blocked",
            "1 while a Ready ZoomCredential cannot be refreshed, so that it will not stay Ready",
            ["namespace", "name"],
        )
        self.credential_expiry = gauge(
            "meetingbots_credential_expiry_timestamp_seconds", "When the access token expires", ["namespace", "name"]
        )
        self.credential_refreshes = counter(
            "meetingbots_credential_refreshes", "Refreshes of access tokens", ["result"]
        )
        self.webhook_events = counter("meetingbots_webhook_events", "Webhook events from Zoom", ["event", "result"])
        self.webhook_duration = histogram(
            "meetingbots_webhook_duration_seconds", "From the arrival of a webhook to its response", buckets=_FAST
        )
        self.reconcile_duration = histogram(
            "meetingbots_reconcile_duration_seconds", "Duration of one reconciliation", ["kind"], buckets=_FAST
        )
        self.queue_depth = gauge("meetingbots_queue_depth", "Keys that are due and wait for a worker", ["kind"])
        self.bots_failed = counter("meetingbots_bots_failed", "MeetingBots that failed, by reason", ["reason"])
        self.rejoin_tokens = counter("meetingbots_rejoin_tokens", "Answers of the token endpoint", ["result"])
        self.leading = gauge("meetingbots_leading", "1 while this operator process is the leader")
        self.task_restarts = counter(
            "meetingbots_task_restarts", "Restarts of background tasks that died of a defect", ["task"]
        )
        self.kube_requests = counter(
            "meetingbots_kube_requests", "Requests to the Kubernetes API server", ["verb", "resource", "code"]
        )

    def on_rate_limit_wait(self, category: str, priority: str, seconds: float) -> None:
        """Record how long a request waited for its account's rate limit."""
        self.zoom_rate_limit_wait.labels(category, priority).observe(seconds)

    def on_zoom_call(self, call: str, code: str, seconds: float) -> None:
        """Count one response of Zoom; the code is ``error`` when there was none."""
        self.zoom_requests.labels(call, code).inc()
        self.zoom_request_duration.labels(call).observe(seconds)


@asynccontextmanager
async def serve_metrics(*, metrics: Metrics, port: int) -> AsyncIterator[None]:
    """Serve /metrics on `port` while the context lasts; port 0 serves nothing."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application = web.Application()
    application.router.add_get("/metrics", answer)
    async with _listen(application, port):
        yield


@asynccontextmanager
async def serve_health(*, healthy: Callable[[], bool], ready: Callable[[], bool], port: int) -> AsyncIterator[None]:
    """Serve /healthz and /readyz on `port` while the context lasts; port 0 serves nothing."""
    application = web.Application()
    application.add_routes(probe_routes(healthy=healthy, ready=ready))
    async with _listen(application, port):
        yield


def probe_routes(*, healthy: Callable[[], bool], ready: Callable[[], bool]) -> list[web.RouteDef]:
    """/healthz and /readyz: 200 while the condition holds, else 503."""
    healthz, readyz = PROBE_PATHS
    return [web.get(healthz, _probe(healthy)), web.get(readyz, _probe(ready))]


def _probe(holds: Callable[[], bool]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if holds() else web.Response(status=503, text="not now\n")

    return answer


@asynccontextmanager
async def _listen(application: web.Application, port: int) -> AsyncIterator[None]:
    if port == 0:
        yield
        return
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        yield
    finally:
        await runner.cleanup()
