"""A machine without Go whose programs are stand-ins: each notes how it was called, and does what the test says."""

import os
from pathlib import Path

import pytest

from tests.cluster.programs import KIND
from tests.kind.engine import Engine, EngineName

# Notes its call; prints and fails as the files NAME.out and NAME.fails beside it say: lines that are patterns of calls.
STAND_IN = """#!/bin/sh
here="{here}"; name="{name}"
echo "$name $*" >>"$here/calls"
[ ! -f "$here/$name.reads" ] || cat >"$here/$name.read"
[ ! -f "$here/$name.out" ] || cat "$here/$name.out"
if [ -f "$here/$name.fails" ]; then
    while read -r pattern; do
        case "$*" in $pattern*) echo "$name cannot $1" >&2; exit 3 ;; esac
    done <"$here/$name.fails"
fi
exit 0
"""


class FakeMachine:
    """Programs in a folder of their own, and a cache."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.cache = folder / "cache" / "meetingbots"
        self.cache.mkdir(parents=True)
        version = next(each for each in KIND if each.name == "kubectl").version()
        (self.cache / f"envtest-{version[1:].rpartition('.')[0]}").write_text("\n")  # a remembered refusal
        self.environ = {"PATH": f"{self.programs}{os.pathsep}{os.defpath}", "XDG_CACHE_HOME": str(folder / "cache")}

    def add(self, name: str, *, prints: str = "", fails: tuple[str, ...] = ()) -> None:
        """Put a stand-in there; calls that begin with one of `fails` end with exit code 3."""
        path = self.programs / name
        path.write_text(STAND_IN.replace("{here}", str(self.programs)).replace("{name}", name))
        path.chmod(0o755)
        (self.programs / f"{name}.out").write_text(prints)
        (self.programs / f"{name}.fails").write_text("".join(f"{each}\n" for each in fails))

    def reads(self, name: str) -> None:
        """Let a stand-in read its standard input."""
        (self.programs / f"{name}.reads").touch()

    def read(self, name: str) -> str:
        """What it read."""
        return (self.programs / f"{name}.read").read_text()

    def calls(self) -> list[str]:
        """All calls so far, in their order."""
        log = self.programs / "calls"
        return log.read_text().splitlines() if log.is_file() else []

    def engine(self, name: EngineName = "podman") -> Engine:
        """An engine that is a stand-in."""
        return Engine(name=name, environ=self.environ)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    made = FakeMachine(tmp_path)
    monkeypatch.setenv("PATH", made.environ["PATH"])  # commands are looked up there
    return made
