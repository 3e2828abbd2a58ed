"""Whatever arrives: a right signature is known from a wrong one, and no body is a defect."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from meetingbots.zoom.webhooks.parser import sign, verify
from pydantic import SecretStr

from tests.unit.receiver.receiver_harness import MEETING, ReceiverHarness, event

ON_ONE_GROUND = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
ANSWERS = (200, 204, 400)
_BLOCK = 64


def independent_signature(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA-256 written down from RFC 2104, over what Zoom's documentation says is signed."""
    key = secret.encode()
    key = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + b"v0:" + timestamp.encode() + b":" + body).digest()
    return "v0=" + hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).hexdigest()


SECRETS = st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"]), min_size=1, max_size=100)
TIMESTAMPS = st.integers(0, 99_999_999_999).map(str)


@given(SECRETS, TIMESTAMPS, st.binary(max_size=300))
def test_the_signature_is_that_of_an_independent_implementation(secret: str, timestamp: str, body: bytes) -> None:
    expected = independent_signature(secret, timestamp, body)
    assert sign(SecretStr(secret), timestamp=timestamp, body=body) == expected
    assert verify([SecretStr(secret)], timestamp=timestamp, signature=expected, body=body)


@given(SECRETS, SECRETS, TIMESTAMPS, st.binary(max_size=300), st.data())
def test_what_differs_anywhere_is_not_signed(
    secret: str, other: str, timestamp: str, body: bytes, data: st.DataObject
) -> None:
    signature = independent_signature(secret, timestamp, body)
    opened = verify([SecretStr(other)], timestamp=timestamp, signature=signature, body=body)
    assert bool(opened) is (other == secret)
    place = data.draw(st.integers(0, len(signature) - 1))
    changed = signature[:place] + data.draw(st.sampled_from("0123456789abcdefvA= é")) + signature[place + 1 :]
    opened = verify([SecretStr(secret)], timestamp=timestamp, signature=changed, body=body)
    assert bool(opened) is (changed == signature)
    assert not verify([SecretStr(secret)], timestamp=timestamp, signature=signature, body=body + b" ")
    assert not verify([SecretStr(secret)], timestamp=timestamp + "0", signature=signature, body=body)


# Bodies. All are signed: what is not is answered with 401 before anybody reads it.

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=10), children, max_size=4),
    max_leaves=10,
)
_GOOD: list[dict[str, Any]] = [
    event("meeting.created", settings={"alternative_hosts": "a@x.test;b@x.test"}, start_time="2026-11-25T09:00:00Z"),
    event("meeting.started", id=MEETING),
    event("webinar.ended", id=MEETING, end_time="2026-11-25T10:00:00Z"),
    event("meeting.participant_left", id=MEETING, participant={"id": "U1", "leave_time": "2026-11-25T10:00:00Z"}),
    event("user.updated", id="U1", pmi=1112223334),
    event("user.disassociated", id="U1", email="a@x.test"),
    {"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": "abc"}},
    {
        "event": "app_deauthorized",
        "event_ts": 5000,
        "payload": {"account_id": "A1", "user_id": "U1", "deauthorization_time": "2026-11-24T12:00:01Z"},
    },
]
_ODD: list[Any] = [
    "", "x" * 5000, "\x00", "\ud800", "../..", "a=b,c", "81234567890", 81234567890, -1, 0, 2**63, 2**70, 1e308,
    float("nan"), float("inf"), "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-02-30T00:00:00Z",
    True, None, [], {}, [[]], {"id": {}}, 253_402_300_799_999, "single", "A1", "U1",
]  # fmt: skip


def paths(value: Any, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Where the values of an object are."""
    if not isinstance(value, dict):
        return [before]
    return [before, *(path for key, child in value.items() for path in paths(child, (*before, key)))]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An event in which one thing or two are not as they should be."""
    body: Any = copy.deepcopy(draw(st.sampled_from(_GOOD)))
    for _ in range(draw(st.integers(1, 2))):
        *parents, last = draw(st.sampled_from([path for path in paths(body) if path] or [("event",)]))
        place = body
        for key in parents:
            place = place[key]
        if draw(st.integers(0, 3)):
            place[last] = draw(st.sampled_from(_ODD) | _JSON)
        else:
            place.pop(last, None)
        if not isinstance(body, dict):
            break
    return json.dumps(body).encode()


@st.composite
def torn(draw: st.DrawFn) -> bytes:
    """An event's bytes, cut off, or some of them overwritten."""
    raw = bytearray(json.dumps(draw(st.sampled_from(_GOOD))).encode())
    for _ in range(draw(st.integers(0, 4))):
        raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
    return bytes(raw[: draw(st.integers(0, len(raw)))])


@ON_ONE_GROUND
@given(damaged() | torn() | _JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200))
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b'{"event": "meeting.created", "event": "meeting.ended", "event_ts": 1, "payload": {}, "payload": []}')
@example(b'{"event": "meeting.created", "event_ts": 1e400, "payload": {"object": {"id": 1e400}}}')
@example(b"\xef\xbb\xbf{}")
async def test_no_body_is_a_defect(harness: ReceiverHarness, body: bytes) -> None:
    assert (await harness.post(body)).status in ANSWERS


@pytest.mark.parametrize("body", _GOOD, ids=lambda body: str(body["event"]))
async def test_what_is_damaged_above_is_whole_here(harness: ReceiverHarness, body: dict[str, Any]) -> None:
    assert (await harness.post(body)).status in (200, 204)


@ON_ONE_GROUND
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.binary(max_size=50))
async def test_no_header_is_a_defect(harness: ReceiverHarness, value: str, body: bytes) -> None:
    sent = "".join(char for char in value if char.isprintable())
    headers = {"x-zm-signature": sent, "x-zm-request-timestamp": sent}
    assert (await harness.send(body, headers=headers)).status == 401
