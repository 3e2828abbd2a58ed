"""What a release is made of: version, commit, and the commit's time, which replaces the time of the build."""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from meetingbots import __version__

from tests.cluster.programs import ToolError
from tests.kind.project_images import ROOT, revision


@dataclass(frozen=True, kw_only=True)
class ReleaseCommit:
    """`revision` ends in `-dirty` if files differ from the commit; `epoch` is in Unix seconds."""

    version: str
    revision: str
    epoch: int

    @classmethod
    def of(cls, checkout: Path = ROOT) -> "ReleaseCommit":
        """Read the commit of a checkout. ToolError without git."""
        command = ["git", "log", "-1", "--format=%ct"]
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ToolError(f"a release is made of a git commit: {done.stderr.strip()}")
        return cls(version=__version__, revision=revision(checkout), epoch=int(done.stdout))

    @property
    def clean(self) -> bool:
        """Whether the checkout has no change beside the commit."""
        return not self.revision.endswith("-dirty")

    @property
    def time(self) -> str:
        """The commit's time as RFC 3339."""
        return datetime.fromtimestamp(self.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
