"""The ports for machines."""

from __future__ import annotations

import logging
import socket

import aiohttp
import pytest
from meetingbots.runtime.metrics import Metrics, serve_health, serve_metrics


@pytest.fixture
def port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


async def fetch(port: int, path: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text(), answer.headers["Content-Type"]


async def test_metrics_are_served_in_prometheus_form(port: int) -> None:
    metrics = Metrics()
    metrics.kube_requests.labels("get", "pods", "200").inc()
    async with serve_metrics(metrics=metrics, port=port):
        status, text, media = await fetch(port, "/metrics")
    assert status == 200
    assert media.startswith("text/plain; version=")
    assert 'meetingbots_kube_requests_total{code="200",resource="pods",verb="get"} 1.0' in text


async def test_health_answers_for_each_question(port: int) -> None:
    healthy, ready = True, False
    async with serve_health(healthy=lambda: healthy, ready=lambda: ready, port=port):
        assert (await fetch(port, "/healthz"))[:2] == (200, "ok\n")
        assert (await fetch(port, "/readyz"))[:2] == (503, "not now\n")
        healthy, ready = False, True
        assert (await fetch(port, "/healthz"))[0] == 503
        assert (await fetch(port, "/readyz"))[0] == 200
        assert (await fetch(port, "/metrics"))[0] == 404


async def test_the_port_is_free_again_afterwards(port: int) -> None:
    for _ in range(2):
        async with serve_health(healthy=lambda: True, ready=lambda: True, port=port):
            assert (await fetch(port, "/healthz"))[0] == 200
    with pytest.raises(aiohttp.ClientConnectionError):
        await fetch(port, "/healthz")


async def test_port_0_serves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing is to be served")

    monkeypatch.setattr("aiohttp.web.TCPSite.__init__", refuse)
    async with (
        serve_metrics(metrics=Metrics(), port=0),
        serve_health(healthy=lambda: True, ready=lambda: True, port=0),
    ):
        pass


async def test_a_port_in_use_is_an_error(port: int) -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", port))
        other.listen()
        with pytest.raises(OSError, match=str(port)):
            async with serve_metrics(metrics=Metrics(), port=port):
                pass


async def test_probes_are_not_logged(port: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with serve_health(healthy=lambda: True, ready=lambda: True, port=port):
            await fetch(port, "/healthz")
    assert "healthz" not in caplog.text
