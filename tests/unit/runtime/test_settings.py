"""Settings, and the file with the default Pod template."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from meetingbots.bots.reconcile.default_template import read_template
from meetingbots.bots.reconcile.pods import DefaultTemplate
from meetingbots.runtime import settings as module
from meetingbots.runtime.settings import (
    LogFormat,
    LogLevel,
    OperatorSettings,
    ReceiverSettings,
    Settings,
    TemplateFileError,
    parse_template,
)
from pydantic import SecretBytes, SecretStr, ValidationError

GOOD = "spec:\n  containers:\n    - {name: bot, image: 'bot:1'}\n"


def test_a_template_is_metadata_and_spec() -> None:
    assert parse_template(GOOD.encode()) == {"spec": {"containers": [{"name": "bot", "image": "bot:1"}]}}
    assert parse_template(b"metadata: {labels: {a: b}}") == {"metadata": {"labels": {"a": "b"}}}
    assert parse_template(b"") == {}
    assert parse_template(b"# nothing yet\n") == {}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"spec: [", r"not YAML \(line 1\)"),
        (b"\xc3\x28", "not YAML"),
        (b"- a", "must have metadata and spec"),
        (b"kind: Pod\nspec: {}", "must have metadata and spec"),
        (b"spec: 5", "an object under spec"),
        (b"!!python/object:os.system {}", "not YAML"),
        (b"a" * 300_000, "larger than"),
    ],
)
def test_other_content_is_rejected(content: bytes, words: str) -> None:
    with pytest.raises(TemplateFileError, match=words):
        parse_template(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("spec: {containers: [{image: x}]}", r"template\.spec\.containers\[0\] has no name"),
        ("spec: {containers: {name: bot}}", r"template\.spec\.containers must be a list"),
        ("spec: {restartPolicy: Always}", r"template\.spec\.restartPolicy must be Never"),
        ("spec: {containers: [{name: bot, env: [{name: ZOOM_ZAK}]}]}", r"containers\[bot\]\.env must not set ZOOM_ZAK"),
    ],
)
def test_an_impossible_template_is_rejected(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(content)
    with pytest.raises(TemplateFileError, match=words):
        read_template(file)


@pytest.mark.parametrize(
    "content", ["", "metadata: {labels: {a: b}}", "spec: {containers: [{name: sidecar, image: x}]}", GOOD]
)
def test_container_bot_and_its_image_may_come_from_elsewhere(tmp_path: Path, content: str) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(content)
    assert read_template(file) == (yaml.safe_load(content) or {})


def test_the_setting_is_checked_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    with pytest.raises(ValidationError, match="cannot be read: No such file"):
        OperatorSettings(_cli_parse_args=False, bot_template_file=file)
    file.write_text("spec: 5")
    with pytest.raises(ValidationError, match="an object under spec"):
        OperatorSettings(_cli_parse_args=False, bot_template_file=file)
    file.write_text(GOOD)
    assert OperatorSettings(_cli_parse_args=False, bot_template_file=file).bot_template_file == file


def test_a_change_is_seen_and_a_bad_one_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # A ConfigMap's volume changes by a link to another folder.
    for name, content in (("one", GOOD), ("two", GOOD.replace("bot:1", "bot:2")), ("bad", "spec: 5")):
        (tmp_path / name).write_text(content)
    link = tmp_path / "template.yaml"
    link.symlink_to(tmp_path / "one")
    template = DefaultTemplate(link)

    def image() -> str:
        return str(template.current()["spec"]["containers"][0]["image"])

    def point(name: str) -> None:
        (tmp_path / "next").symlink_to(tmp_path / name)
        os.replace(tmp_path / "next", link)  # noqa: PTH105 - as Kubernetes does it

    assert image() == "bot:1"
    point("two")
    assert image() == "bot:2"
    with caplog.at_level(logging.ERROR):
        point("bad")
        assert (image(), image()) == ("bot:2", "bot:2")
    assert [record.getMessage() for record in caplog.records] == [
        f"{link}: must have an object under spec; the default template stays as it was"
    ]
    link.unlink()
    assert image() == "bot:2"
    point("one")
    assert image() == "bot:1"


def test_without_a_file_there_is_no_default() -> None:
    assert DefaultTemplate(None).current() == {}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting comes from the machine that this runs on."""
    for kind in (OperatorSettings, ReceiverSettings):
        for name in kind.model_fields:
            monkeypatch.delenv(f"MEETINGBOTS_{name.upper()}", raising=False)
    monkeypatch.setattr(module, "_SERVICE_ACCOUNT_NAMESPACE", tmp_path / "namespace")


def test_defaults() -> None:
    settings = OperatorSettings()
    assert settings.namespaces == (None,)
    assert settings.system_namespace == "meetingbots-system"
    assert settings.zoom_api_url == "https://api.zoom.us/v2"
    assert settings.zoom_oauth_url == "https://zoom.us/oauth"
    assert (settings.log_level, settings.log_format) == (LogLevel.INFO, LogFormat.TEXT)
    assert (settings.metrics_port, settings.health_port) == (9090, 8081)
    assert settings.allowed_token_url_hosts == ()
    assert (settings.public_url, settings.bot_image) == ("", "")
    assert (ReceiverSettings().port, ReceiverSettings().metrics_port) == (8080, 9090)


ENVIRONMENT = [
    (OperatorSettings, "ZOOM_API_URL", "http://127.0.0.1:9/v2/", "zoom_api_url", "http://127.0.0.1:9/v2"),
    (OperatorSettings, "ZOOM_OAUTH_URL", "http://127.0.0.1:9/oauth", "zoom_oauth_url", "http://127.0.0.1:9/oauth"),
    (OperatorSettings, "PUBLIC_URL", "https://bots.example/", "public_url", "https://bots.example"),
    (OperatorSettings, "SYSTEM_NAMESPACE", "ours", "system_namespace", "ours"),
    (OperatorSettings, "LOG_LEVEL", "debug", "log_level", LogLevel.DEBUG),
    (OperatorSettings, "LOG_FORMAT", "json", "log_format", LogFormat.JSON),
    (OperatorSettings, "LOG_FORMAT", "JSON", "log_format", LogFormat.JSON),
    (OperatorSettings, "BOT_IMAGE", "registry.example/bot:1", "bot_image", "registry.example/bot:1"),
    (OperatorSettings, "METRICS_PORT", "0", "metrics_port", 0),
    (OperatorSettings, "HEALTH_PORT", "1234", "health_port", 1234),
    (OperatorSettings, "ALLOWED_TOKEN_URL_HOSTS", "A.example, b.io", "allowed_token_url_hosts", ("a.example", "b.io")),
    (OperatorSettings, "ALLOWED_NOTIFY_URL_HOSTS", "private:A.b:1", "allowed_notify_url_hosts", ("private:a.b:1",)),
    (OperatorSettings, "NAMESPACE", "a,b", "namespace", ("a", "b")),
    (OperatorSettings, "NAMESPACE", " a , ,b,a,", "namespace", ("a", "b")),
    (OperatorSettings, "NAMESPACE", "", "namespaces", (None,)),
    (OperatorSettings, "ALL_NAMESPACES", "true", "all_namespaces", True),
    (ReceiverSettings, "PORT", "8443", "port", 8443),
    (ReceiverSettings, "HOST", "127.0.0.1", "host", "127.0.0.1"),
    (ReceiverSettings, "PUBLIC_URL", "https://bots.example", "public_url", "https://bots.example"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "variable", "text", "field", "value"), ENVIRONMENT)
def test_environment(
    monkeypatch: pytest.MonkeyPatch, kind: type[Settings], variable: str, text: str, field: str, value: object
) -> None:
    monkeypatch.setenv(f"MEETINGBOTS_{variable}", text)
    assert getattr(kind(), field) == value


def test_variables_without_our_prefix_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAMESPACE", "other")
    monkeypatch.setenv("PORT", "1")
    assert ReceiverSettings().namespace == ()
    assert ReceiverSettings().port == 8080


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"namespace": "a", "all_namespaces": True}, "either --namespace or --all-namespaces, not both"),
        ({"namespace": "Team"}, "not the name of a namespace: 'Team'"),
        ({"namespace": "team-*"}, "not the name of a namespace"),
        ({"namespace": "x" * 64}, "not the name of a namespace"),
        ({"zoom_api_url": "ftp://api.zoom.us"}, "http or https URL"),
        ({"zoom_api_url": "api.zoom.us/v2"}, "http or https URL"),
        ({"zoom_api_url": ""}, "http or https URL"),
        ({"zoom_api_url": "https://"}, "http or https URL"),
        ({"zoom_api_url": "https://[::1"}, "http or https URL"),
        ({"zoom_api_url": "https://x:port/"}, "http or https URL"),
        ({"zoom_oauth_url": "https://zoom.us/oauth?a=b"}, "without query"),
        ({"zoom_oauth_url": "https://zoom.us/oauth#a"}, "fragment"),
        ({"public_url": "bots.example"}, "http or https URL"),
        ({"public_url": "https://user:word@bots.example"}, "password"),
        ({"log_level": "loud"}, "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ({"log_format": "xml"}, "'text' or 'json'"),
        ({"metrics_port": "many"}, "valid integer"),
        ({"metrics_port": -1}, "greater than or equal to 0"),
        ({"health_port": 65536}, "less than or equal to 65535"),
    ],
)
def test_what_is_wrong_is_refused_without_quoting_urls(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        OperatorSettings(**wrong)
    assert words in str(caught.value)
    assert "word@" not in str(caught.value)


def test_the_own_namespace_is_that_of_the_service_account(tmp_path: Path) -> None:
    (tmp_path / "namespace").write_text("where-it-runs\n")
    assert OperatorSettings().system_namespace == "where-it-runs"


def test_they_cannot_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        OperatorSettings().bot_image = "x"  # type: ignore[misc]


def test_no_secret_is_a_setting() -> None:
    """Secrets live in Secrets: what is here is in the Deployment, and may be printed."""
    for kind in (OperatorSettings, ReceiverSettings):
        for name, field in kind.model_fields.items():
            assert field.annotation not in (SecretStr, SecretBytes)
            assert not {"secret", "password", "key", "credential"} & set(name.split("_"))


def test_the_token_endpoint_has_a_port_and_an_address_or_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (OperatorSettings().token_port, OperatorSettings().token_url) == (0, "")
    monkeypatch.setenv("MEETINGBOTS_TOKEN_PORT", "8082")
    with pytest.raises(ValidationError, match="need each other"):
        OperatorSettings()
    monkeypatch.setenv("MEETINGBOTS_TOKEN_URL", "http://tokens.meetingbots-system:8082/")
    assert OperatorSettings().token_url == "http://tokens.meetingbots-system:8082"
    monkeypatch.setenv("MEETINGBOTS_TOKEN_URL", "tokens.meetingbots-system:8082")
    with pytest.raises(ValidationError, match="must be an http or https URL"):
        OperatorSettings()
