"""Puts the CRDs of `crds/*.yaml` into the test cluster and waits until the API server serves them."""

from collections.abc import Sequence
from functools import partial
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


def wait_served(api: Api, crds: Sequence[Object], *, limit_seconds: float = 120) -> None:
    """Wait until each CRD is Established and all its served versions answer."""
    for crd in crds:
        name, group, plural = crd["metadata"]["name"], crd["spec"]["group"], crd["spec"]["names"]["plural"]
        wait_until(partial(_established, api, name), what=f"CRD {name} Established", limit_seconds=limit_seconds)
        for version in crd["spec"]["versions"]:
            if version["served"]:
                path = f"/apis/{group}/{version['name']}/{plural}"
                wait_until(partial(_answers, api, path), what=f"{path} served", limit_seconds=limit_seconds)


def _established(api: Api, name: str) -> bool:
    crd = api.get(f"{COLLECTION}/{name}")
    conditions = (crd.get("status", {}).get("conditions") or []) if crd else []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def _answers(api: Api, path: str) -> bool:
    # 404 at first, then 429 while the server fills its cache of the new kind.
    return api.raw("GET", path, query={"limit": "1"})[0] == 200
