import argparse

import pytest

from tests.cluster.kubelet.__main__ import image
from tests.cluster.kubelet.images import Images, bare_name


@pytest.mark.parametrize(
    ("written", "bare"),
    [
        ("bot", "bot"),
        ("bot:v1", "bot"),
        ("bot@sha256:00", "bot"),
        ("localhost:5000/a/bot:v1@sha256:00", "localhost:5000/a/bot"),
        ("localhost:5000/bot", "localhost:5000/bot"),
    ],
)
def test_tags_and_digests_do_not_matter(written: str, bare: str) -> None:
    assert bare_name(written) == bare


def test_images_can_be_added_and_replaced() -> None:
    images = Images({"mine:v1": ["run", "me"]})
    assert images.entrypoint("mine:v2") == ("run", "me")
    assert images.entrypoint("test/sleep") is not None
    assert images.entrypoint("unknown") is None
    images.add("mine", ["other"])
    assert images.entrypoint("mine") == ("other",)


def test_the_commands_image_option() -> None:
    assert image("bot=python 'a b.py'") == ("bot", ["python", "a b.py"])
    for wrong in ("bot", "=x", "bot="):
        with pytest.raises(argparse.ArgumentTypeError, match="expected NAME=COMMAND"):
            image(wrong)
