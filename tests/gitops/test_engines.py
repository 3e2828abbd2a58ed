"""The engines themselves: that they are as strict as the tools are, so that what passes here works there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gitops.engines import Engines, Reported
from tests.unit.bots.bot_builders import bot_object

BOT = bot_object()
KEY = "meetingbots.dev_MeetingBot"


def by_script(program: Path, script: str) -> Reported:
    (health,) = Engines(program=program, argo={KEY: script}).judge([BOT])
    assert health.argo is not None
    return health.argo


def by_expression(program: Path, **expressions: str) -> Reported:
    entry = {"apiVersion": BOT["apiVersion"], "kind": BOT["kind"], **expressions}
    (health,) = Engines(program=program, flux=[entry], argo={}).judge([BOT])
    assert health.flux is not None
    return health.flux


def test_kstatus_knows_kubernetes_own_kinds(program: Path) -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "generation": 2},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 2, "replicas": 1},
    }
    (health,) = Engines(program=program, argo={}).judge([deployment])
    assert (health.kstatus.status, health.flux, health.argo) == ("InProgress", None, None)


def test_a_script_has_the_object_and_few_libraries(program: Path) -> None:
    reported = by_script(program, 'return {status = "Healthy", message = obj.kind .. " " .. obj.metadata.generation}')
    assert reported == Reported(status="Healthy", message="MeetingBot 1")
    assert by_script(program, "table.concat({}); os.time(); return {status = 'Suspended'}").status == "Suspended"
    for library in ("string.len('')", "math.floor(1)", "io.write('')", "os.getenv('HOME')"):
        assert by_script(program, f"{library}; return {{status = 'Healthy'}}").error


@pytest.mark.parametrize(
    ("script", "status", "error"),
    [
        ('return {status = "Fine"}', "Unknown", ""),
        ("return {}", "Unknown", ""),
        ('return {status = "Healthy", message = 5}', "", "message is number"),
        ('return "Healthy"', "", "not a table"),
        ("local x = 1", "", "not a table"),
        ("return obj.status.conditions[1].type", "", "attempt to index"),
        ("return {", "", "syntax error"),
        ("while true do end", "", "context deadline exceeded"),
    ],
)
def test_a_script_that_goes_wrong(program: Path, script: str, status: str, error: str) -> None:
    reported = by_script(program, script)
    assert reported.status == status
    assert error in reported.error


def test_flux_looks_for_progress_first_and_for_failure_next(program: Path) -> None:
    assert by_expression(program, inProgress="true", failed="true", current="true").status == "InProgress"
    assert by_expression(program, failed="true", current="true").status == "Failed"
    assert by_expression(program, current="metadata.generation == 1").status == "Current"
    assert by_expression(program, current="false").status == "InProgress"


def test_flux_cannot_tell_where_an_expression_reads_what_is_not_there(program: Path) -> None:
    assert "no such key" in by_expression(program, current="status.phase == 'Running'").error


@pytest.mark.parametrize(
    "expressions", [{"current": "status.("}, {"failed": "true"}, {"current": "true", "done": "true"}]
)
def test_expressions_that_flux_does_not_take(program: Path, expressions: dict[str, str]) -> None:
    with pytest.raises(AssertionError):
        by_expression(program, **expressions)
