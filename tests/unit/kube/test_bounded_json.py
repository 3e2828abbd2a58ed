"""Responses of the API server that are deep, broken or no JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from meetingbots.kube import bounded_json
from meetingbots.kube.bounded_json import MAX_DEPTH, PLACEHOLDER, BoundedResponse, decode, limit_depth

from tests.unit.kube.scripted_server import Answer, Reply, ScriptedServer, Stream

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


@pytest.mark.parametrize("pairs", [MAX_DEPTH // 2 + 1, MAX_DEPTH - 1, MAX_DEPTH])
def test_alternating_brackets_are_counted_one_by_one(pairs: int) -> None:
    raw = nested(pairs, opening='[{"b":', closing="}]")
    assert depth(decode(raw)) == MAX_DEPTH


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 1_000])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["]"], ["["]),
        (['"]'], ['["']),
        (["\\", "]"], ["[", "\\"]),
        (['\\"]'], ['["\\']),
    ],
)
def test_a_bracket_in_a_text_closes_no_level(levels: int, before: list[str], after: list[str]) -> None:
    opening, closing = json.dumps(before)[:-1] + ",", "," + json.dumps(after)[1:]
    raw = nested(levels, opening=opening, closing=closing)
    assert depth(decode(raw)) == MAX_DEPTH


def test_usual_objects_are_recognised_without_a_search_for_tokens() -> None:
    applied = json.dumps({"metadata": {"labels": {"a": 'quoted "b"'}}, "spec": {"list": [[], {}]}})
    item = {"metadata": {"annotations": {"last-applied": applied}}, "spec": {"containers": [{"env": [{}], "args": []}]}}
    raw = orjson.dumps({"items": [item] * 50})
    assert raw.count(b"{") > MAX_DEPTH
    assert bounded_json._is_shallow(raw)


def test_only_deep_values_are_replaced_and_what_follows_is_kept() -> None:
    before, after = {"name": "a", "quoted": '[[{{"\\'}, {"z": [1, {"y": "}}]]"}]}
    head, tail = orjson.dumps(before)[:-1], orjson.dumps(after)[1:]
    deep = nested(300, opening="[", closing="]")
    item = head + b',"deep":' + deep + b',"twice":[' + deep + b"," + deep + b"]," + tail
    found = decode(item)
    assert {key: found[key] for key in (*before, *after)} == {**before, **after}
    assert depth(found["deep"]) == MAX_DEPTH - 1
    assert [depth(one) for one in found["twice"]] == [MAX_DEPTH - 2] * 2


BRACKETS = st.text('[]{}"\\\\a', max_size=12)


@given(st.integers(MAX_DEPTH + 1, MAX_DEPTH + 40), st.lists(BRACKETS, min_size=4, max_size=4), st.booleans())
def test_no_bracket_in_a_text_hides_a_level(levels: int, texts: list[str], wide: bool) -> None:
    value: Any = texts
    for level in range(levels):
        value = {texts[level % 4]: value} if wide else [texts[level % 4], value, texts[level % 3]]
    assert depth(decode(orjson.dumps(value))) <= MAX_DEPTH


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


DEEP = b'{"object":' + b"[" * 5_000 + b"]" * 5_000 + b"}"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(response_class=BoundedResponse) as opened:
        yield opened


@asynccontextmanager
async def response_to(session: aiohttp.ClientSession, answer: Answer) -> AsyncIterator[aiohttp.ClientResponse]:
    server = ScriptedServer()
    server.says(answer)
    async with server.running(), session.get(server.url) as response:
        yield response


async def lines_of(session: aiohttp.ClientSession, *pieces: bytes, size: int = 1 << 20) -> list[bytes]:
    async with response_to(session, Stream(pieces=pieces)) as response:
        return [chunk async for chunk in response.content.iter_chunked(size)]


@pytest.mark.parametrize(
    "pieces",
    [[b'{"a":1}\n{"b":2}\n'], [b'{"a"', b":1}", b'\n{"b":2', b"}\n"], [b'\n\n{"a":1}\n\n', b'{"b":2}\n{"cut o']],
)
@pytest.mark.parametrize("size", [3, 1 << 20])
async def test_a_watch_comes_in_whole_lines(session: aiohttp.ClientSession, pieces: Sequence[bytes], size: int) -> None:
    assert await lines_of(session, *pieces, size=size) == [b'{"a":1}\n', b'{"b":2}\n']


async def test_a_deep_line_is_cut_and_the_next_one_is_kept(session: aiohttp.ClientSession) -> None:
    [cut, kept] = await lines_of(session, DEEP + b"\n", b'{"a":1}\n')
    assert cut.count(b"[") == MAX_DEPTH - 1
    assert kept == b'{"a":1}\n'


async def test_bytes_that_are_not_utf8_are_replaced(session: aiohttp.ClientSession) -> None:
    [line] = await lines_of(session, b'{"a":"\xff"}\n')
    assert line.decode() == '{"a":"�"}\n'


async def test_a_deep_list_is_cut(session: aiohttp.ClientSession) -> None:
    async with response_to(session, Reply(DEEP)) as response:
        found = await response.json(content_type=None)
    levels = 0
    while isinstance(found, dict | list) and found:
        found = next(iter(found.values() if isinstance(found, dict) else found))
        levels += 1
    assert levels == MAX_DEPTH


async def test_other_ways_to_read_give_the_bytes_as_they_are(session: aiohttp.ClientSession) -> None:
    async with response_to(session, Reply(DEEP)) as response:
        assert await response.read() == DEEP


EVENT = b'{"type":"ADDED","object":{}}\n'
INTERNAL_ERROR = b'{"type":"ERROR","object":{"kind":"Status","code":500,"message":"cannot decode an object"}}\n'


@pytest.mark.parametrize("end", [INTERNAL_ERROR, b"<html>a proxy</html>\n", b"upstream connect error\n"])
async def test_an_error_ends_the_watch_and_not_the_process(
    session: aiohttp.ClientSession, end: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_json, "_PAUSE_SECONDS", 0.0)
    assert await lines_of(session, EVENT, end, EVENT) == [EVENT]
    assert "the watch ends" in caplog.text


async def test_an_expired_version_reaches_kopf(session: aiohttp.ClientSession) -> None:
    expired = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n'
    assert await lines_of(session, EVENT, expired) == [EVENT, expired]


async def test_a_list_that_is_not_json_is_retried(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_json, "_PAUSE_SECONDS", 0.0)
    async with response_to(session, Reply(b"<html>", headers={"Content-Type": "text/html"})) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.json()


async def test_an_error_page_is_left_to_kopf(session: aiohttp.ClientSession) -> None:
    async with response_to(session, Reply(b"<html>", status=502, headers={"Content-Type": "text/html"})) as response:
        with pytest.raises(aiohttp.ContentTypeError):
            await response.json()


@pytest.mark.parametrize("rest", [rb"\"" * 1000, rb"\"" * 1000 + b"\\", b"{[" * 1000, b"x" * 1000 + b"\\", b""])
def test_an_unterminated_string_is_one_token(rest: bytes) -> None:
    """Otherwise each escaped quote in it begins another search, and the time is quadratic."""
    raw = b'{"a":"' + rest
    assert [found.span() for found in bounded_json._TOKENS.finditer(raw)] == [(0, 1), (1, 4), (5, len(raw))]
