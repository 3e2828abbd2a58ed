from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from meetingbots.kube.json_codec import MAX_DEPTH, PLACEHOLDER, decode, limit_depth

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner)
)


def nested(levels: int, *, opening: str = '{"a":', closing: str = "}", bottom: str = "1") -> bytes:
    return (opening * levels + bottom + closing * levels).encode()


def depth(value: Any) -> int:
    """Levels of maps and lists, counted without recursion."""
    levels, layer = 0, [value]
    while layer := [item for item in layer if isinstance(item, dict | list)]:
        layer = [child for item in layer for child in (item.values() if isinstance(item, dict) else item)]
        levels += 1
    return levels


@given(VALUES)
def test_usual_json_comes_back(value: Any) -> None:
    raw = orjson.dumps(value)
    assert decode(raw) == value
    assert limit_depth(raw) == raw


@pytest.mark.parametrize("levels", [MAX_DEPTH - 1, MAX_DEPTH])
@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]"), ('[{"b":', "}]")])
def test_the_allowed_depth_is_kept(levels: int, opening: str, closing: str) -> None:
    levels = levels // len(closing)
    raw = nested(levels, opening=opening, closing=closing)
    assert limit_depth(raw) == raw
    assert decode(raw) == orjson.loads(raw)


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 254, 255, 1_000, 1_024, 1_025, 10_000])
@pytest.mark.parametrize(
    ("opening", "closing"), [('{"a":', "}"), ("[", "]"), ('[{"b":', "}]"), ('{"x":[],"b":[', "]}")]
)
def test_deeper_values_are_replaced(levels: int, opening: str, closing: str) -> None:
    raw = nested(levels, opening=opening, closing=closing)
    assert depth(decode(raw)) <= MAX_DEPTH
    assert PLACEHOLDER.encode() in limit_depth(raw)
    json.loads(limit_depth(raw))


def test_only_deep_values_are_replaced_and_what_follows_is_kept() -> None:
    before, after = {"name": "a", "quoted": '[[{{"\\'}, {"z": [1, {"y": "}}]]"}]}
    head, tail = orjson.dumps(before)[:-1], orjson.dumps(after)[1:]
    deep = nested(300, opening="[", closing="]")
    item = head + b',"deep":' + deep + b',"twice":[' + deep + b"," + deep + b"]," + tail
    found = decode(item)
    assert {key: found[key] for key in (*before, *after)} == {**before, **after}
    assert depth(found["deep"]) == MAX_DEPTH - 1
    assert [depth(one) for one in found["twice"]] == [MAX_DEPTH - 2] * 2


def test_brackets_in_texts_are_no_levels() -> None:
    value = {"text": "[" * 500 + "{" * 500 + '\\"' * 50}
    assert decode(orjson.dumps(value)) == value


@given(st.binary())
@example(b"[" * 2_000)
@example(b'{"a":' * 2_000)
@example(b"]" * 2_000)
@example(b'"' + b"[" * 2_000)
@example(b"")
def test_anything_else_is_rejected_with_one_error(raw: bytes) -> None:
    try:
        decode(raw)
    except orjson.JSONDecodeError:
        return
    json.loads(raw)


@given(st.lists(st.sampled_from(["[", "{", '{"a":', "]", "}", '"[', '\\"', '"', ",", "1"]), max_size=400).map("".join))
def test_no_malformed_text_breaks_the_limit(text: str) -> None:
    limit_depth((text * 3).encode())
