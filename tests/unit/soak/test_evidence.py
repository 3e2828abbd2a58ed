"""What a soak run reads from the audit log and the node: a rule over an empty record always holds."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.cluster.audit import ApiCall
from tests.cluster.kubelet import PodRecord
from tests.soak.evidence import TOKENS, pod_run, pods_and_secrets_created, token_writes

OPERATOR = "system:serviceaccount:meetingbots-system:operator"


def call(
    verb: str, resource: str, name: str, *, code: int = 201, user: str = OPERATOR, dry_run: bool = False, at: int = 0
) -> ApiCall:
    return ApiCall(
        user=user,
        user_agent="",
        verb=verb,
        resource=resource,
        namespace="a",
        name=name,
        code=code,
        dry_run=dry_run,
        time=datetime.fromtimestamp(at, tz=UTC),
    )


def test_creates_of_pods_and_secrets_by_an_operator_count() -> None:
    calls = [
        call("create", "pods", "b-1"),
        call("create", "secrets", "b-1-zoom"),
        call("create", "secrets", "b-1-zoom"),
        call("create", "secrets", "b-1-zoom", code=409),
        call("create", "pods", "b-1", dry_run=True),
        call("create", "pods", "other", user="system:admin"),
        call("create", "secrets", "alice-zoom-token"),
        call("patch", "pods", "b-1", code=200),
        call("create", "events", "b-1.1"),
    ]
    assert list(pods_and_secrets_created(calls)) == ["pods a/b-1", "secrets a/b-1-zoom", "secrets a/b-1-zoom"]


def test_writes_of_token_secrets_that_succeed_count() -> None:
    calls = [
        call("create", "secrets", "alice-zoom-token", at=1),
        call("patch", "secrets", "alice-zoom-token", code=200, at=2),
        call("patch", "secrets", "alice-zoom-token", code=409, at=3),
        call("get", "secrets", "alice-zoom-token", code=200, at=4),
        call("create", "secrets", "b-1-zoom", at=5),
        call("patch", "secrets", "carol-zoom-token", code=200, at=6),
    ]
    assert token_writes(calls) == {"a/alice": (1.0, 2.0), "a/carol": (6.0,)}


def test_a_pod_has_a_digest_of_each_one_use_token() -> None:
    record = PodRecord(namespace="a", name="b-12345-1", uid="1")
    values = {variable: f"value of {variable}" for variable in TOKENS}
    record.note_start("bot", at=10.0, environment=values | {"ZOOM_ZAK": "zak", "ZOOM_MEETING_ID": "1"})
    record.note_end("bot", 20.0)
    run = pod_run(record)
    assert (run.bot, run.pod, run.starts, run.began, run.ended) == ("b", "b-12345-1", 1, 10.0, 20.0)
    assert set(TOKENS) >= {"ZOOM_JOIN_TOKEN", "ZOOM_OBF_TOKEN"}
    assert len(run.tokens) == len(TOKENS)
    assert not run.tokens & set(values.values())
