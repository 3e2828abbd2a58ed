"""The command line: what people type, what they see, and the exit code."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from meetingbots import __version__, cli
from meetingbots.cli import main
from meetingbots.kube.connection import ClusterAccessError
from meetingbots.models.crds import crd_text, crds
from meetingbots.runtime import settings
from meetingbots.runtime.settings import LogFormat, LogLevel, OperatorSettings, ReceiverSettings, Settings

Started = list[Settings]
Program = Callable[[Any], Awaitable[int]]


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting comes from this machine, and logging stays as it is."""
    for kind in (OperatorSettings, ReceiverSettings):
        for name in kind.model_fields:
            monkeypatch.delenv(f"MEETINGBOTS_{name.upper()}", raising=False)
    monkeypatch.setattr(settings, "_SERVICE_ACCOUNT_NAMESPACE", tmp_path / "namespace")
    monkeypatch.setattr(cli, "configure_logging", lambda _: None)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """The settings that the processes are started with, instead of starting them."""
    seen: Started = []

    def program(code: int) -> Program:
        async def start(given: Settings) -> int:
            seen.append(given)
            return code

        return start

    monkeypatch.setattr(cli, "run_operator", program(3))
    monkeypatch.setattr(cli, "run_receiver", program(4))
    return seen


def run(*arguments: str) -> int:
    """The exit code, whichever way it is given."""
    try:
        return main(list(arguments))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else -1


def operator_settings(started: Started) -> OperatorSettings:
    (given,) = started
    assert isinstance(given, OperatorSettings)
    return given


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ("operator", "webhook", "crds", "--version")),
        (
            ("operator",),
            (
                "usage: meetingbots operator",
                "--namespace",
                "--all-namespaces",
                "--zoom-api-url",
                "--allowed-token-url-hosts",
                "MEETINGBOTS_LOG_LEVEL",
            ),
        ),
        (("webhook",), ("usage: meetingbots webhook", "--port", "--namespace", "--public-url")),
        (("crds",), ("usage: meetingbots crds", "--output", "DIR")),
    ],
)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help(
    started: Started,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    words: tuple[str, ...],
    flag: str,
) -> None:
    assert run(*arguments, flag) == 0
    out, err = capsys.readouterr()
    for word in words:
        assert word in out
    assert err == ""
    assert started == []


@pytest.mark.parametrize("command", ["operator", "webhook"])
def test_help_names_values_and_defaults_in_words(
    started: Started, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    run(command, "--help")
    out = " ".join(capsys.readouterr().out.split())
    for word in ("--namespace NAMESPACE", "--metrics-port PORT", "(default: 9090)", "text or json (default: text)"):
        assert word in out
    for noise in ("tuple[", " str]", " int]", "Path", "None", "()", "(default: )", "False", "_own_namespace", "VALUE"):
        assert noise not in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_flags_become_settings(started: Started) -> None:
    code = run(
        "operator",
        *("--namespace", "a", "--namespace", "b,c", "--log-level", "debug", "--log-format=json"),
        *("--zoom-api-url", "http://127.0.0.1:1/v2", "--allowed-token-url-hosts", "x.example,y.example"),
    )
    assert code == 3
    given = operator_settings(started)
    assert given.namespace == ("a", "b", "c")
    assert given.namespaces == ("a", "b", "c")
    assert (given.log_level, given.log_format) == (LogLevel.DEBUG, LogFormat.JSON)
    assert given.zoom_api_url == "http://127.0.0.1:1/v2"
    assert given.allowed_token_url_hosts == ("x.example", "y.example")


def test_the_environment_becomes_settings_and_flags_win(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEETINGBOTS_NAMESPACE", "a,b")
    monkeypatch.setenv("MEETINGBOTS_HEALTH_PORT", "7")
    monkeypatch.setenv("MEETINGBOTS_METRICS_PORT", "8")
    assert run("operator", "--health-port", "9") == 3
    given = operator_settings(started)
    assert given.namespace == ("a", "b")
    assert (given.health_port, given.metrics_port) == (9, 8)


def test_a_namespace_flag_takes_the_place_of_the_environments(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEETINGBOTS_NAMESPACE", "a,b")
    run("operator", "--namespace", "c")
    assert operator_settings(started).namespace == ("c",)


@pytest.mark.parametrize("arguments", [("operator",), ("operator", "--all-namespaces")])
def test_without_a_name_it_serves_all_namespaces(started: Started, arguments: tuple[str, ...]) -> None:
    run(*arguments)
    assert operator_settings(started).namespaces == (None,)


def test_the_receiver_is_started_with_its_settings(started: Started) -> None:
    assert run("webhook", "--port", "8443", "--namespace", "a") == 4
    (given,) = started
    assert isinstance(given, ReceiverSettings)
    assert (given.port, given.namespace) == (8443, ("a",))


WRONG = [
    (("operator", "--bogus"), "meetingbots operator: unrecognized arguments: --bogus"),
    (("operator", "--name", "x"), "meetingbots operator: unrecognized arguments: --name x"),
    (("operator", "extra"), "meetingbots operator: unrecognized arguments: extra"),
    (("operator", "--namespace"), "meetingbots operator: argument --namespace: expected one argument"),
    (("webhook", "--zoom-api-url", "https://x"), "unrecognized arguments: --zoom-api-url https://x"),
    (
        ("operator", "--namespace", "a", "--all-namespaces"),
        "meetingbots operator: use either --namespace or --all-namespaces, not both",
    ),
    (
        ("operator", "--zoom-api-url", "ftp://user:word@zoom.us"),
        "meetingbots operator: --zoom-api-url (or MEETINGBOTS_ZOOM_API_URL) must be an http or https URL",
    ),
    (
        ("operator", "--health-port", "many"),
        "meetingbots operator: --health-port (or MEETINGBOTS_HEALTH_PORT) must be a valid integer",
    ),
    (
        ("webhook", "--log-level", "loud"),
        "--log-level (or MEETINGBOTS_LOG_LEVEL) must be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'",
    ),
    (
        ("operator", "--namespace", "Team A"),
        "--namespace (or MEETINGBOTS_NAMESPACE) is not the name of a namespace: 'Team A'",
    ),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_what_is_wrong_is_one_clear_line_and_exit_code_2(
    started: Started, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert words in line
    for noise in ("pydantic", "https://errors", "Value error", "Input should", "word@", "Traceback", "type="):
        assert noise not in line
    assert started == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("spec: [", "--bot-template-file (or MEETINGBOTS_BOT_TEMPLATE_FILE) is not YAML (line 1)"),
        (
            "spec: {restartPolicy: Always}",
            "BOT_TEMPLATE_FILE) holds a template that no bot can have: template.spec.restartPolicy must be Never",
        ),
    ],
)
def test_a_default_template_that_no_bot_can_have_is_reported_at_the_start(
    started: Started, capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(text)
    assert run("operator", "--bot-template-file", str(file)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert started == []


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("METRICS_PORT", "x", "(or MEETINGBOTS_METRICS_PORT) must be a valid integer"),
        ("PUBLIC_URL", "bots.example", "(or MEETINGBOTS_PUBLIC_URL) must be an http or https URL"),
        ("ALL_NAMESPACES", "perhaps", "(or MEETINGBOTS_ALL_NAMESPACES) must be a valid boolean"),
    ],
)
def test_a_wrong_setting_is_reported_with_the_name_of_its_variable(
    started: Started,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    words: str,
) -> None:
    monkeypatch.setenv(f"MEETINGBOTS_{variable}", value)
    assert run("webhook") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert started == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("fly",), "invalid choice: 'fly'"),
        (("crds", "extra"), "unrecognized arguments: extra"),
    ],
)
def test_a_wrong_command(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str) -> None:
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err


@pytest.mark.parametrize("command", ["operator", "webhook"])
@pytest.mark.parametrize(
    ("failure", "code", "words"),
    [
        (ClusterAccessError("no access to Kubernetes: neither"), 1, "no access to Kubernetes: neither"),
        (OSError(98, "address already in use"), 1, "address already in use"),
    ],
)
def test_a_start_that_fails_is_reported_in_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    failure: Exception,
    code: int,
    words: str,
) -> None:
    async def fail(_: Settings) -> int:
        raise failure

    monkeypatch.setattr(cli, "run_operator", fail)
    monkeypatch.setattr(cli, "run_receiver", fail)
    assert run(command) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"meetingbots {command}: ")
    assert words in line


def test_an_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupt(_: Settings) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run_operator", interrupt)
    assert run("operator") == 130


def test_crds_to_standard_output_are_a_stream_of_documents(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("crds") == 0
    documents = list(yaml.safe_load_all(capsys.readouterr().out))
    assert sorted(document["metadata"]["name"] for document in documents) == [
        "meetingbots.meetingbots.dev",
        "meetingmappings.meetingbots.dev",
        "zoomcredentials.meetingbots.dev",
    ]


def test_crds_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("crds", "-o", str(tmp_path / "made")) == 0
    written = sorted(path.read_text() for path in (tmp_path / "made").iterdir())
    assert written == sorted(crd_text(crd) for crd in crds())
    assert capsys.readouterr().out == ""


def test_the_installed_command_is_this_one() -> None:
    (command,) = importlib.metadata.entry_points(group="console_scripts", name="meetingbots")
    assert command.load() is main


@pytest.fixture
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.usefixtures("_no_proxy")
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"])
@pytest.mark.parametrize(
    "value",
    [
        "socks5://alice:hunter2@proxy.example:1080",
        "http://alice:hunter2@",
        "http://alice:hunter2@proxy.example:99999",
        "http://alice:hunter2@proxy.example:0",
        "http://alice:hunter2@proxy example:3128",
    ],
)
def test_a_wrong_proxy_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], started: Started, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert main(["operator"]) == 2
    assert capsys.readouterr().err == f"meetingbots operator: {name} is not the URL of an HTTP proxy\n"
    assert not started


@pytest.mark.usefixtures("_no_proxy")
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_wrong_certificates_are_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    started: Started,
    tmp_path: Path,
    content: str | None,
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    assert main(["operator"]) == 2
    assert capsys.readouterr().err.startswith(f"meetingbots operator: SSL_CERT_FILE {file} has no certificates: ")
    assert not started


@pytest.mark.usefixtures("_no_proxy")
@pytest.mark.parametrize(("present", "missing"), [((), "tls.crt"), (("tls.crt",), "tls.key")])
def test_missing_files_of_the_token_endpoint_are_named(
    capsys: pytest.CaptureFixture[str], started: Started, tmp_path: Path, present: tuple[str, ...], missing: str
) -> None:
    for name in present:
        (tmp_path / name).touch()
    endpoint = ["--token-port", "8082", "--token-url", "https://tokens.example:8082"]
    assert main(["operator", *endpoint, "--token-tls-dir", str(tmp_path)]) == 2
    said = f"--token-tls-dir (or MEETINGBOTS_TOKEN_TLS_DIR) has no file {missing}"
    assert capsys.readouterr().err == f"meetingbots operator: {said}\n"
    assert not started
