"""Finding the cluster, the token of each request, and TLS."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, incluster_config
from meetingbots.kube.client import Kube
from meetingbots.kube.connection import ClusterAccessError, Connection, find_cluster
from meetingbots.kube.errors import UnavailableError
from meetingbots.kube.resources import PODS

from tests.unit.kube.scripted_server import Reply, ScriptedServer


@pytest.fixture(autouse=True)
def _outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever machine this runs on: no service account."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_PORT", raising=False)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a self-signed certificate for api.example and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    subject = ["-subj", "/CN=api.example", "-addext", "subjectAltName=DNS:api.example"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "ca.crt")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def kubeconfig(
    folder: Path, *, server: str = "http://127.0.0.1:1", user: dict[str, Any] | None = None, **cluster: Any
) -> str:
    """The path of a kubeconfig file with the contexts `here` (which is the current one) and `there`."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u"}},
            {"name": "there", "context": {"cluster": "d", "user": "u"}},
        ],
        "clusters": [
            {"name": "c", "cluster": {"server": server, **cluster}},
            {"name": "d", "cluster": {"server": "http://127.0.0.1:2"}},
        ],
        "users": [{"name": "u", "user": {"token": "static"} if user is None else user}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def service_account(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, ca: str, host: str = "127.0.0.1", port: str = "1"
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    (folder / "token").write_text("of-the-pod\n")
    (folder / "ca.crt").write_text(ca)


async def ask(connection: Connection) -> Any:
    async with connection.session(timeout=5) as session:
        return await Kube(session=session, server=connection.server).get(PODS, namespace="ns", name="p")


async def test_the_service_account_comes_before_kubeconfig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    service_account(tmp_path, monkeypatch, ca=(certificate / "ca.crt").read_text(), host="fd00::1", port="443")
    connection = await find_cluster(kubeconfig=kubeconfig(tmp_path))
    assert connection.server == "https://[fd00::1]:443"
    assert connection.configuration.ssl_ca_cert == str(tmp_path / "ca.crt")


async def test_outside_a_cluster_it_is_kubeconfig(tmp_path: Path, server: ScriptedServer) -> None:
    connection = await find_cluster(kubeconfig=kubeconfig(tmp_path, server=server.url + "/"))
    assert connection.server == server.url
    await ask(connection)
    (asked,) = server.asked
    assert asked.headers["Authorization"] == "Bearer static"
    assert asked.headers["User-Agent"] == "meetingbots"


async def test_another_context_can_be_named(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path)
    assert (await find_cluster(kubeconfig=path)).server == "http://127.0.0.1:1"
    assert (await find_cluster(kubeconfig=path, context="there")).server == "http://127.0.0.1:2"


UNUSABLE = {
    "empty": "",
    "no YAML": "a: [",
    "no kubeconfig": "just a text",
    "a list": "[]",
    "no contexts": "apiVersion: v1",
    "a context without cluster": "current-context: x\ncontexts: [{name: x, context: {user: secret-user}}]",
    "a user without user": (
        "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: u, token: secret-token}]"
    ),
    "broken lists": "current-context: x\ncontexts: [secret-x]\nclusters: 7",
    "no such CA": (
        "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority: gone.crt}}]\n"
        "users: [{name: u, user: {token: secret-token}}]"
    ),
}


@pytest.mark.parametrize("content", UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_an_unusable_kubeconfig_is_described(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    with pytest.raises(ClusterAccessError) as caught:
        await find_cluster(kubeconfig=str(path))
    assert str(caught.value).startswith(
        "no access to Kubernetes: not in a cluster (Service host/port is not set.), and no usable kubeconfig ("
    )
    assert "secret" not in str(caught.value)


async def test_a_missing_kubeconfig_is_described(tmp_path: Path) -> None:
    with pytest.raises(
        ClusterAccessError, match=r"not in a cluster.*no usable kubeconfig \(there is no file .*missing\)"
    ):
        await find_cluster(kubeconfig=str(tmp_path / "missing"))


async def test_an_unknown_context_is_described(tmp_path: Path) -> None:
    with pytest.raises(ClusterAccessError, match="Expected object with name elsewhere"):
        await find_cluster(kubeconfig=kubeconfig(tmp_path), context="elsewhere")


async def test_the_token_is_asked_for_with_each_request(server: ScriptedServer) -> None:
    configuration = Configuration(host=server.url)
    tokens = iter(["first", "second\n"])

    def renew(configuration: Configuration) -> None:
        configuration.api_key["BearerToken"] = f"Bearer {next(tokens)}"

    configuration.refresh_api_key_hook = renew  # type: ignore[assignment]
    connection = Connection(server=server.url, configuration=configuration)
    async with connection.session() as session:
        kube = Kube(session=session, server=connection.server)
        await kube.get(PODS, namespace="ns", name="p")
        await kube.get(PODS, namespace="ns", name="p")
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer first", "Bearer second"]


async def test_a_renewed_service_account_token_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: Path, server: ScriptedServer
) -> None:
    time = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
    clock = SimpleNamespace(now=lambda: time)
    monkeypatch.setattr(incluster_config, "datetime", SimpleNamespace(datetime=clock, timedelta=datetime.timedelta))
    service_account(tmp_path, monkeypatch, ca=(certificate / "ca.crt").read_text())
    found = await find_cluster()
    connection = Connection(server=server.url, configuration=found.configuration)
    await ask(connection)
    (tmp_path / "token").write_text("renewed")
    time += datetime.timedelta(minutes=2)
    await ask(connection)
    (tmp_path / "token").write_text("")  # in the middle of a renewal
    time += datetime.timedelta(minutes=2)
    with pytest.raises(UnavailableError):
        await ask(connection)
    tokens = [asked.headers["Authorization"].split()[1] for asked in server.asked]
    assert tokens == ["of-the-pod", "renewed"]


async def test_a_renewed_token_file_of_a_kubeconfig_is_used_after_a_minute(
    tmp_path: Path, server: ScriptedServer
) -> None:
    time = 0.0
    file = tmp_path / "token-file"
    file.write_text("old")
    path = kubeconfig(tmp_path, server=server.url, user={"tokenFile": str(file)})
    connection = await find_cluster(kubeconfig=path, clock=lambda: time)
    file.write_text("new")
    for seconds in (0.0, 59.0, 61.0):
        time = seconds
        await ask(connection)
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer old", "Bearer old", "Bearer new"]
    file.unlink()
    time = 122.0
    with pytest.raises(UnavailableError):
        await ask(connection)


async def test_a_token_that_cannot_be_read_is_no_answer(server: ScriptedServer) -> None:
    def fail(configuration: Configuration) -> None:
        raise ConfigException("Token file exists but empty.")

    configuration = Configuration(host=server.url)
    configuration.refresh_api_key_hook = fail  # type: ignore[assignment]
    with pytest.raises(UnavailableError):
        await ask(Connection(server=server.url, configuration=configuration))
    assert server.asked == []


async def test_a_watch_that_is_not_answered_is_given_up_and_one_that_is_silent_goes_on() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if "never" in request.query:
            await asyncio.Event().wait()
        if "late" in request.query:
            await asyncio.sleep(0.4)
        response = web.StreamResponse()
        await response.prepare(request)
        if "watch" in request.query:
            await asyncio.sleep(0.4)  # longer than the beginning may take
        await response.write(b"{}\n")
        return response

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app) as server:
        connection = Connection(server=str(server.make_url("/")), configuration=Configuration())
        async with connection.session(watch_begins_within=0.2) as session:
            without = aiohttp.ClientTimeout(total=None)  # as a watch is asked for: nothing else would end it
            with pytest.raises(TimeoutError):
                await session.get(server.make_url("/"), params={"watch": "true", "never": "1"}, timeout=without)
            async with session.get(server.make_url("/"), params={"watch": "true"}) as silent:
                assert await silent.read() == b"{}\n"
            async with session.get(server.make_url("/"), params={"late": "1"}) as list_of_many:
                assert await list_of_many.read() == b"{}\n"


async def test_the_token_does_not_follow_a_redirect_to_another_server(tmp_path: Path, server: ScriptedServer) -> None:
    """Not even for a client of the session that does follow redirects."""
    async with ScriptedServer().running() as thief:
        connection = await find_cluster(kubeconfig=kubeconfig(tmp_path, server=server.url))
        server.says(Reply({}, status=302, headers={"Location": thief.url + "/collect"}))
        async with connection.session() as session:
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.get(server.url + "/api/v1/pods")
        assert len(server.asked) == 1
        assert thief.asked == []


@asynccontextmanager
async def tls_server(certificate: Path) -> AsyncIterator[str]:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"metadata": {}})

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "ca.crt", certificate / "key.pem")
    server = TestServer(application, host="127.0.0.1", scheme="https")
    await server.start_server(ssl=context)
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


@pytest.mark.parametrize(
    ("cluster", "works"),
    [
        pytest.param({}, False, id="an authority that nobody knows"),
        pytest.param({"certificate-authority": "ca.crt"}, False, id="another server's certificate"),
        pytest.param({"certificate-authority": "ca.crt", "tls-server-name": "api.example"}, True, id="the right one"),
        pytest.param({"tls-server-name": "api.example"}, False, id="the right name of an unknown authority"),
        pytest.param({"insecure-skip-tls-verify": True}, True, id="switched off by the kubeconfig's author"),
    ],
)
async def test_the_servers_certificate_is_verified(
    tmp_path: Path, certificate: Path, cluster: dict[str, Any], works: bool
) -> None:
    (tmp_path / "ca.crt").write_text((certificate / "ca.crt").read_text())
    async with tls_server(certificate) as url:
        connection = await find_cluster(kubeconfig=kubeconfig(tmp_path, server=url, **cluster))
        if works:
            assert await ask(connection) == {"metadata": {}}
        else:
            with pytest.raises(UnavailableError, match="CertificateError"):
                await ask(connection)


async def test_in_a_cluster_the_certificate_is_verified_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    async with tls_server(certificate) as url:
        ca = (certificate / "ca.crt").read_text()
        service_account(tmp_path, monkeypatch, ca=ca, port=url.rpartition(":")[2])
        with pytest.raises(UnavailableError, match="CertificateError"):  # not the name that we asked for
            await ask(await find_cluster())


async def test_a_proxy_of_the_kubeconfig_is_used(tmp_path: Path, server: ScriptedServer) -> None:
    proxy: dict[str, Any] = {"proxy-url": server.url}
    path = kubeconfig(tmp_path, server="http://api.example", **proxy)
    await ask(await find_cluster(kubeconfig=path))
    assert server.asked[0].headers["Host"] == "api.example"
