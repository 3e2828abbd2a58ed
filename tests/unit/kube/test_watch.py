"""Watch streams: lines however they are cut, ends, errors, and broken connections."""

from __future__ import annotations

from typing import Any

import pytest
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import ExpiredError, ForbiddenError, KubeError, UnavailableError
from meetingbots.kube.resources import CREDENTIALS, SECRETS

from tests.unit.kube.conftest import RecordedCalls
from tests.unit.kube.scripted_server import Answer, Reply, Reset, ScriptedServer, Stream, lines, refusal

PATH = "/apis/meetingbots.dev/v1alpha1/namespaces/ns/zoomcredentials"


def change(name: str, kind: str = "MODIFIED", **parts: Any) -> Object:
    return {"type": kind, "object": {"metadata": {"name": name}, **parts}}


async def watch(kube: Kube) -> tuple[list[Object], KubeError | None]:
    """All changes until the stream's end, and what ended it."""
    seen: list[Object] = []
    try:
        async for item in kube.watch(CREDENTIALS, namespace="ns", resource_version="7"):
            seen.append(item)  # noqa: PERF401 - what came before an error counts
    except KubeError as error:
        return seen, error
    return seen, None


async def test_what_is_asked(kube: Kube, server: ScriptedServer, recorded: RecordedCalls) -> None:
    server.says(Stream())
    assert await watch(kube) == ([], None)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("GET", PATH)
    assert asked.query == {
        "watch": "1",
        "allowWatchBookmarks": "true",
        "resourceVersion": "7",
        "timeoutSeconds": "240",
    }
    assert recorded.calls == [("watch", "zoomcredentials", 200)]


async def test_a_field_selector_is_passed_on(kube: Kube, server: ScriptedServer) -> None:
    server.says(Stream())
    selector = "metadata.name=meetingbots-receiver"
    stream = kube.watch(SECRETS, namespace="ns", resource_version="1", field_selector=selector, timeout_seconds=5)
    assert [item async for item in stream] == []
    assert server.asked[0].query["fieldSelector"] == selector
    assert server.asked[0].query["timeoutSeconds"] == "5"


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
async def test_lines_come_whole_however_the_network_cuts_them(kube: Kube, server: ScriptedServer, size: int) -> None:
    changes = [change(f"c{number}", text="ä€" * 5) for number in range(5)]
    raw = lines(*changes) + b"\n"
    server.says(Stream([raw[start : start + size] for start in range(0, len(raw), size)]))
    assert await watch(kube) == (changes, None)


async def test_a_line_may_be_as_long_as_an_object_may_be_large(kube: Kube, server: ScriptedServer) -> None:
    changes = [change("large", text="x" * 1_500_000), change("small")]
    server.says(Stream([lines(*changes)]))
    assert await watch(kube) == (changes, None)


async def test_an_expired_position_inside_the_stream(kube: Kube, server: ScriptedServer) -> None:
    error = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}
    server.says(Stream([lines(change("a"), error, change("b"))]))
    seen, ended = await watch(kube)
    assert seen == [change("a")]
    assert isinstance(ended, ExpiredError)
    assert (str(ended), ended.status) == ("too old", 410)


@pytest.mark.parametrize("code", [500, None])
async def test_another_error_inside_the_stream(kube: Kube, server: ScriptedServer, code: int | None) -> None:
    server.says(Stream([lines({"type": "ERROR", "object": {"code": code}})]))
    seen, ended = await watch(kube)
    assert seen == []
    assert isinstance(ended, UnavailableError)


@pytest.mark.parametrize(
    ("answer", "kind"), [(refusal(410, "Expired"), ExpiredError), (refusal(403, "Forbidden"), ForbiddenError)]
)
async def test_a_refusal_at_the_start(
    kube: Kube, server: ScriptedServer, recorded: RecordedCalls, answer: Answer, kind: type[KubeError]
) -> None:
    server.says(answer)
    seen, ended = await watch(kube)
    assert type(ended) is kind
    assert seen == []
    assert recorded.calls == [("watch", "zoomcredentials", ended.status)]


@pytest.mark.parametrize(
    "piece", [b"<html>login</html>\n", b"[]\n", b"{}\n", b'{"type": "ADDED", "object": null}\n', b'{"type"\n']
)
async def test_something_else_in_the_stream_is_no_answer(kube: Kube, server: ScriptedServer, piece: bytes) -> None:
    server.says(Stream([lines(change("a")), piece]))
    seen, ended = await watch(kube)
    assert seen == [change("a")]
    assert isinstance(ended, UnavailableError)


async def test_a_stream_cut_off_in_a_line(kube: Kube, server: ScriptedServer) -> None:
    server.says(Stream([lines(change("a")), b'{"type": "ADD'], end="abort"))
    seen, ended = await watch(kube)
    assert seen == [change("a")]
    assert isinstance(ended, UnavailableError)


async def test_no_answer_at_all_is_reported_too(kube: Kube, server: ScriptedServer, recorded: RecordedCalls) -> None:
    server.says(Reset())
    seen, ended = await watch(kube)
    assert seen == []
    assert isinstance(ended, UnavailableError)
    assert recorded.calls == [("watch", "zoomcredentials", 0)]


async def test_a_redirect_is_not_followed(kube: Kube, server: ScriptedServer) -> None:
    server.says(Reply({}, status=302, headers={"Location": "/elsewhere"}), Stream([lines(change("a"))]))
    seen, ended = await watch(kube)
    assert seen == []
    assert ended is not None
    assert ended.status == 302
    assert len(server.asked) == 1
