"""A customer's server for each test, with one certificate for all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.egress.customer import NAME, Customer, make_certificate, plain, serving


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's certificate and key."""
    return make_certificate(tmp_path_factory.mktemp("tls"), NAME)


@pytest.fixture
async def customer(certificate: Path) -> AsyncIterator[Customer]:
    """The server; it answers a token."""
    async with serving(certificate, plain("a-token\n")) as running:
        yield running
