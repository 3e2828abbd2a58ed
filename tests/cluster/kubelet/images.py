"""Images that the kubelet double can "pull": each a command on this machine."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_PROGRAM = str(Path(__file__).resolve().parent / "image_program.py")


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)


BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "bot-example": _python(str(ROOT / "examples" / "bot" / "bot.py")),
    "test/sleep": _python("-I", "-S", _PROGRAM, "sleep"),
    "test/exit": _python("-I", "-S", _PROGRAM, "exit"),
    "test/env": _python("-I", "-S", _PROGRAM, "env"),
}


class Images:
    """The registry: image name without tag or digest to entry point. May be changed while the double runs."""

    def __init__(self, extra: Mapping[str, Sequence[str]] | None = None) -> None:
        self._entrypoints: dict[str, tuple[str, ...]] = dict(BUILT_IN)
        for name, entrypoint in (extra or {}).items():
            self.add(name, entrypoint)

    def add(self, name: str, entrypoint: Sequence[str]) -> None:
        """Make the image `name` run `entrypoint`."""
        self._entrypoints[bare_name(name)] = tuple(entrypoint)

    def entrypoint(self, image: str) -> tuple[str, ...] | None:
        """Entry point of an image as written in a Pod; None if there is no such image."""
        return self._entrypoints.get(bare_name(image))


def bare_name(image: str) -> str:
    """Image name without digest and tag: `localhost:5000/a/b:v1@sha256:...` is `localhost:5000/a/b`."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(":")[0]
