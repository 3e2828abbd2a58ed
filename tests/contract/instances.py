"""Events at random that match Zoom's types, with ids and times of Zoom's shapes."""

import string
from base64 import b64encode
from typing import Any

from hypothesis import strategies as st

from tests.contract.schemas import Schema, zoom_types

Strategy = st.SearchStrategy[Any]
Path = tuple[str, ...]

_SUBJECTS = ("meeting.", "webinar.", "user.", "app_")

# Zoom's types say only "string" and "number" for ids and times; its documentation gives these shapes.
_ID = st.text(string.ascii_letters + string.digits + "_-", min_size=22, max_size=22)
_MILLISECONDS = st.integers(1_500_000_000_000, 2_500_000_000_000)
_MEETING_ID = st.integers(100_000_000, 99_999_999_999)
_TIME = st.datetimes().map(lambda when: when.strftime("%Y-%m-%dT%H:%M:%SZ"))
_BY_NAME: dict[str, Strategy] = {
    "account_id": _ID,
    "host_id": _ID,
    "operator_id": _ID,
    "user_id": _ID,
    "uuid": st.binary(min_size=16, max_size=16).map(lambda raw: b64encode(raw).decode()),
    "event_ts": _MILLISECONDS,
    "time_stamp": _MILLISECONDS,
    "deauthorization_time": _TIME,
    **dict.fromkeys(("start_time", "end_time", "join_time", "leave_time", "date_time"), _TIME),
}


def event_names() -> list[str]:
    """List the events of the types about meetings, webinars, users and apps."""
    return sorted(name for name in zoom_types().events if name.startswith(_SUBJECTS))


def events(name: str) -> Strategy:
    """Make bodies of an event: with and without each optional field, with any character in texts."""
    schema = zoom_types().events[name]
    if name == "app_deauthorized":
        # The types have every field as optional; without these it does not say which consent ended.
        payload = {**schema["properties"]["payload"], "required": ["user_id", "account_id"]}
        properties = {**schema["properties"], "payload": payload}
        schema = {**schema, "properties": properties, "required": ["event", "payload"]}
    return _values(schema, (name,))


def _values(schema: Schema, path: Path) -> Strategy:
    if "anyOf" in schema:
        return st.one_of([_values(each, path) for each in schema["anyOf"]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    shaped = _shaped(schema, path)
    if shaped is not None:
        return shaped
    match schema.get("type"):
        case "object":
            return _objects(schema, path)
        case "array":
            return st.lists(_values(schema["items"], path), max_size=2)
        case "number":
            return st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
        case "boolean":
            return st.booleans()
        case "string":
            return st.text(st.characters(exclude_categories=()), max_size=20)
    raise ValueError(f"{'.'.join(path)}: no instances of {schema}")


def _objects(schema: Schema, path: Path) -> Strategy:
    properties: dict[str, Schema] = schema.get("properties", {})
    required = set(schema.get("required", ()))
    members = {name: _values(each, (*path, name)) for name, each in properties.items()}
    return st.fixed_dictionaries(
        {name: each for name, each in members.items() if name in required},
        optional={name: each for name, each in members.items() if name not in required},
    )


def _shaped(schema: Schema, path: Path) -> Strategy | None:
    """Get the values of an id or a time."""
    *_, holder, name = path if len(path) > 1 else ("", *path)
    if holder == "participant":
        return {"id": _ID | st.just(""), "user_id": st.integers(16_778_240, 2**31).map(str)}.get(name)
    if name == "pmi" or (name == "id" and holder in ("object", "old_object") and not path[0].startswith("user.")):
        return _MEETING_ID if schema["type"] == "number" else _MEETING_ID.map(str)
    if name == "id" and holder in ("object", "old_object"):
        return _ID
    return _BY_NAME.get(name)
