"""A container engine, Docker or podman, driven by its command line: the two understand the same commands."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.cluster.progress import Finished, run_with_progress
from tests.cluster.service import ClusterError

PIPE_SECONDS = 600
ERROR_CHARACTERS = 3000

EngineName = Literal["docker", "podman"]


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The engine that images are built with and that runs the nodes of kind clusters.

    `environ` is the environment of its commands, and of kind, which calls it, too; `build_options` are of each build.
    """

    name: EngineName
    environ: Mapping[str, str] = field(repr=False)
    build_options: tuple[str, ...] = ()

    def run(
        self, *arguments: str | Path, label: str = "", cwd: Path | None = None, limit_seconds: float | None = None
    ) -> str:
        """Run a command and give its standard output; ClusterError with what it said if it fails."""
        done = self.attempt(*arguments, label=label, cwd=cwd, limit_seconds=limit_seconds)
        if done.code != 0:
            what = f"{self.name} {' '.join(str(each) for each in arguments)}"
            how = "took too long" if done.code is None else f"failed (exit code {done.code})"
            raise ClusterError(f"{what} {how}:\n{(done.errors or done.output)[-ERROR_CHARACTERS:]}")
        return done.output

    def attempt(
        self, *arguments: str | Path, label: str = "", cwd: Path | None = None, limit_seconds: float | None = None
    ) -> Finished:
        """Run a command that may fail."""
        command = [self.name, *(str(each) for each in arguments)]
        return run_with_progress(
            command,
            label=label or f"{self.name} {arguments[0]}",
            cwd=cwd,
            environ=self.environ,
            limit_seconds=limit_seconds,
        )

    def has_image(self, tag: str) -> bool:
        """Whether the engine's storage has the image `tag`."""
        return self.attempt("image", "inspect", tag).code == 0

    def build(
        self,
        *,
        file: Path,
        context: Path,
        tag: str,
        target: str = "",
        arguments: Mapping[str, str] | None = None,
        contexts: Mapping[str, Path] | None = None,
        labels: Mapping[str, str] | None = None,
        network: bool = True,
        label: str = "",
    ) -> None:
        """Build an image; `contexts` are further folders by the name that the file uses, `network` is that of RUN."""
        options = [*self.build_options, "-f", str(file), "-t", tag]
        options += ["--target", target] if target else []
        options += [] if network else ["--network", "none"]
        for name, value in (arguments or {}).items():
            options += ["--build-arg", f"{name}={value}"]
        for name, folder in (contexts or {}).items():
            options += ["--build-context", f"{name}={folder}"]
        for name, value in (labels or {}).items():
            options += ["--label", f"{name}={value}"]
        self.run("build", *options, context, label=label or f"building {tag}")

    def import_root(self, archive: Path, *, tag: str, architecture: str = "") -> None:
        """Make an image of one layer out of the tar file of a root file system, by default for this machine."""
        flag = "--arch" if self.name == "podman" else "--platform"
        value = architecture if self.name == "podman" else f"linux/{architecture}"
        self.run("import", *((flag, value) if architecture else ()), archive, tag, label=f"importing {tag}")

    def save(self, tag: str, *, archive: Path) -> None:
        """Write an image to a tar file in Docker's format, which containerd imports."""
        self.run("save", *self._save_options(), "-o", archive, tag, label=f"saving {tag}")

    def image_size(self, tag: str) -> int:
        """Bytes of an image's unpacked layers."""
        return int(self.run("image", "inspect", "--format", "{{.Size}}", tag))

    def image_id(self, tag: str) -> str:
        """What tells this image from one that had the tag before."""
        return self.run("image", "inspect", "--format", "{{.Id}}", tag).strip()

    def stream_image(self, tag: str, *, into: Sequence[str | Path]) -> None:
        """Send an image's tar file to the standard input of the engine's command `into`."""
        save = [self.name, "save", *self._save_options(), tag]
        with subprocess.Popen(save, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as source:
            self.feed(into, stdin=source.stdout)
            _, errors = source.communicate()
        if source.returncode != 0:
            raise ClusterError(f"{self.name} save {tag} failed:\n{errors.decode(errors='replace')[-ERROR_CHARACTERS:]}")

    def feed(self, arguments: Sequence[str | Path], *, stdin: object) -> None:
        """Run a command that reads `stdin`, an open file; ClusterError if it fails."""
        command = [self.name, *(str(each) for each in arguments)]
        done = subprocess.run(
            command,
            env=self.environ,
            stdin=stdin,  # type: ignore[call-overload]
            capture_output=True,
            timeout=PIPE_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise ClusterError(
                f"{' '.join(command)} failed:\n{done.stderr.decode(errors='replace')[-ERROR_CHARACTERS:]}"
            )

    def _save_options(self) -> list[str]:
        return ["--format", "docker-archive", "-q"] if self.name == "podman" else []
