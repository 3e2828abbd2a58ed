"""The plugin's commands on an API server in memory: missing rights, and several namespaces."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from meetingbots.kube.errors import ForbiddenError, UnavailableError
from meetingbots.kube.resources import BOTS, CREDENTIALS, LEASES, MAPPINGS
from meetingbots.plugin import arguments, cli, doctor
from meetingbots.plugin.cluster_checks import NAMESPACES, QUOTAS
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
    put: Callable[[str], None], kube: FakeKube, opened: Opened, capsys: pytest.CaptureFixture[str], subject: str
) -> None:
    put("acme")
    put("globex")
    mapping = {"meetingId": "81234567891", "credentials": [{"name": "bob"}]}
    kube.put(MAPPINGS, {"metadata": {"name": "81234567891", "namespace": "initech"}, "spec": mapping})
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


async def examined(
    kube: FakeKube, *, everywhere: bool, ask_server: Callable[[], Awaitable[ServerAnswer]] = server
) -> list[str]:
    """The texts of the checks."""
    reader = ClusterReader(kube=kube, namespace="default", ask_server=ask_server)
    urls = doctor.ServiceURLs(oauth_url="http://127.0.0.1:1")
    checks = doctor.examine(reader, system="system", urls=urls, clock=lambda: NOW, everywhere=everywhere)
    return [check.text async for check in checks]


async def test_doctor_names_the_namespace_of_each_credential(put: Callable[[str], None], kube: FakeKube) -> None:
    put("acme")
    put("globex")
    found = await examined(kube, everywhere=True)
    for namespace in ("acme", "globex"):
        assert f"Namespace {namespace}: ZoomCredential alice is not Ready: not processed yet." in found


async def test_doctor_checks_quota_and_pod_security_of_each_namespace(
    put: Callable[[str], None], kube: FakeKube
) -> None:
    for name in ("acme", "globex"):
        put(name)
        kube.put(NAMESPACES, {"metadata": {"name": name}})
    quota = {"metadata": {"name": "bots", "namespace": "globex"}}
    kube.put(QUOTAS, {**quota, "status": {"hard": {"pods": "2"}, "used": {"pods": "2"}}})
    found = await examined(kube, everywhere=True)
    assert "Namespace globex: ResourceQuota bots allows 2 pods, and 2 exist." in found
    for name in ("acme", "globex"):
        text = f"Namespace {name} enforces the Pod Security Standard privileged."
        assert [one for one in found if one.endswith(text)]


@pytest.mark.parametrize("former", ["", "operator-0"], ids=["without shards before", "one operator before"])
async def test_doctor_checks_the_lease_of_each_shard(kube: FakeKube, former: str) -> None:
    def lease(name: str, holder: str, renewed: str) -> None:
        spec = {"holderIdentity": holder, "renewTime": renewed}
        kube.put(LEASES, {"metadata": {"name": name, "namespace": "system"}, "spec": spec})

    if former:
        lease("meetingbots-operator", former, "2029-12-31T12:00:00.000000Z")
    lease("meetingbots-operator-east", "operator-1", "2030-01-01T11:59:58.000000Z")
    lease("meetingbots-operator-west", "operator-2", "2030-01-01T11:50:00.000000Z")
    lease("another-controller", "x", "2030-01-01T11:59:58.000000Z")
    texts = [text for text in await examined(kube, everywhere=False) if "Lease" in text]
    assert texts == [
        "Operator operator-1 of shard east works; its Lease is 2 s old.",
        "No operator of shard west holds the Lease.",
    ]


async def test_doctor_reports_an_api_server_that_does_not_answer(kube: FakeKube) -> None:
    async def unavailable(call: Call) -> None:
        raise UnavailableError("no answer", status=503)

    async def ask() -> ServerAnswer:
        raise UnavailableError("no answer", status=503)

    kube.hook = unavailable
    found = await examined(kube, everywhere=False, ask_server=ask)
    assert found[0] == "The API server does not answer: no answer"
    assert found[-1] == "ZoomCredentials cannot be read: no answer"


def consented(kube: FakeKube, *, after: int) -> None:
    """Have the credential of `acme` turn Ready after so many reads."""
    reads = 0

    async def hook(call: Call) -> None:
        nonlocal reads
        if call.plural != CREDENTIALS.plural or call.moment != "before":
            return
        reads += 1
        if reads > after:
            ready = {"type": "Ready", "status": "True", "reason": "TokenValid", "message": "The token is valid."}
            item = kube.peek(CREDENTIALS, namespace="acme", name="alice")
            assert item is not None
            time = {"lastTransitionTime": "2030-01-01T12:00:00Z"}
            kube.put(CREDENTIALS, {**item, "status": {**item.get("status", {}), "conditions": [ready | time]}})

    kube.hook = hook


@pytest.fixture
def link(put: Callable[[str], None], kube: FakeKube) -> str:
    """A connect link in the status of credential `alice` of namespace `acme`."""
    put("acme")
    item = kube.peek(CREDENTIALS, namespace="acme", name="alice")
    assert item is not None
    url = "https://bots.example.com/connect/acme/alice?t=a.b"
    kube.put(CREDENTIALS, {**item, "status": {"connectURL": url}})
    return url


def test_connect_waits_for_the_consent(
    kube: FakeKube, opened: Opened, link: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_WATCH_SECONDS", 0.0)
    consented(kube, after=3)
    assert cli.main(["connect", "alice", "-n", "acme", "--wait"]) == cli.OK
    assert capsys.readouterr().out == f"{link}\n", "once, and without a QR code"
    assert kube.count("get", CREDENTIALS) == 4


@pytest.mark.parametrize(("terminal", "environ"), [(True, ""), (True, "1"), (False, "")])
def test_a_qr_code_and_colours_are_for_terminals(
    opened: Opened,
    link: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    environ: str,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setenv("NO_COLOR", environ)
    cli.main(["connect", "alice", "-n", "acme"])
    assert (len(capsys.readouterr().out.splitlines()) > 10) == terminal
    cli.main(["doctor", "-n", "acme", "--zoom-oauth-url", "http://127.0.0.1:1"])
    assert ("\x1b[31mred" in capsys.readouterr().out) == (terminal and not environ)


def test_yaml_has_the_same_content_as_json(opened: Opened, link: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["why", "alice", "-n", "acme", "-o", "json"])
    found = json.loads(capsys.readouterr().out)
    cli.main(["why", "alice", "-n", "acme", "-o", "yaml"])
    assert yaml.safe_load(capsys.readouterr().out) == found
    assert found["subject"] == "ZoomCredential alice: not processed"


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
