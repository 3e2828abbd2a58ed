"""A repository that Flux applies to one namespace: its commits need no Git server, as they are ExternalArtifacts."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import yaml

from tests.cluster.api import core_path, wait_until
from tests.flux.flux import Flux

Object = dict[str, Any]

NAME = "site"
SOURCES = "/apis/source.toolkit.fluxcd.io/v1/namespaces/{}/externalartifacts"
KUSTOMIZATIONS = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{}/kustomizations"
REQUEST = "reconcile.fluxcd.io/requestedAt"
PATIENCE_SECONDS = 90.0
GONE_SECONDS = 60


class Repository:
    """Commits of objects, and the Kustomization that applies them, waits for their health, and prunes.

    `health_check_exprs` says how Flux looks at kinds. The Kustomization acts on commits and on requests alone: its own
    interval is longer than any test.
    """

    def __init__(self, flux: Flux, namespace: str, *, health_check_exprs: Sequence[Object] = ()) -> None:
        self._flux = flux
        self._namespace = namespace
        self._sources, self._all = SOURCES.format(namespace), KUSTOMIZATIONS.format(namespace)
        self._spec: Object = {
            "interval": "1h",
            "timeout": "30s",  # Flux takes less for this, too
            "path": "./",
            "prune": True,
            "wait": True,
            "targetNamespace": namespace,
            "sourceRef": {"kind": "ExternalArtifact", "name": NAME},
            "healthCheckExprs": list(health_check_exprs),
        }

    def commit(self, *objects: Object) -> str:
        """Commit these objects in place of those before; the revision. Flux sees it at once."""
        archive = archive_of(objects)
        digest = hashlib.sha256(archive).hexdigest()
        revision = f"main@sha1:{hashlib.sha1(archive, usedforsecurity=False).hexdigest()}"
        about = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact", "metadata": {"name": NAME}}
        artifact = {
            "url": self._flux.store(archive, digest=digest),
            "path": f"{digest}.tar.gz",
            "digest": f"sha256:{digest}",
            "revision": revision,
            "size": len(archive),
            "lastUpdateTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        self._flux.api.apply(f"{self._sources}/{NAME}", about)
        self._flux.api.apply(f"{self._sources}/{NAME}/status", {**about, "status": {"artifact": artifact}})
        self._ensure_kustomization()
        return revision

    def reconcile(self) -> None:
        """Have Flux apply the present commit once more; returns when it is through, however that ended."""
        request = uuid4().hex
        self._flux.api.patch(f"{self._all}/{NAME}", {"metadata": {"annotations": {REQUEST: request}}})
        self._wait(lambda: self.status().get("lastHandledReconcileAt") == request, "the reconciliation's end")

    def wait_ready(self, revision: str) -> None:
        """Wait until Flux has applied a revision and found all of it in good health."""
        self._wait(
            lambda: self.ready().get("status") == "True" and self.status().get("lastAppliedRevision") == revision,
            f"{revision} Ready",
        )

    def wait_failed(self, revision: str) -> Object:
        """Wait until Flux has given up on a revision; its condition Ready."""
        self._wait(
            lambda: self.ready().get("status") == "False" and self.status().get("lastAttemptedRevision") == revision,
            f"the failure of {revision}",
        )
        return self.ready()

    def ready(self) -> Object:
        """The Kustomization's condition Ready; empty before there is one."""
        return next((one for one in self.status().get("conditions", []) if one["type"] == "Ready"), {})

    def status(self) -> Object:
        """The Kustomization's status; empty before there is one."""
        found: Object = (self._flux.api.get(f"{self._all}/{NAME}") or {}).get("status", {})
        return found

    def events(self) -> list[Object]:
        """What Flux reported of the Kustomization."""
        found: list[Object] = self._flux.api.request("GET", core_path("events", namespace=self._namespace))["items"]
        return [one for one in found if one["involvedObject"]["kind"] == "Kustomization"]

    def remove(self) -> None:
        """Delete the Kustomization, with all that it applied."""
        path = f"{self._all}/{NAME}"
        self._flux.api.delete(path)
        wait_until(lambda: self._flux.api.get(path) is None, what=f"{path} is gone", limit_seconds=GONE_SECONDS)

    def _ensure_kustomization(self) -> None:
        body = {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": NAME},
            "spec": self._spec,
        }
        self._flux.api.ensure(self._all, body)

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        try:
            wait_until(holds, what=what, limit_seconds=PATIENCE_SECONDS, every_seconds=0.1)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; its status is {self.status()}") from None


def archive_of(objects: Sequence[Object]) -> bytes:
    """A file for each object, packed: the same bytes for the same objects, with no times and no owners."""
    files = {f"{one['kind'].lower()}-{one['metadata']['name']}.yaml": yaml.safe_dump(one).encode() for one in objects}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    return gzip.compress(packed.getvalue(), mtime=0)
