import subprocess
from pathlib import Path

import pytest

from tests.cluster.programs import ToolError
from tests.release.checksums import checksums, provenance, sha256, statement
from tests.release.commit import ReleaseCommit
from tests.release.publish import check_files


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "SHA256SUMS").write_text(checksums([tmp_path / "b.txt", tmp_path / "a.txt"]))
    return tmp_path


def test_sha256sum_accepts_the_file(dist: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=dist, check=True, capture_output=True)
    check_files(dist)


def test_a_changed_and_a_missing_file_are_found(dist: Path) -> None:
    (dist / "a.txt").write_text("other")
    with pytest.raises(ToolError, match=r"a\.txt is not as"):
        check_files(dist)
    (dist / "a.txt").unlink()
    with pytest.raises(ToolError, match=r"a\.txt is not as"):
        check_files(dist)


def test_nothing_to_publish_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="make release"):
        check_files(tmp_path)


def test_the_provenance_names_commit_and_locks_and_no_time_of_the_build(dist: Path) -> None:
    commit = ReleaseCommit(version="1.2.3", revision="abc", epoch=0)
    predicate = provenance(
        commit,
        source="https://x/y",
        builder="b",
        registry="r",
        architectures=("arm64", "amd64"),
        locks=[dist / "a.txt"],
        bases={"arm64": "r/python:3@sha256:bb", "amd64": "r/python:3@sha256:aa"},
    )
    about = statement({"a.txt": sha256(dist / "a.txt")}, predicate)
    assert about["subject"] == [{"name": "a.txt", "digest": {"sha256": sha256(dist / "a.txt")}}]
    inputs = about["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert inputs[0] == {"uri": "git+https://x/y", "digest": {"gitCommit": "abc"}}
    assert inputs[1]["digest"]["sha256"] == sha256(dist / "a.txt")
    assert inputs[2:] == [
        {"uri": "oci:r/python:3?arch=amd64", "digest": {"sha256": "aa"}},
        {"uri": "oci:r/python:3?arch=arm64", "digest": {"sha256": "bb"}},
    ]
    assert "metadata" not in about["predicate"]["runDetails"]
