from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer
from meetingbots.credentials.status_writer import CredentialStatusWriter
from meetingbots.mappings.store import MappingWriter
from meetingbots.receiver.app import application
from meetingbots.receiver.app_directory import AppDirectory
from meetingbots.receiver.credential_lookup import LiveLookup
from meetingbots.receiver.event_writer import EventWriter
from meetingbots.receiver.revocations import RevocationWriter
from meetingbots.receiver.status_reporters import RejectionReporter, WebhookReporter
from meetingbots.receiver.webhook import WebhookHandler
from meetingbots.runtime.metrics import Metrics

from tests.unit.fake_kube import FakeKube
from tests.unit.receiver.receiver_harness import NOW, ReceiverHarness, credential

DEADLINE = 1.0


@pytest.fixture
async def empty() -> AsyncIterator[ReceiverHarness]:
    """A receiver without apps and credentials."""
    kube, directory, metrics, clock, ready = FakeKube(), AppDirectory(), Metrics(), [NOW], [True]
    current = [True]

    def seconds() -> float:
        return clock[0].timestamp()

    async def no_pause(_: float) -> None: ...

    statuses = CredentialStatusWriter(kube=kube)
    reception = WebhookReporter(statuses=statuses, directory=directory, clock=lambda: clock[0], sleep=no_pause)
    rejections = RejectionReporter(statuses=statuses, directory=directory, clock=lambda: clock[0])
    receiver = WebhookHandler(
        directory=directory,
        events=EventWriter(
            directory=directory,
            lookup=LiveLookup(kube=kube, everywhere=True),
            revocations=RevocationWriter(statuses=statuses, clock=lambda: clock[0]),
            mappings=MappingWriter(kube=kube, clock=seconds),
            current=lambda: current[0],
        ),
        reporter=reception,
        rejections=rejections,
        metrics=metrics,
        ready=lambda: ready[0],
        clock=lambda: clock[0],
        deadline=DEADLINE,
    )
    app = application(webhook=receiver.handle, healthy=lambda: True, ready=lambda: ready[0])
    async with TestClient(TestServer(app, auto_decompress=False)) as client:
        yield ReceiverHarness(
            kube=kube,
            directory=directory,
            reception=reception,
            rejections=rejections,
            metrics=metrics,
            client=client,
            clock=clock,
            ready=ready,
            current=current,
        )


@pytest.fixture
async def harness(empty: ReceiverHarness) -> ReceiverHarness:
    """A receiver with one app and alice, user U1 of account A1."""
    empty.has_app()
    empty.has_credential(credential("alice"))
    return empty
