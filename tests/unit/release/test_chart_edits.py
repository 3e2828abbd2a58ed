import pytest
import yaml

from tests.chart.rendering import CHART, ROOT
from tests.release.chart import with_image, with_release

DIGEST = "sha256:" + "a" * 64


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
    chart = with_release(
        (CHART / "Chart.yaml").read_text(),
        changelog=(ROOT / "CHANGELOG.md").read_text(),
        registry="registry.test/us",
        source="https://source.test/us",
    )
    about = yaml.safe_load(chart)
    assert (about["home"], about["sources"]) == ("https://source.test/us", ["https://source.test/us"])
    (image,) = yaml.safe_load(about["annotations"]["artifacthub.io/images"])
    assert image["image"] == f"registry.test/us/meetingbots:{about['appVersion']}"
    assert yaml.safe_load(about["annotations"]["artifacthub.io/changes"])[0]["kind"] == "added"
    assert about["annotations"]["artifacthub.io/prerelease"] == "false"
