"""A sender that waits for `100 Continue` gets it only when its headers are those of a webhook."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.unit.receiver.receiver_harness import CLIENT, ReceiverHarness, event

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def exchange(harness: ReceiverHarness, body: bytes, headers: dict[str, str], *, client: str = CLIENT) -> bytes:
    """Send the headers, the body if the receiver asks for it, and return everything that came back."""
    server = harness.client.server
    reader, writer = await asyncio.open_connection(server.host, server.port)
    sent = {"Host": "x", "Content-Length": str(len(body)), **headers}
    lines = [f"POST /webhooks/{client} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
    try:
        writer.write("\r\n".join(lines).encode())
        first = await reader.readuntil(b"\r\n\r\n")
        if first != CONTINUE:
            return first + await reader.read()
        writer.write(body)
        return first + await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


async def test_a_signed_request_is_asked_for_its_body(harness: ReceiverHarness) -> None:
    body = json.dumps(event("meeting.created")).encode()
    got = await exchange(harness, body, {**harness.signed(body), "Expect": "100-continue"})
    assert got.startswith(CONTINUE + b"HTTP/1.1 204 ")
    assert harness.phase() == "Scheduled"


@pytest.mark.parametrize(
    ("client", "headers", "status"),
    [
        (CLIENT, {}, 401),
        (CLIENT, {"x-zm-signature": "v0=short", "x-zm-request-timestamp": "1"}, 401),
        (CLIENT, {"Content-Encoding": "gzip"}, 415),
        (CLIENT, {"Content-Length": str(2 * 1024 * 1024)}, 413),
        (CLIENT, {"Expect": "200-ok"}, 417),
        ("unknown", {}, 404),
    ],
)
async def test_a_refused_request_is_not_asked_for_its_body(
    harness: ReceiverHarness, client: str, headers: dict[str, str], status: int
) -> None:
    signed = {} if status == 401 else harness.signed(b"{}")
    got = await exchange(harness, b"{}", {**signed, "Expect": "100-continue", **headers}, client=client)
    head = got.partition(b"\r\n\r\n")[0]
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert CONTINUE not in got
    assert b"connection: close" in head.lower()
