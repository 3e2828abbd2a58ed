"""Publishes the release in a folder: images and chart to the registry, signatures, SBOMs and provenance beside them.

With `COSIGN_KEY` (a file; its password in `COSIGN_PASSWORD`) signatures are made with that key and stay out of the
public log. Without it they are keyless, with the identity of the workflow, and in the log.
"""

import json
import os
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.chart.rendering import Helm
from tests.cluster.binaries import ensure_binaries
from tests.cluster.programs import Program, ToolError
from tests.cluster.progress import say
from tests.kind.debian import System, ensure_packages
from tests.release.checksums import sha256

COSIGN = Program(
    name="cosign",
    module="cosign",
    requires="github.com/sigstore/cosign/v2",
    package="github.com/sigstore/cosign/v2/cmd/cosign",
    on_path=True,
)
SKOPEO = {"skopeo": "skopeo"}
CHARTS = "charts"


def cosign_program() -> Path:
    """Path of cosign; it is built if need be (minutes)."""
    return ensure_binaries(programs=(COSIGN,)) / "cosign"


@dataclass(frozen=True, kw_only=True)
class Publisher:
    """Publishes the files in `dist`. Every step can run again: the same content leads to the same digests."""

    dist: Path
    version: str
    registry: str
    images: Mapping[str, str]
    helm: Helm
    cosign: Path
    plain_http: bool
    environ: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(
        cls, dist: Path, *, helm: Helm, cosign: Path, plain_http: bool, environ: Mapping[str, str] = os.environ
    ) -> "Publisher":
        """Read release.json, and check all files against SHA256SUMS. ToolError for a missing or changed file."""
        check_files(dist)
        about = json.loads((dist / "release.json").read_text())
        about.pop("obstacles")
        return cls(dist=dist, helm=helm, cosign=cosign, plain_http=plain_http, environ=dict(environ), **about)

    def publish(self) -> None:
        """Push and sign everything."""
        ensure_packages(SKOPEO, what_for="publishing a release", system=System.here())
        for name, digest in self.images.items():
            self._push_image(name)
            self._sign(f"{self.registry}/{name}@{digest}", sboms=sorted(self.dist.glob(f"{name}-image-*.spdx.json")))
        chart = self.push_chart()
        self._sign(chart, sboms=[])
        self._sign_file(self.dist / "SHA256SUMS")
        say(f"published {', '.join(self.images)} and {chart}")

    def push_chart(self) -> str:
        """Push the chart; its reference with digest."""
        (package,) = self.dist.glob(f"meetingbots-{self.version}.tgz")
        options = ["--plain-http"] if self.plain_http else []
        # helm prints the digest to stderr.
        command = [str(self.helm.program), "push", str(package), f"oci://{self.registry}/{CHARTS}", *options]
        said = self._run(command, what="helm push")
        digest = next((line.partition("Digest:")[2].strip() for line in said.splitlines() if "Digest:" in line), "")
        if not digest:
            raise ToolError(f"helm push printed no digest: {said}")
        return f"{self.registry}/{CHARTS}/meetingbots@{digest}"

    def _push_image(self, name: str) -> None:
        with TemporaryDirectory() as temporary:
            layout = Path(temporary) / "layout"
            with tarfile.open(self.dist / f"{name}-image-{self.version}.oci.tar") as tar:
                tar.extractall(layout, filter="data")
            options = ["--dest-tls-verify=false"] if self.plain_http else []
            source, target = f"oci:{layout}:{self.version}", f"docker://{self.registry}/{name}:{self.version}"
            self._run(
                ["skopeo", "copy", "--quiet", "--all", "--preserve-digests", *options, source, target], what="skopeo"
            )

    def _sign(self, reference: str, *, sboms: list[Path]) -> None:
        options = [*self._signing_options(), *self._registry_options()]
        self._run([str(self.cosign), "sign", *options, reference], what="cosign sign")
        provenance = ("slsaprovenance1", self.dist / "provenance-predicate.json")
        for kind, predicate in (provenance, *(("spdxjson", sbom) for sbom in sboms)):
            command = [str(self.cosign), "attest", *options, "--type", kind, "--predicate", str(predicate), reference]
            self._run(command, what=f"cosign attest {kind}")

    def _sign_file(self, file: Path) -> None:
        options = self._signing_options()
        outputs = ["--output-signature", f"{file}.sig", "--bundle", f"{file}.bundle"]
        self._run([str(self.cosign), "sign-blob", *options, *outputs, str(file)], what="cosign sign-blob")

    def _signing_options(self) -> list[str]:
        key = self.environ.get("COSIGN_KEY", "")
        return ["--yes", *(["--key", key, "--tlog-upload=false"] if key else [])]

    def _registry_options(self) -> list[str]:
        return ["--allow-insecure-registry", "--allow-http-registry"] if self.plain_http else []

    def _run(self, command: list[str], *, what: str) -> str:
        done = subprocess.run(command, env=dict(self.environ), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ToolError(f"{what} failed:\n{(done.stderr or done.stdout)[-3000:]}")
        return done.stdout + done.stderr


def check_files(dist: Path) -> None:
    """Compare the files of a release with SHA256SUMS. ToolError if one is missing or differs."""
    sums = dist / "SHA256SUMS"
    if not sums.is_file():
        raise ToolError(f"{dist} has no release; run: make release")
    for line in sums.read_text().splitlines():
        expected, name = line.split("  ", 1)
        file = dist / name
        if not file.is_file() or sha256(file) != expected:
            raise ToolError(f"{name} is not as SHA256SUMS says")


def check_ready(dist: Path) -> None:
    """ToolError if the release in `dist` must not be published."""
    check_files(dist)
    if obstacles := json.loads((dist / "release.json").read_text())["obstacles"]:
        raise ToolError("not published:\n" + "\n".join(obstacles))
