import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.cluster.audit import ApiCall, read_calls


def line(stage: str, verb: str, **more: Any) -> str:
    event = {
        "stage": stage,
        "verb": verb,
        "user": {"username": "admin"},
        "userAgent": "kubectl",
        "requestURI": "/readyz",
        "requestReceivedTimestamp": "2026-01-02T03:04:05.000006Z",
        **more,
    }
    return json.dumps(event) + "\n"


def test_calls_count_once_and_a_half_written_line_waits(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    target = {"resource": "pods", "subresource": "status", "namespace": "a", "name": "p"}
    log.write_text(
        line("ResponseComplete", "patch", objectRef=target, responseStatus={"code": 200})
        + line("ResponseStarted", "watch")
        + line("ResponseComplete", "watch")
        + line("ResponseComplete", "get")[:-5]
    )
    patch, watch = read_calls(log)
    assert patch == ApiCall(
        user="admin",
        user_agent="kubectl",
        verb="patch",
        resource="pods/status",
        namespace="a",
        name="p",
        code=200,
        dry_run=False,
        time=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    )
    assert (watch.verb, watch.resource) == ("watch", "/readyz")


def test_no_log_is_no_calls(tmp_path: Path) -> None:
    assert list(read_calls(tmp_path / "none")) == []


def test_a_call_of_nobody_that_was_made_out_counts(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(line("ResponseComplete", "get", user={}, responseStatus={"code": 401}))
    (call,) = read_calls(log)
    assert (call.user, call.code) == ("", 401)
