"""The plugin's commands on an API server in memory: missing rights, and several namespaces."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from meetingbots.kube.errors import ForbiddenError
from meetingbots.kube.resources import BOTS, CREDENTIALS, MAPPINGS
from meetingbots.plugin import arguments, cli, doctor
from meetingbots.plugin.reader import ClusterReader, ServerAnswer

from tests.unit.fake_kube import Call, FakeKube

MEETING = "81234567890"
NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


async def server() -> ServerAnswer:
    return ServerAnswer("v1.35.0", "Tue, 01 Jan 2030 12:00:00 GMT")


async def forbid(call: Call) -> None:
    raise ForbiddenError(f"{call.verb} {call.plural}", status=403)


class Opened:
    """Stands in for `open_reader`, and keeps what it was asked for."""

    def __init__(self, kube: FakeKube) -> None:
        self._kube = kube
        self.asked: list[tuple[str | None, str | None]] = []

    @asynccontextmanager
    async def __call__(self, *, context: str | None, namespace: str | None) -> AsyncIterator[ClusterReader]:
        self.asked.append((context, namespace))
        yield ClusterReader(kube=self._kube, namespace=namespace or "default", ask_server=server)


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube()


@pytest.fixture
def opened(kube: FakeKube, monkeypatch: pytest.MonkeyPatch) -> Opened:
    opened = Opened(kube)
    monkeypatch.setattr(cli, "open_reader", opened)
    monkeypatch.setattr(arguments, "open_reader", opened)
    return opened


@pytest.fixture
def put(kube: FakeKube) -> Callable[[str], None]:
    """Create a bot, a credential and a mapping in a namespace."""

    def create(namespace: str) -> None:
        app: dict[str, Any] = {"appSecretRef": {"name": "zoom-app"}, "grant": {"connect": {}}}
        bot = {"meeting": {"id": MEETING}, "joinAt": "2030-01-01T12:00:00Z"}
        kube.put(BOTS, {"metadata": {"name": "notes", "namespace": namespace}, "spec": bot})
        kube.put(CREDENTIALS, {"metadata": {"name": "alice", "namespace": namespace}, "spec": app})
        mapping = {"meetingId": MEETING, "credentials": [{"name": "alice"}]}
        kube.put(MAPPINGS, {"metadata": {"name": MEETING, "namespace": namespace}, "spec": mapping})

    return create


@pytest.mark.parametrize(
    ("command", "right"), [(("timeline", "notes"), "get meetingbots"), (("connect", "alice"), "get zoomcredentials")]
)
def test_a_missing_right_is_named_beside_an_object_that_was_not_found(
    kube: FakeKube, opened: Opened, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], right: str
) -> None:
    kube.hook = forbid
    assert cli.main(command) == cli.UNUSABLE
    assert f"Not readable with your rights: {right}." in capsys.readouterr().err


@pytest.mark.parametrize("subject", ["notes", "alice", MEETING, "812-3456-7890", f"https://zoom.us/j/{MEETING}"])
def test_answers_of_several_namespaces_name_them(
    put: Callable[[str], None], opened: Opened, capsys: pytest.CaptureFixture[str], subject: str
) -> None:
    put("acme")
    put("globex")
    cli.main(["why", subject, "-A", "-o", "json"])
    answers = json.loads(capsys.readouterr().out)["answers"]
    assert [answer["namespace"] for answer in answers] == ["acme", "globex"]
    cli.main(["why", subject, "-A"])
    printed = capsys.readouterr().out
    assert "Namespace acme\n" in printed
    assert "Namespace globex\n" in printed


@pytest.mark.parametrize("everywhere", [(), ("-A",)])
def test_a_wrong_link_gets_its_reason_and_is_not_repeated(
    opened: Opened, capsys: pytest.CaptureFixture[str], everywhere: tuple[str, ...]
) -> None:
    assert cli.main(["why", f"https://meet.example.com/j/{MEETING}?pwd=Secret.1", *everywhere]) == cli.UNUSABLE
    errors = capsys.readouterr().err
    assert "not one of Zoom's" in errors
    assert "Secret.1" not in errors


async def test_doctor_names_the_namespace_of_each_credential(
    put: Callable[[str], None], kube: FakeKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("acme")
    put("globex")
    reader = ClusterReader(kube=kube, namespace="default", ask_server=server)
    urls = doctor.ServiceURLs(oauth_url="http://127.0.0.1:1")
    found = [
        check.text
        async for check in doctor.examine(reader, system="system", urls=urls, clock=lambda: NOW, everywhere=True)
    ]
    for namespace in ("acme", "globex"):
        assert f"Namespace {namespace}: ZoomCredential alice is not Ready: not processed yet." in found


@pytest.mark.parametrize("words", [["--at", "tomorrow"], ["--at", "2030-01-01T12:00:00"]])
def test_a_wrong_time_gets_the_form_of_a_right_one(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    with pytest.raises(SystemExit):
        arguments.parser().parse_args(["send", MEETING, *words])
    assert "such as 2030-01-01T12:00:00Z" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags",
    [
        ["-n", "acme", "--context", "other"],
        ["-nacme", "--context=other"],
        ["--namespace=acme", "--context", "other"],
        ["--output", "json", "--namespace", "acme", "--context", "other"],
    ],
)
def test_completion_reads_the_cluster_and_namespace_of_the_command(
    put: Callable[[str], None], opened: Opened, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    put("acme")
    assert arguments.complete(["why", *flags, "no"]) == 0
    assert capsys.readouterr().out.split() == ["notes", ":4"]
    assert opened.asked == [("other", "acme")]
