import os
import tarfile
from pathlib import Path

import pytest

from tests.release.archive import files_below, write_tar


def tree(root: Path, *, mtime: int, names: tuple[str, ...]) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}")
        path.chmod(0o755 if name.endswith(".sh") else 0o600)
        os.utime(path, (mtime, mtime))
    return root


@pytest.mark.parametrize("name", ["release.tar.gz", "release.tgz", "release.tar"])
def test_the_same_content_makes_the_same_bytes(tmp_path: Path, name: str) -> None:
    one = tree(tmp_path / "one", mtime=1, names=("a/run.sh", "b"))
    other = tree(tmp_path / "other", mtime=2, names=("b", "a/run.sh"))
    archives = []
    for root in (one, other):
        (tmp_path / f"out-{root.name}").mkdir()
        target = tmp_path / f"out-{root.name}" / name
        archives.append(write_tar(target, root=root, files=reversed(files_below(root)), epoch=7).read_bytes())
    assert archives[0] == archives[1]


def test_content_programs_and_the_one_time_are_kept(tmp_path: Path) -> None:
    root = tree(tmp_path / "tree", mtime=1, names=("run.sh", "text"))
    target = write_tar(tmp_path / "x.tar.gz", root=root, files=files_below(root), epoch=7, prefix="in/")
    with tarfile.open(target) as tar:
        found = {info.name: (info.mode, info.mtime, info.uid) for info in tar}
        text = tar.extractfile("in/text")
        assert text is not None
        assert text.read() == b"text of text"
    assert found == {"in/run.sh": (0o755, 7, 0), "in/text": (0o644, 7, 0)}
