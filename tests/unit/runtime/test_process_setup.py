"""What both processes set up first."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import aiohttp
import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from httpx_aiohttp import AiohttpTransport
from meetingbots.kube.connection import ClusterAccessError
from meetingbots.process import operator as operator_process
from meetingbots.process.operator import run_operator
from meetingbots.receiver import process as receiver_process
from meetingbots.receiver.process import run_receiver
from meetingbots.runtime import process_setup
from meetingbots.runtime.process_setup import configure_logging, tune_garbage_collection
from meetingbots.runtime.settings import OperatorSettings, ReceiverSettings


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    known = {name: logging.getLogger(name).level for name in logging.root.manager.loggerDict}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in logging.root.manager.loggerDict:
        logging.getLogger(name).setLevel(known.get(name, logging.NOTSET))


def configure(**settings: Any) -> None:
    configure_logging(OperatorSettings(**settings))


def test_json_lines_can_be_parsed(capsys: pytest.CaptureFixture[str]) -> None:
    configure(log_format="json")
    logger = logging.getLogger("meetingbots.some.place")
    logger.info('a "quoted" %s\nwith two lines', "text")
    logger.warning("second")
    try:
        _ = dict[str, str]()["inside"]
    except KeyError:
        logger.exception("with a traceback")
    out, err = capsys.readouterr()
    assert out == ""
    first, second, third = (json.loads(line) for line in err.splitlines())
    assert first["message"] == 'a "quoted" text\nwith two lines'
    assert (first["level"], first["logger"]) == ("INFO", "meetingbots.some.place")
    written = datetime.fromisoformat(first["time"])
    assert written.utcoffset() == timedelta(0)
    assert abs(written - datetime.now(UTC)) < timedelta(minutes=1)
    assert (second["level"], second["message"]) == ("WARNING", "second")
    assert "KeyError: 'inside'" in third["exc_info"]


def test_text_lines_have_level_and_logger(capsys: pytest.CaptureFixture[str]) -> None:
    configure(log_format="text")
    logging.getLogger("meetingbots.place").warning("something %d", 7)
    (line,) = capsys.readouterr().err.splitlines()
    time, _, rest = line.partition(" ")
    assert time.endswith("Z")
    assert rest == "WARNING meetingbots.place: something 7"


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("DEBUG", ["debug", "info", "warning", "error"]),
        ("INFO", ["info", "warning", "error"]),
        ("WARNING", ["warning", "error"]),
        ("ERROR", ["error"]),
    ],
)
def test_the_level_is_honoured(capsys: pytest.CaptureFixture[str], level: str, seen: list[str]) -> None:
    configure(log_level=level)
    logger = logging.getLogger("meetingbots.place")
    for word in ("debug", "info", "warning", "error"):
        logger.log(getattr(logging, word.upper()), word)
    assert [line.rpartition(": ")[2] for line in capsys.readouterr().err.splitlines()] == seen


def test_configured_twice_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    configure()
    logging.getLogger("meetingbots.place").warning("once")
    assert len(capsys.readouterr().err.splitlines()) == 1


async def _talk() -> None:
    """Requests with secrets in query, header and body, over every HTTP library that the processes use."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"access_token": "secret-answer"}, headers={"X-Session": "secret-session"})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(application, host="127.0.0.1")
    await server.start_server(access_log=logging.getLogger("aiohttp.access"))
    url = str(server.make_url("/path?token=secret-query"))
    headers = {"Authorization": "Bearer secret-header"}
    try:
        async with httpx.AsyncClient() as client:
            await client.post(url, headers=headers, json={"code": "secret-body"})
        async with httpx.AsyncClient(transport=AiohttpTransport()) as client:
            await client.post(url, headers=headers, json={"code": "secret-body"})
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, headers=headers, json={"a": "secret"}) as reply,
        ):
            await reply.read()
    finally:
        await server.close()


def test_at_debug_no_http_library_tells_urls_headers_or_bodies(capsys: pytest.CaptureFixture[str]) -> None:
    configure(log_level="DEBUG", log_format="json")
    logging.getLogger("meetingbots.place").debug("the level is really DEBUG")
    asyncio.run(_talk())
    err = capsys.readouterr().err
    assert "the level is really DEBUG" in err
    assert "secret" not in err
    assert "/path" not in err


def test_without_our_care_they_would(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the test above: the same requests do leak when nobody quiets the libraries."""
    monkeypatch.setattr(process_setup, "_QUIET", ())
    for name in ("httpx", "httpcore", "aiohttp.access"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    configure(log_level="DEBUG")
    asyncio.run(_talk())
    assert "secret-query" in capsys.readouterr().err


def test_at_debug_kopf_does_not_tell_objects(capsys: pytest.CaptureFixture[str]) -> None:
    configure(log_level="DEBUG")
    for name in ("kopf", "kopf.objects", "kopf._core.reactor.processing", "kopf.activities.probe"):
        logger = logging.getLogger(name)
        logger.debug("body: secret")
        logger.info("body: secret")
    assert capsys.readouterr().err == ""


def test_their_warnings_still_come_through(capsys: pytest.CaptureFixture[str]) -> None:
    configure(log_level="INFO")
    logging.getLogger("kopf.reactor").warning("a watch broke")
    assert "a watch broke" in capsys.readouterr().err


@pytest.fixture
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


class Ring:
    """Something that only the collector of cycles frees."""

    freed = 0

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        Ring.freed += 1


@pytest.mark.usefixtures("as_before")
def test_what_is_there_stays_and_cycles_that_come_are_still_freed() -> None:
    before = gc.get_threshold()
    tune_garbage_collection()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold() > before
    assert gc.isenabled()
    Ring.freed = 0
    for _ in range(2 * gc.get_threshold()[0]):
        Ring()
    assert Ring.freed > 0


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize(("run", "settings"), [(run_operator, OperatorSettings), (run_receiver, ReceiverSettings)])
async def test_both_processes_begin_with_it(
    monkeypatch: pytest.MonkeyPatch, run: Callable[[Any], Awaitable[int]], settings: Callable[[], object]
) -> None:
    async def nowhere() -> NoReturn:
        raise ClusterAccessError("no cluster")

    for module in (operator_process, receiver_process):
        monkeypatch.setattr(module, "find_cluster", nowhere)
    assert gc.get_freeze_count() == 0
    with pytest.raises(ClusterAccessError):
        await run(settings())
    assert gc.get_freeze_count() > 0
