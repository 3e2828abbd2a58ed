import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kind.node_image import IN_IMAGES, ON_THE_NODE, PAUSE_TAG, RECIPE, NodeVersions, image_key
from tests.kind.root_filesystem import NODE_ROOT

VERSIONS = NodeVersions(by_program={"kubelet": "v1.34.4"})


def key(recipe: Path, *, versions: NodeVersions = VERSIONS, root_key: str = "r") -> str:
    return image_key(recipe=recipe, versions=versions, root_key=root_key)


@pytest.mark.parametrize(
    "change",
    [
        lambda recipe: (recipe / "Containerfile").write_text("FROM other"),
        lambda recipe: (recipe / "files" / "usr" / "local" / "bin" / "entrypoint").chmod(0o644),
        lambda recipe: (recipe / "files" / "new").touch(),
    ],
)
def test_a_changed_recipe_is_a_new_image(tmp_path: Path, change: Callable[[Path], object]) -> None:
    recipe = tmp_path / "node"
    shutil.copytree(RECIPE, recipe)
    before = key(recipe)
    assert before == key(RECIPE)
    change(recipe)
    assert key(recipe) != before


def test_other_versions_and_other_packages_are_a_new_image() -> None:
    keys = {
        key(RECIPE),
        key(RECIPE, versions=NodeVersions(by_program={"kubelet": "v1.34.5"})),
        key(RECIPE, root_key=replace(NODE_ROOT, packages=("one",)).key),
        key(RECIPE, root_key=replace(NODE_ROOT, packages=("two",)).key),
    }
    assert len(keys) == 4


def test_the_recipe_and_the_programs_agree() -> None:
    targets = re.findall(r"^FROM \S+ AS (\S+)$", (RECIPE / "components.Containerfile").read_text(), re.MULTILINE)
    assert sorted(targets) == sorted(["root", "pause", *IN_IMAGES])
    assert NodeVersions.pinned().by_program.keys() >= {*IN_IMAGES, *ON_THE_NODE}
    containerd = (RECIPE / "files" / "etc" / "containerd" / "config.toml").read_text()
    assert f'sandbox_image = "localhost/pause:{PAUSE_TAG}"' in containerd
    network = json.loads((RECIPE / "files" / "etc" / "cni" / "net.d" / "10-bridge.conflist").read_text())
    assert [plugin["type"] for plugin in network["plugins"]] == ["bridge", "portmap"]
