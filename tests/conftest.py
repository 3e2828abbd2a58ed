"""All tests: the event loop."""

import asyncio
from collections.abc import Callable, Mapping

from tests.zoomsim.event_loop import ClosingLoop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Close the sockets of each test in that test."""
    return {"closing": ClosingLoop}
