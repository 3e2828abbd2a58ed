"""The file with the cluster's default template: what it may hold, and that a change of it is seen."""

import logging
import os
from pathlib import Path

import pytest
import yaml
from meetingbots.bots.reconcile.default_template import DefaultTemplate, read_template
from meetingbots.runtime.settings import OperatorSettings
from meetingbots.runtime.template_file import TemplateFileError, parse_template
from pydantic import ValidationError

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
def test_anything_else_is_told(content: bytes, words: str) -> None:
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
def test_a_template_that_no_bot_can_have_is_told(tmp_path: Path, content: str, words: str) -> None:
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
