"""The cluster, Zoom and the time of one test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.credentials.reconcile.credential_harness import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.close()


@pytest.fixture
def consented(bench: Bench) -> None:
    """A user has consented, and a credential has the grant."""
    bench.consent()
    bench.put_credential()
