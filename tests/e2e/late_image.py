"""Images that come late: Pods name them, no registry has them, and then the node is given them."""

from uuid import uuid4

from tests.kind.cluster import KindCluster


class LateImages:
    """Other names of an image that this machine's engine has and the node has not."""

    def __init__(self, cluster: KindCluster, *, source: str) -> None:
        self._cluster = cluster
        self._source = source
        self._names: list[str] = []

    def name(self) -> str:
        """A name for Pods; pulling it fails, for nobody serves images at the node's own address."""
        made = f"localhost/late-{uuid4().hex[:8]}:1"
        self._cluster.engine.run("tag", self._source, made)
        self._names.append(made)
        return made

    def arrive(self, name: str) -> None:
        """Now the node has it."""
        self._cluster.load(name)

    def clean_up(self) -> None:
        """Take the names away again, from this machine and from the node."""
        for name in self._names:
            self._cluster.engine.run("rmi", name)
            self._cluster.node("ctr", "-n", "k8s.io", "images", "rm", name)
