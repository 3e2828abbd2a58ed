from pathlib import Path

import pytest

from tests.kind.engine import Engine
from tests.kind.project_images import IMAGES, ProjectImages
from tests.release import images
from tests.release.commit import ReleaseCommit


def test_each_build_has_the_commits_time_and_no_layer_of_an_earlier_build(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_all_architectures_have_one_wished_base_and_its_digest_is_recorded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bases: list[str] = []

    def build_images(*, environ: dict[str, str], **_: object) -> ProjectImages:
        bases.append(environ["BASE_IMAGE"])
        return IMAGES

    def run(_: Engine, *arguments: str, **__: object) -> str:
        return "sha256:aa\n" if arguments[:2] == ("image", "inspect") else ""

    monkeypatch.setattr(images, "build_images", build_images)
    monkeypatch.setattr(images, "build_simulator", lambda images, *, engine: "simulator:1")
    monkeypatch.setattr(images, "index_digest", lambda layout: "sha256:bb")
    monkeypatch.setattr(Engine, "run", run)
    monkeypatch.setattr(Engine, "attempt", run)
    built = images.build_released_images(
        ReleaseCommit(version="1.2.3", revision="abc", epoch=0),
        engine=Engine(name="podman", environ={}),
        architectures=("amd64", "arm64"),
        into=tmp_path,
        environ={"BASE_IMAGE": "python:3@sha256:index", "XDG_CACHE_HOME": str(tmp_path)},
    )
    assert bases == ["python:3@sha256:index"] * 2
    assert {image.name for image in built} == set(images.NAMES)
    assert {tuple(image.bases.items()) for image in built} == {
        (("amd64", "python:3@sha256:aa"), ("arm64", "python:3@sha256:aa"))
    }
