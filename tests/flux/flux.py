"""Flux at work in a kind cluster: installed, given commits, asked for its logs, taken away."""

import ssl
from types import TracebackType
from typing import Self

import httpx

from tests.cluster.api import Api, core_path, wait_until
from tests.cluster.crds import apply_crds, load_crds, wait_served
from tests.flux.artifact_server import PORT
from tests.flux.images import FluxImages
from tests.flux.programs import crd_manifests
from tests.flux.workloads import ARTIFACTS, CONTROLLER, SYSTEM, flux_objects
from tests.kind.cluster import KindCluster
from tests.stack.simulator_pod import RESTRICTED

READY_SECONDS = 120
GONE_SECONDS = 120
ANSWER_SECONDS = 30


class Flux:
    """The kustomize-controller for all namespaces, and a server for commits; a context manager.

    The namespace has the Pod Security level restricted. At the end everything but the CRDs is gone, so whoever made a
    Kustomization deletes it before that.
    """

    def __init__(self, cluster: KindCluster, *, images: FluxImages) -> None:
        self._cluster = cluster
        self._images = images
        self.api: Api = cluster.api()
        self._http = self._through_the_api_server()

    def __enter__(self) -> Self:
        self._images.load(self._cluster)
        crds = load_crds(crd_manifests())
        apply_crds(self.api, crds)
        wait_served(self.api, crds)
        self.api.ensure(core_path("namespaces"), {"metadata": {"name": SYSTEM, "labels": RESTRICTED}})
        account = core_path("serviceaccounts", namespace=SYSTEM, name="default")
        wait_until(lambda: self.api.get(account) is not None, what=f"the account of {SYSTEM}")
        self._cluster.apply(*flux_objects(self._images))
        for name in (ARTIFACTS, CONTROLLER):
            self._cluster.kubectl(
                *("rollout", "status", f"deployment/{name}", "-n", SYSTEM, f"--timeout={READY_SECONDS}s"),
                limit_seconds=READY_SECONDS + 10,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
        self.api.delete(core_path("namespaces", name=SYSTEM))
        gone = core_path("namespaces", name=SYSTEM)
        wait_until(lambda: self.api.get(gone) is None, what=f"{SYSTEM} is gone", limit_seconds=GONE_SECONDS)

    def store(self, archive: bytes, *, digest: str) -> str:
        """Keep an archive whose SHA-256 is `digest`; its address, as the controller sees it."""
        self._http.put(f"/{digest}.tar.gz", content=archive).raise_for_status()
        return f"http://{ARTIFACTS}.{SYSTEM}.svc:{PORT}/{digest}.tar.gz"

    def logs(self) -> str:
        """What the controller has logged."""
        return self._cluster.try_kubectl("logs", f"deployment/{CONTROLLER}", "-n", SYSTEM, "--tail=-1").output

    def _through_the_api_server(self) -> httpx.Client:
        proxy = f"{core_path('services', namespace=SYSTEM, name=ARTIFACTS)}:{PORT}/proxy"
        return httpx.Client(
            base_url=f"{self.api.url}{proxy}",
            verify=ssl.create_default_context(cafile=str(self.api.ca)),
            headers={"Authorization": f"Bearer {self.api.token}"},
            timeout=ANSWER_SECONDS,
            trust_env=False,
        )
