"""Ports for the servers of the tests."""

from __future__ import annotations

import contextlib
import random
import socket

# Below the ports that Linux (32768) and macOS (49152) give to outgoing connections: one of these could take a port
# between its choice here and the start of the server.
_RANGE = range(15_000, 32_000)


def free_ports(count: int, *, host: str) -> list[int]:
    """Different ports of the loopback address `host` on which nobody listens now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        for port in random.SystemRandom().sample(_RANGE, len(_RANGE)):
            probe = stack.enter_context(socket.socket(family))
            with contextlib.suppress(OSError):
                probe.bind((host, port))
                found.append(port)
            if len(found) == count:
                return found
    raise OSError("no port is free")
