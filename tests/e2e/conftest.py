"""What end-to-end tests share: one kind cluster for the run, with the project's images.

The cluster is deleted at the end. `MEETINGBOTS_KIND=NAME` uses one that is there already (`make kind`) and leaves it.
"""

import os
from collections.abc import Iterator

import pytest

from tests.cluster.gobuild import only_one
from tests.cluster.programs import cache_folder
from tests.cluster.service import ClusterError
from tests.kind.cluster import KindCluster
from tests.kind.project_images import ProjectImages, build_images

NAME = "meetingbots-e2e"


@pytest.fixture(scope="session")
def kind_cluster() -> Iterator[KindCluster]:
    """A cluster of one node whose kubelet runs real Pods."""
    if name := os.environ.get("MEETINGBOTS_KIND", ""):
        cluster = KindCluster(name)
        if not cluster.exists():
            raise ClusterError(f"MEETINGBOTS_KIND is {name}, but there is no such kind cluster (make kind)")
        cluster.adopt()
        yield cluster
        return
    # The lock goes with its process: a cluster that is there although nobody holds it was left by a run that crashed.
    with only_one(cache_folder() / f".kind-{NAME}", waiting=f"another run uses the cluster {NAME}; waiting for it"):
        cluster = KindCluster(NAME)
        cluster.delete()
        with cluster:
            yield cluster


@pytest.fixture(scope="session")
def project_images(kind_cluster: KindCluster) -> ProjectImages:
    """The operator's and the example bot's image, built from this checkout and given to the cluster's node."""
    images = build_images(engine=kind_cluster.engine)
    for tag in (images.operator, images.example_bot):
        kind_cluster.load(tag)
    return images
