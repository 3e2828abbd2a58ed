"""What a release is made of: version, commit, and the commit's time, which replaces the time of the build."""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from meetingbots import __version__

from tests.cluster.programs import ToolError
from tests.kind.project_images import ROOT, revision

DIRTY = "-dirty"


@dataclass(frozen=True, kw_only=True)
class ReleaseCommit:
    """`revision` ends in `-dirty` if files differ from the commit or are new; `epoch` is in Unix seconds."""

    version: str
    revision: str
    epoch: int

    @classmethod
    def of(cls, checkout: Path = ROOT) -> "ReleaseCommit":
        """Read the commit of a checkout. ToolError without git."""
        epoch = _git(checkout, "log", "-1", "--format=%ct")
        # git describe does not see new files, but images and packages would contain them.
        new = _git(checkout, "ls-files", "--others", "--exclude-standard")
        suffix = DIRTY if new and not revision(checkout).endswith(DIRTY) else ""
        return cls(version=__version__, revision=revision(checkout) + suffix, epoch=int(epoch))

    @property
    def clean(self) -> bool:
        """Whether the checkout has no change beside the commit."""
        return not self.revision.endswith(DIRTY)

    @property
    def time(self) -> str:
        """The commit's time as RFC 3339."""
        return datetime.fromtimestamp(self.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _git(checkout: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=checkout, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ToolError("a release is made of a git commit: git is not installed") from None
    if done.returncode != 0:
        raise ToolError(f"a release is made of a git commit: {done.stderr.strip()}")
    return done.stdout.strip()
