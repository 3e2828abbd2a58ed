"""Ready-made programs by setup-envtest, where this machine may download them; a refusal is remembered."""

import shutil
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.cluster.programs import TOOLS
from tests.cluster.progress import run_with_progress, say

INDEX = "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml"
PROBE_SECONDS = 3
DOWNLOAD_SECONDS = 180
REMEMBER_SECONDS = 7 * 24 * 3600.0


class EnvtestAssets:
    """The folder that setup-envtest downloaded for one line of Kubernetes, kept in our cache.

    `kubernetes_version` is such as `v1.34.4`: the newest release of 1.34 that envtest publishes is taken. What came of
    the try is kept in a small file: the folder, or an empty line for a refusal, which is tried again after a week.
    """

    def __init__(
        self, *, cache: Path, kubernetes_version: str, now: Callable[[], float] = time.time, tools: Path = TOOLS
    ) -> None:
        self._line = ".".join(kubernetes_version.removeprefix("v").split(".")[:2])
        self._cache = cache
        self._outcome = cache / f"envtest-{self._line}"
        self._now = now
        self._tools = tools

    def known_folder(self) -> Path | None:
        """Folder of an earlier download, without asking anybody."""
        if not self._outcome.is_file():
            return None
        folder = self._outcome.read_text().strip()
        return Path(folder) if folder and Path(folder).is_dir() else None

    def worth_a_try(self) -> bool:
        """False while an earlier refusal is remembered."""
        if not self._outcome.is_file() or self._outcome.read_text().strip():
            return True
        return self._now() - self._outcome.stat().st_mtime > REMEMBER_SECONDS

    def download(self, *, environ: Mapping[str, str]) -> Path | None:
        """Folder of a download made now, or None where that is refused or impossible."""
        folder = self._download(environ=environ)
        self._cache.mkdir(parents=True, exist_ok=True)
        self._outcome.write_text(f"{folder or ''}\n")
        return folder

    def _download(self, *, environ: Mapping[str, str]) -> Path | None:
        go = shutil.which("go", path=environ.get("PATH"))
        # Asked first because building setup-envtest only to be refused would cost half a minute.
        if go is None or not _answers(INDEX):
            say("no ready-made programs to be had here (setup-envtest's index does not answer)")
            return None
        command = [go, "tool", "setup-envtest", "use", f"{self._line}.x", "--index", INDEX, "-p", "path"]
        command += ["--bin-dir", str(self._cache / "envtest")]
        done = run_with_progress(
            command,
            label="downloading with setup-envtest",
            cwd=self._tools / "setup-envtest",
            environ=dict(environ) | {"GOWORK": "off"},
            limit_seconds=DOWNLOAD_SECONDS,
        )
        if done.code != 0:
            reason = (done.errors.strip().splitlines() or ["it took too long"])[-1][:200]
            say(f"setup-envtest could not download: {reason}")
            return None
        return Path(done.output.strip())


def _answers(url: str) -> bool:
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - a constant https address
    try:
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False
