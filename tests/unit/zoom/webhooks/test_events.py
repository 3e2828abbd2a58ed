from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meetingbots.zoom.webhooks.events import (
    CONVERSIONS,
    MEETING_ACTIONS,
    USER_ACTIONS,
    AppDeauthorized,
    Event,
    MeetingEvent,
    UrlValidation,
    UserEvent,
)
from meetingbots.zoom.webhooks.parser import MalformedEvent, parse_event

TS = 1795521600123
HOST = "hostAAAAAAAAAAAAAAAA_-"
CREATED: dict[str, Any] = {
    "event": "meeting.created",
    "event_ts": TS,
    "payload": {
        "account_id": "acme",
        "operator": "assistant@acme.example",
        "operator_id": "assistant",
        "operation": "all",
        "object": {
            "uuid": "a/b+c==",
            "id": 81234567890,
            "host_id": HOST,
            "topic": "Secret plans",
            "type": 2,
            "start_time": "2026-11-24T12:00:00Z",
            "duration": 45,
            "pmi": "1234567890",
            "password": "hush4242",
            "settings": {"use_pmi": False, "alternative_hosts": "A@acme.example;b@acme.example"},
        },
    },
}


def body(event: str, payload: object, **more: object) -> bytes:
    return json.dumps({"event": event, "event_ts": TS, "payload": payload, **more}).encode()


def meeting(event: str, fields: dict[str, Any], **payload: object) -> MeetingEvent:
    parsed = parse_event(body(event, {"account_id": "acme", "object": {"id": 81234567890, **fields}, **payload}))
    assert isinstance(parsed, MeetingEvent)
    return parsed


def test_created() -> None:
    event = parse_event(json.dumps(CREATED).encode())
    assert isinstance(event, MeetingEvent)
    assert (event.name, event.action, event.event_ts, event.account_id) == ("meeting.created", "created", TS, "acme")
    assert event.time == datetime(2026, 11, 24, 12, 0, 0, 123000, tzinfo=UTC)
    assert (event.meeting_id, event.uuid, event.host_id, event.operator_id) == (
        "81234567890",
        "a/b+c==",
        HOST,
        "assistant",
    )
    assert (event.meeting_type, event.pmi) == (2, "1234567890")
    assert event.start_time == datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert event.alternative_hosts == ("a@acme.example", "b@acme.example")
    assert not event.webinar
    assert not event.single_occurrence
    for unkept in ("Secret plans", "hush4242", "acme.example"):
        assert unkept not in repr(event)


def test_started_and_ended_have_string_ids() -> None:
    event = meeting("meeting.ended", {"id": "912345678", "uuid": "u", "end_time": "2026-11-24T13:00:00Z", "type": 4})
    assert (event.meeting_id, event.meeting_type) == ("912345678", 4)


def test_an_update_contains_only_what_changed() -> None:
    event = meeting("meeting.updated", {}, scope="all", old_object={"host_id": "before"})
    assert (event.host_id, event.alternative_hosts, event.start_time) == (None, None, None)
    assert (event.scope, event.old_host_id) == ("all", "before")
    removed = meeting("meeting.updated", {"settings": {"alternative_hosts": ""}})
    assert removed.alternative_hosts == ()


def test_one_occurrence_deleted() -> None:
    assert meeting("meeting.deleted", {}, operation="single").single_occurrence


KEY = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"id": "alice", "user_id": "16778240"}, ("alice", "16778240", "")),
        ({"id": "", "participant_user_id": "alice", "user_id": "16778240"}, ("alice", "16778240", "")),
        ({"id": "", "user_id": "16778240"}, (None, "16778240", "")),
        ({"id": "alice", "user_id": 16778240}, ("alice", "16778240", "")),
        ({"id": None, "user_id": "1", "participant_uuid": "A/b+c=="}, (None, "A/b+c==", "")),
        ({"user_id": "1", "customer_key": KEY}, (None, "1", KEY)),
        ({"user_id": "1", "customer_key": "a person's own key"}, (None, "1", "")),
        ({"id": 5, "user_id": ["x"], "participant_uuid": "has blank", "customer_key": {}}, (None, "", "")),
    ],
)
@pytest.mark.parametrize("action", ["participant_joined", "participant_left", "participant_joined_waiting_room"])
def test_participants(action: str, fields: dict[str, Any], expected: tuple[str | None, str, str]) -> None:
    event = meeting(f"meeting.{action}", {"participant": {"email": "a@x.example", "user_name": "A", **fields}})
    assert event.participant is not None
    assert (event.participant.user_id, event.participant.session_id, event.participant.customer_key) == expected


def test_a_participant_event_without_a_meeting_id_has_no_effect() -> None:
    event = parse_event(body("meeting.participant_joined", {"account_id": "acme", "object": {"uuid": "u"}}))
    assert type(event) is Event


@pytest.mark.parametrize("name", sorted(CONVERSIONS))
def test_conversions_between_meetings_and_webinars(name: str) -> None:
    event = meeting(name, {"host_id": HOST, "type": 5})
    assert (event.meeting_id, event.host_id, event.planned) == ("81234567890", HOST, True)


@pytest.mark.parametrize(
    "payload",
    [
        {"old_object": {"host_id": 5}},
        {"old_object": []},
        {"operator_id": "has blank"},
        {"object": {"id": 81234567890, "settings": [], "participant": "x"}},
    ],
)
def test_odd_details_are_not_malformed(payload: dict[str, Any]) -> None:
    fields = {"account_id": "acme", "object": {"id": 81234567890}, **payload}
    event = parse_event(body("meeting.updated", fields))
    assert isinstance(event, MeetingEvent)
    assert (event.old_host_id, event.operator_id, event.participant) == (None, None, None)


SENT = 1795521700000


@pytest.mark.parametrize("event_ts", [{}, {"event_ts": None}, {"event_ts": ""}])
@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("meeting.created", {"id": 81234567890}),
        ("meeting.deleted", {"id": 81234567890}),
        ("webinar.converted_to_meeting", {"id": 81234567890}),
        ("meeting.participant_left", {"id": "81234567890"}),
        ("user.updated", {"id": "alice"}),
        ("user.signed_in", {}),
    ],
)
def test_an_event_without_a_time_has_that_of_the_header(
    name: str, fields: dict[str, Any], event_ts: dict[str, Any]
) -> None:
    raw = json.dumps({"event": name, "payload": {"account_id": "acme", "object": fields}, **event_ts})
    assert parse_event(raw.encode(), sent_at=SENT).event_ts == SENT
    assert parse_event(body(name, {"account_id": "acme", "object": fields}), sent_at=SENT).event_ts == TS


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-11-24T12:00:00.123Z", TS),
        ("2027-09-24T12:00:00Z", SENT),
        ("0001-01-01T00:00:00Z", SENT),
        ("never", SENT),
        (None, SENT),
    ],
)
def test_a_deauthorization_without_event_ts_has_its_own_time(time: str | None, expected: int) -> None:
    payload = {"account_id": "acme", "user_id": "alice", "client_id": "c", "deauthorization_time": time}
    raw = json.dumps({"event": "app_deauthorized", "payload": payload}).encode()
    assert parse_event(raw, sent_at=SENT).event_ts == expected


@pytest.mark.parametrize(
    "name", [rb'"Ann \ud83d"', b'"Ann \xf0\x9f"', rb'"\ud83d\ud83d"', b'"' + b"9" * 9 + b'", "x": ' + b"9" * 5000]
)
def test_names_that_are_cut_in_the_middle_of_a_character(name: bytes) -> None:
    fields = (
        b'{"id": "81234567890", "uuid": "u", "participant": {"id": "alice", "user_id": "1", "user_name": %s}}' % name
    )
    raw = b'{"event": "meeting.participant_joined", "event_ts": %d, "payload": {"account_id": "a", "object": %s}}'
    event = parse_event(raw % (TS, fields))
    assert isinstance(event, MeetingEvent)
    assert event.participant is not None
    assert event.participant.user_id == "alice"


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_bodies_are_malformed(opening: bytes) -> None:
    with pytest.raises(MalformedEvent):
        parse_event(b'{"event": "meeting.started", "x": "\\ud83d", "payload": ' + opening * 100_000)


@pytest.mark.parametrize("action", sorted(MEETING_ACTIONS))
def test_webinars_alike(action: str) -> None:
    assert meeting(f"webinar.{action}", {}).webinar
    assert not meeting(f"meeting.{action}", {}).webinar


@pytest.mark.parametrize("action", sorted(USER_ACTIONS))
def test_users(action: str) -> None:
    user = {"id": "alice", "email": "Alice@acme.example", "pmi": 1234567890, "vanity_name": "alice.b"}
    event = parse_event(
        body(f"user.{action}", {"account_id": "acme", "object": user, "old_object": {"pmi": "9234567890"}})
    )
    assert isinstance(event, UserEvent)
    assert (event.user_id, event.pmi, event.vanity_name) == ("alice", "1234567890", "alice.b")
    assert event.old_pmi == "9234567890"


def test_a_user_with_an_id_only() -> None:
    payload = {"account_id": "acme", "object": {"id": "alice"}, "operation": "sign_out_from_all_devices"}
    event = parse_event(body("user.updated", payload))
    assert isinstance(event, UserEvent)
    assert (event.pmi, event.old_pmi, event.vanity_name) == (None, None, "")


@pytest.mark.parametrize(
    ("retention", "expected"), [("false", False), ("true", True), (False, False), (None, None), ("odd", None)]
)
def test_deauthorized(retention: object, expected: bool | None) -> None:
    payload = {
        "account_id": "acme",
        "user_id": "alice",
        "client_id": "client",
        "deauthorization_time": "2026-11-24T12:00:00.632Z",
        "signature": "hush4242",
        "user_data_retention": retention,
    }
    event = parse_event(body("app_deauthorized", payload))
    assert isinstance(event, AppDeauthorized)
    assert (event.user_id, event.client_id, event.user_data_retention) == ("alice", "client", expected)
    assert event.deauthorization_time == datetime(2026, 11, 24, 12, 0, 0, 632000, tzinfo=UTC)
    assert "hush4242" not in repr(event)


def test_url_validation() -> None:
    event = parse_event(b'{"event":"endpoint.url_validation","payload":{"plainToken":"hush4242"}}')
    assert isinstance(event, UrlValidation)
    assert event.plain_token == "hush4242"
    assert "hush4242" not in repr(event)


@pytest.mark.parametrize(
    "name", ["meeting.sharing_started", "user.signed_in", "recording.completed", "Number_x.port-done"]
)
def test_events_without_effect(name: str) -> None:
    event = parse_event(body(name, {"account_id": "acme", "object": {"id": "anything at all"}}))
    assert type(event) is Event
    assert (event.name, event.account_id) == (name, "acme")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"event": "meeting.started", "x": "\\ud83d"', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{}", "event"),
        (b'{"event": 5}', "event"),
        (b'{"event": "<script>"}', "event"),
        (b'{"event": "meeting.started"}', "payload"),
        (body("meeting.started", []), "payload"),
        (body("meeting.started", {"account_id": "a"}), "payload.object"),
        (body("meeting.started", {"account_id": "a", "object": {}}), "payload.object.id"),
        (body("meeting.started", {"object": {"id": 81234567890}}), "payload.account_id"),
        (body("meeting.started", {"account_id": {}, "object": {"id": 81234567890}}), "payload.account_id"),
        (body("meeting.started", {"account_id": "a", "object": {"id": 81234567890}}, event_ts="x"), "event_ts"),
        (body("meeting.started", {"account_id": "a", "object": {"id": 81234567890}}, event_ts=10**16), "event_ts"),
        (body("user.updated", {"account_id": "a", "object": {"id": "../x"}}), "payload.object.id"),
        (body("user.updated", {"account_id": "a", "object": {"id": 5}}), "payload.object.id"),
        (body("app_deauthorized", {"account_id": "a"}), "payload.user_id"),
        (body("endpoint.url_validation", {}), "plainToken"),
    ],
)
def test_malformed(raw: bytes, says: str) -> None:
    with pytest.raises(MalformedEvent) as caught:
        parse_event(raw)
    assert says in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "zoom_id",
    [12345678, 123456789012, -81234567890, True, 81234567890.5, "8123456789x", " 81234567890", "", None, [], 2**70],
)
def test_meeting_ids_of_the_wrong_shape(zoom_id: object) -> None:
    with pytest.raises(MalformedEvent, match=r"^payload\.object\.id"):
        meeting("meeting.started", {"id": zoom_id})


@pytest.mark.parametrize("key", ["host_id", "uuid"])
@pytest.mark.parametrize("value", [5, ["x"], "has blank", "x" * 200])
def test_other_ids_of_the_wrong_shape(key: str, value: object) -> None:
    with pytest.raises(MalformedEvent, match=rf"^payload\.object\.{key}"):
        meeting("meeting.started", {key: value})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "endpoint.url_validation",
        "app_deauthorized",
        "meeting.created",
        "webinar.ended",
        "user.updated",
        "x.y",
        "meeting.x",
    ]
)
KEYS = [
    "id", "uuid", "host_id", "type", "start_time", "end_time", "duration", "pmi", "settings", "participant", "email",
]  # fmt: skip
OBJECTS = JSON | st.dictionaries(st.sampled_from(KEYS), JSON | st.just(81234567890))
PAYLOADS = JSON | st.fixed_dictionaries(
    {"account_id": JSON | st.just("a"), "object": OBJECTS},
    optional={
        "old_object": JSON,
        "operation": JSON,
        "operator_id": JSON,
        "plainToken": JSON,
        "user_id": JSON | st.just("u"),
        "user_data_retention": JSON,
        "deauthorization_time": JSON,
    },
)


@given(NAMES | JSON, JSON | st.just(TS), PAYLOADS)
def test_fuzzed_fields_are_an_event_or_malformed(name: object, event_ts: object, payload: object) -> None:
    raw = json.dumps({"event": name, "event_ts": event_ts, "payload": payload}).encode()
    try:
        event = parse_event(raw)
    except MalformedEvent:
        return
    assert event.name == name
    assert event.time.tzinfo is UTC
    if isinstance(event, MeetingEvent):
        assert 9 <= len(event.meeting_id) <= 11


@given(st.binary(max_size=200))
def test_fuzzed_bytes_are_malformed(raw: bytes) -> None:
    try:
        parse_event(raw)
    except MalformedEvent:
        return
    assert isinstance(json.loads(raw.decode("utf-8", "replace")), dict)
