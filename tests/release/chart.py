"""The chart of a release: with the image's repository and digest, and the release's own address in its README."""

import os
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from tests.chart.rendering import CHART, Helm
from tests.release.archive import files_below, write_tar
from tests.release.changelog import artifact_hub_changes, newest_entry
from tests.release.release import EXAMPLE_REGISTRY, Release

IMAGE_DEFAULTS = "  repository: meetingbots\n"
DIGEST_DEFAULT = '  digest: ""\n'


def build_chart(release: Release, *, helm: Helm, image_digest: str, changelog: str, into: Path) -> Path:
    """Package the chart; the same bytes for the same commit. `image_digest` is that of the image's index (sha256:…)."""
    commit = release.commit
    with TemporaryDirectory() as temporary:
        chart = Path(temporary) / "chart" / "meetingbots"
        shutil.copytree(CHART, chart)
        _edit(chart / "values.yaml", lambda text: with_image(text, registry=release.registry, digest=image_digest))
        _edit(chart / "README.md", lambda text: with_addresses(text, release=release))
        _edit(chart / "Chart.yaml", lambda text: with_release(text, release=release, changelog=changelog))
        said = helm.run("package", str(chart), "-d", temporary, "--version", commit.version)
        packaged = Path(said.strip().rpartition(": ")[2])
        content = Path(temporary) / "content"
        with tarfile.open(packaged) as tar:
            tar.extractall(content, filter="data")
        target = write_tar(into / packaged.name, root=content, files=files_below(content), epoch=commit.epoch)
    # `helm push` writes this time into the manifest of the OCI artifact.
    os.utime(target, (commit.epoch, commit.epoch))
    return target


def with_image(values: str, *, registry: str, digest: str) -> str:
    """Set the image of values.yaml, keeping its comments. ValueError if the defaults are not as expected."""
    if values.count(IMAGE_DEFAULTS) != 1 or values.count(DIGEST_DEFAULT) != 1:
        raise ValueError("values.yaml: image.repository or image.digest is not where it is expected")
    values = values.replace(IMAGE_DEFAULTS, f"  repository: {registry}/meetingbots\n")
    return values.replace(DIGEST_DEFAULT, f"  digest: {digest}\n")


def with_addresses(readme: str, *, release: Release) -> str:
    """Write the release's registry and version into the README's commands; its links lead to the tag in the source."""
    version = release.commit.version
    readme = readme.replace(EXAMPLE_REGISTRY, release.registry).replace(":VERSION", f":{version}")
    return readme.replace("](../../", f"]({release.source}/blob/v{version}/")


def with_release(chart: str, *, release: Release, changelog: str) -> str:
    """Add to Chart.yaml what Artifact Hub shows of a release: its source, its changes and its images."""
    about = yaml.safe_load(chart)
    platforms = [f"linux/{architecture}" for architecture in sorted(release.architectures)]
    images = [
        {"name": name, "image": f"{release.registry}/{name}:{release.commit.version}", "platforms": platforms}
        for name in ("meetingbots", "meetingbots-zoom-simulator")
    ]
    about |= {"home": release.source, "sources": [release.source]}
    annotations = about.setdefault("annotations", {})
    annotations["artifacthub.io/images"] = yaml.safe_dump(images, sort_keys=False)
    annotations["artifacthub.io/changes"] = artifact_hub_changes(newest_entry(changelog))
    annotations["artifacthub.io/prerelease"] = str(bool(re.search("[a-z-]", release.commit.version))).lower()
    return yaml.safe_dump(about, sort_keys=False)


def _edit(file: Path, change: Callable[[str], str]) -> None:
    file.write_text(change(file.read_text()))
