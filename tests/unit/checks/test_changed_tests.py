from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.changed_tests import tests_of as changed_tests


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with some tests."""
    for name in (
        "kube/test_client.py",
        "kube/fake.py",
        "bots/decide/test_gate.py",
        "cluster/test_flags.py",
        "test_cli.py",
    ):
        file = tmp_path / "tests/unit" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (["operator/meetingbots/kube/client.py"], ["tests/unit/kube/test_client.py"]),
        (["operator/meetingbots/kube/errors.py"], ["tests/unit/kube"]),
        (["operator/meetingbots/kube/errors.py", "operator/meetingbots/kube/client.py"], ["tests/unit/kube"]),
        (["operator/meetingbots/bots/decide/gate.py"], ["tests/unit/bots/decide/test_gate.py"]),
        (["operator/meetingbots/bots/assembly.py"], ["tests/unit/bots"]),
        (["operator/meetingbots/cli.py"], ["tests/unit/test_cli.py"]),
        (["tests/unit/kube/test_client.py"], ["tests/unit/kube/test_client.py"]),
        (["tests/unit/kube/test_deleted.py", "tests/unit/kube/fake.py"], ["tests/unit/kube"]),
        (["tests/cluster/flags.py"], ["tests/unit/cluster"]),
        (["docs/index.md", "Makefile", "operator/meetingbots/py.typed"], []),
    ],
)
def test_a_change_leads_to_the_smallest_set_of_tests(root: Path, changed: list[str], expected: list[str]) -> None:
    assert changed_tests(map(Path, changed), root=root) == expected
