from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer
from meetingbots.mappings.writer import MappingWriter
from meetingbots.receiver.app import application
from meetingbots.receiver.app_directory import Directory
from meetingbots.receiver.event_writer import EventWriter
from meetingbots.receiver.live_lookup import LiveLookup
from meetingbots.receiver.revocations import RevocationWriter
from meetingbots.receiver.webhook import WebhookReceiver
from meetingbots.receiver.webhook_reporter import WebhookReporter
from meetingbots.runtime.metrics import Metrics

from tests.unit.fake_kube import FakeKube
from tests.unit.receiver.receiver_harness import NOW, Ground, credential

DEADLINE = 0.2


@pytest.fixture
async def empty() -> AsyncIterator[Ground]:
    """A receiver that knows nobody."""
    kube, directory, metrics, clock, ready = FakeKube(), Directory(), Metrics(), [NOW], [True]
    current = [True]

    def seconds() -> float:
        return clock[0].timestamp()

    async def no_pause(_: float) -> None: ...

    reception = WebhookReporter(kube=kube, directory=directory, clock=lambda: clock[0], sleep=no_pause)
    receiver = WebhookReceiver(
        directory=directory,
        events=EventWriter(
            directory=directory,
            lookup=LiveLookup(kube=kube, everywhere=True),
            consents=RevocationWriter(kube=kube),
            writer=MappingWriter(kube=kube, clock=seconds),
            current=lambda: current[0],
        ),
        reception=reception,
        metrics=metrics,
        ready=lambda: ready[0],
        clock=lambda: clock[0],
        deadline=DEADLINE,
    )
    app = application(webhook=receiver.answer, healthy=lambda: True, ready=lambda: ready[0])
    async with TestClient(TestServer(app, auto_decompress=False)) as client:
        yield Ground(
            kube=kube,
            directory=directory,
            reception=reception,
            metrics=metrics,
            client=client,
            clock=clock,
            ready=ready,
            current=current,
        )


@pytest.fixture
async def ground(empty: Ground) -> Ground:
    """A receiver with one app and alice, user U1 of account A1."""
    empty.has_app()
    empty.has_credential(credential("alice"))
    return empty
