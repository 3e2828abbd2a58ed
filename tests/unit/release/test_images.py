import pytest

from tests.kind.engine import Engine
from tests.kind.project_images import IMAGES, ProjectImages
from tests.release import images
from tests.release.commit import ReleaseCommit


def test_each_build_has_the_commits_time_and_no_layer_of_an_earlier_build(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cached layer has the times of the build that made it, such as one of `make image`."""
    builders: list[Engine] = []

    def build_images(*, engine: Engine, **_: object) -> ProjectImages:
        builders.append(engine)
        return IMAGES

    def build_simulator(_: ProjectImages, *, engine: Engine) -> str:
        builders.append(engine)
        return IMAGES.simulator

    monkeypatch.setattr(images, "build_images", build_images)
    monkeypatch.setattr(images, "build_simulator", build_simulator)
    engine = Engine(name="podman", environ={}, build_options=("--ulimit", "nofile=1:1"))
    commit = ReleaseCommit(version="1.2.3", revision="abc", epoch=1_700_000_000)
    for architecture in ("amd64", "arm64"):
        images.build_tags(commit, engine=engine, architecture=architecture, environ={"BASE_IMAGE": "base:1"})
    wanted = ("--ulimit", "nofile=1:1", "--no-cache", "--timestamp", "1700000000", "--platform")
    assert [builder.build_options for builder in builders] == [
        (*wanted, f"linux/{architecture}") for architecture in ("amd64", "amd64", "arm64", "arm64")
    ]
