"""CI, release and nightly run the Makefile's verbs, so that everybody can run what they run."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands(workflow: dict[str, Any]) -> Iterator[str]:
    for job in workflow["jobs"].values():
        verbs = job.get("strategy", {}).get("matrix", {}).get("verb", [""])
        for step in job["steps"]:
            for verb in verbs:
                yield step.get("run", "").replace("${{ matrix.verb }}", verb)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_verb_is_in_the_makefile(path: Path) -> None:
    text = "\n".join(commands(yaml.safe_load(path.read_text())))
    verbs = {
        verb for line in re.findall(r"\bmake ((?:-s )?[a-z0-9 -]+)", text) for verb in line.split() if verb != "-s"
    }
    assert verbs or ".ci/run" in text
    assert verbs <= TARGETS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_rights_are_given_to_the_job_that_needs_them(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_and_leave_no_token_behind(path: Path) -> None:
    steps = [step for job in yaml.safe_load(path.read_text())["jobs"].values() for step in job["steps"]]
    for step in steps:
        action, _, commit = step.get("uses", "").partition("@")
        assert not action or re.fullmatch("[0-9a-f]{40}", commit), step
        assert action != "actions/checkout" or step["with"]["persist-credentials"] is False
