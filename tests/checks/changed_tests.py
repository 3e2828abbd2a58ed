"""Print the unit tests of what changed since the branch left main: `tests/unit/` mirrors the packages."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path("operator/meetingbots")
UNIT = Path("tests/unit")


def tests_of(changed: Iterable[Path], *, root: Path) -> list[str]:
    """The smallest existing test folders or files below `root` that cover the changed files."""
    found = {str(test) for file in changed if (test := _test_of(file, root=root)) is not None}
    return sorted(one for one in found if not any(one != other and one.startswith(f"{other}/") for other in found))


def _test_of(file: Path, *, root: Path) -> Path | None:
    if file.suffix != ".py":
        return None
    if file.is_relative_to(UNIT):
        is_test = file.name.startswith("test_") and (root / file).exists()
        return file if is_test else _existing(file.parent, root=root)
    if file.is_relative_to(PACKAGE):
        own = UNIT / file.relative_to(PACKAGE).parent / f"test_{file.name}"
        return own if (root / own).exists() else _existing(own.parent, root=root)
    return _existing(UNIT / file.relative_to("tests").parent, root=root) if file.parts[0] == "tests" else None


def _existing(folder: Path, *, root: Path) -> Path | None:
    while folder != UNIT:
        if (root / folder).is_dir():
            return folder
        folder = folder.parent
    return None


def _git(*arguments: str) -> list[str]:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.splitlines()


def main() -> None:
    """Print one path a line; nothing when no test is concerned."""
    [base] = _git("merge-base", "HEAD", "main") if _git("branch", "--list", "main") else ["HEAD"]
    if base == _git("rev-parse", "HEAD")[0] and not _git("status", "--porcelain"):
        base = "HEAD~1"
    changed = [*_git("diff", "--name-only", base), *_git("ls-files", "--others", "--exclude-standard")]
    for test in tests_of(map(Path, changed), root=Path()):
        print(test)


if __name__ == "__main__":
    main()
