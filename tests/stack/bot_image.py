"""The example bot's image under the name that examples/ have for it, on a cluster without a registry."""

from tests.kind.cluster import KindCluster

# What a container runtime makes of the `bot-example` in examples/*.yaml.
IN_EXAMPLES = "docker.io/library/bot-example:latest"


def name_as_in_examples(image: str, *, cluster: KindCluster) -> None:
    """Let Pods that ask for `bot-example` find `image`, which is on the node."""
    cluster.node("ctr", "-n", "k8s.io", "images", "tag", "--force", image, IN_EXAMPLES)
