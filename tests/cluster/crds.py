"""Puts the CRDs of `crds/*.yaml` into the test cluster and waits until the API server serves them."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.cluster.api import Api, Object, wait_until

COLLECTION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def crd_files(folder: Path) -> list[Path]:
    """CRD manifests in `folder`, sorted; none if there is no such folder."""
    return sorted(folder.glob("*.yaml"))


def load_crds(files: Sequence[Path]) -> list[Object]:
    """All CustomResourceDefinitions in the given manifests."""
    documents = [document for file in files for document in yaml.safe_load_all(file.read_text())]
    return [document for document in documents if document and document.get("kind") == "CustomResourceDefinition"]


def apply_crds(api: Api, crds: Sequence[Object]) -> None:
    """Create or update the CRDs without waiting for them."""
    for crd in crds:
        api.apply(f"{COLLECTION}/{crd['metadata']['name']}", crd)


def wait_served(api: Api, crds: Sequence[Object], *, limit_seconds: float = 20) -> None:
    """Wait until each CRD is Established and its newest version answers."""
    for crd in crds:
        name = crd["metadata"]["name"]
        group = crd["spec"]["group"]
        paths = [
            f"/apis/{group}/{version['name']}/{crd['spec']['names']['plural']}"
            for version in crd["spec"]["versions"]
            if version["served"]
        ]
        wait_until(lambda n=name: _established(api, n), what=f"CRD {name} Established", limit_seconds=limit_seconds)  # type: ignore[misc]
        for path in paths:
            wait_until(lambda p=path: api.get(p) is not None, what=f"{path} served", limit_seconds=limit_seconds)  # type: ignore[misc]


def _established(api: Api, name: str) -> bool:
    crd = api.get(f"{COLLECTION}/{name}")
    conditions = crd.get("status", {}).get("conditions", []) if crd else []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
