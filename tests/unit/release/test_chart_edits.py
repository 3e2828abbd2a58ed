import re

import pytest
import yaml

from tests.chart.rendering import CHART, ROOT
from tests.release.chart import with_addresses, with_image, with_release
from tests.release.commit import ReleaseCommit
from tests.release.release import Release

DIGEST = "sha256:" + "a" * 64
RELEASE = Release(
    commit=ReleaseCommit(version="1.2.3", revision="abc", epoch=0),
    registry="registry.test/us",
    architectures=("arm64", "amd64"),
    source="https://source.test/us",
    builder="https://source.test/builder",
    download_url="https://source.test/files",
)


def test_a_released_chart_names_its_image_by_digest() -> None:
    text = (CHART / "values.yaml").read_text()
    edited = with_image(text, registry="registry.test/us", digest=DIGEST)
    before, after = yaml.safe_load(text), yaml.safe_load(edited)
    assert after["image"] == before["image"] | {"repository": "registry.test/us/meetingbots", "digest": DIGEST}
    assert after | {"image": 0} == before | {"image": 0}
    assert edited.count("#") == text.count("#")


def test_other_defaults_are_not_overwritten_silently() -> None:
    with pytest.raises(ValueError, match=r"image\.repository"):
        with_image("image:\n  repository: other\n", registry="r", digest=DIGEST)


def test_artifact_hub_gets_images_and_changes() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    about = yaml.safe_load(with_release((CHART / "Chart.yaml").read_text(), release=RELEASE, changelog=changelog))
    assert (about["home"], about["sources"]) == ("https://source.test/us", ["https://source.test/us"])
    image, simulator = yaml.safe_load(about["annotations"]["artifacthub.io/images"])
    assert image["image"] == "registry.test/us/meetingbots:1.2.3"
    assert image["platforms"] == ["linux/amd64", "linux/arm64"]
    assert simulator["image"] == "registry.test/us/meetingbots-zoom-simulator:1.2.3"
    assert yaml.safe_load(about["annotations"]["artifacthub.io/changes"])[0]["kind"] == "added"
    assert about["annotations"]["artifacthub.io/prerelease"] == "false"


def test_the_readme_of_a_released_chart_leads_to_the_pages_of_its_version() -> None:
    readme = (CHART / "README.md").read_text()
    edited = with_addresses(readme, release=RELEASE)
    targets = re.findall(r"\]\(([^)]+)\)", edited)
    pages = [target for target in targets if not target.startswith("#")]
    assert len(pages) > 3
    for page in pages:
        assert page.startswith("https://source.test/us/blob/v1.2.3/docs/")
        path = page.removeprefix("https://source.test/us/blob/v1.2.3/").partition("#")[0]
        assert (ROOT / path).is_file()
    assert "registry.example" not in edited
    assert "VERSION" not in edited
