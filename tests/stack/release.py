"""The product on a kind cluster as people install it: a Helm release of the chart, with its Pods and its Lease."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.chart.rendering import CHART, Helm, HelmError
from tests.cluster.api import Api, core_path, wait_until
from tests.cluster.binaries import ensure_binaries
from tests.cluster.programs import HELM
from tests.kind.cluster import KindCluster
from tests.kind.project_images import ProjectImages
from tests.stack.simulator_pod import RESTRICTED
from tests.zoomsim.client import SimClient
from tests.zoomsim.world import Account, App

SYSTEM = "meetingbots-system"
RELEASE = "meetingbots"
WAIT_SECONDS = 300
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{{}}/leases/{RELEASE}-operator"


class Release:
    """Installs, upgrades and removes the chart; `values` of a call are laid over those that a test cluster needs.

    `zoom_url` is the simulator's base as Pods see it. The namespace has the Pod Security level restricted.
    """

    def __init__(
        self, cluster: KindCluster, *, images: ProjectImages, zoom_url: str, system: str = SYSTEM, name: str = RELEASE
    ) -> None:
        self.cluster = cluster
        self.api: Api = cluster.api()
        self.system = system
        self.name = name
        self.helm = Helm(ensure_binaries(programs=HELM) / "helm", kubeconfig=cluster.kubeconfig())
        repository, _, tag = images.operator.rpartition(":")
        # The tag is that of the version: only this annotation replaces the Pods when the image is built again.
        build = {"podAnnotations": {"meetingbots.test/image": cluster.engine.image_id(images.operator)}}
        self._values: dict[str, Any] = {
            "operator": build,
            "receiver": build,
            "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
            "bot": {"image": images.example_bot},
            "zoom": {"apiUrl": f"{zoom_url}/v2", "oauthUrl": f"{zoom_url}/oauth"},
            "publicUrl": self.receiver_url,
        }

    @property
    def receiver_url(self) -> str:
        """The receiver's Service, as Pods see it."""
        return f"http://{self.name}-receiver.{self.system}.svc"

    def webhook_url(self, client_id: str) -> str:
        """What is to be set as the event notification endpoint of the Zoom app."""
        return f"{self.receiver_url}/webhooks/{client_id}"

    def install(self, values: Mapping[str, Any] | None = None, *, chart: Path = CHART) -> str:
        """Make the namespace and install; what Helm says (NOTES.txt) once all Pods are ready. HelmError if not."""
        self.api.ensure(core_path("namespaces"), {"metadata": {"name": self.system, "labels": RESTRICTED}})
        return self._change("install", values, chart)

    def upgrade(self, values: Mapping[str, Any] | None = None, *, chart: Path = CHART) -> str:
        """Upgrade, with these values and no others; returns once all Pods are ready."""
        return self._change("upgrade", values, chart)

    def rollback(self, revision: int) -> str:
        """Back to a revision; returns once all Pods are ready."""
        return self._helm("rollback", self.name, str(revision), "--wait", f"--timeout={WAIT_SECONDS}s")

    def uninstall(self) -> str:
        """Remove it; returns once its Pods are gone."""
        said = self._helm("uninstall", self.name, "--wait", f"--timeout={WAIT_SECONDS}s")
        wait_until(lambda: not self.pods(), what="the release's Pods are gone", limit_seconds=WAIT_SECONDS)
        return said

    def installed(self) -> bool:
        """Whether a release of this name is there."""
        try:
            self._helm("status", self.name)
        except HelmError as error:
            if "not found" in str(error):
                return False
            raise
        return True

    def pods(self, component: str = "") -> list[dict[str, Any]]:
        """Pods of operator or receiver (default: both) that are not on their way out."""
        items = self.api.request("GET", core_path("pods", namespace=self.system))["items"]
        mine = [one for one in items if one["metadata"]["labels"].get("app.kubernetes.io/instance") == self.name]
        return [
            one
            for one in mine
            if "deletionTimestamp" not in one["metadata"]
            and component in ("", one["metadata"]["labels"]["app.kubernetes.io/component"])
        ]

    def lease(self) -> dict[str, Any]:
        """The Lease's spec; empty before there is one."""
        return dict((self.api.get(LEASE.format(self.system)) or {}).get("spec", {}))

    def leader(self) -> str:
        """Name of the operator's Pod that holds the Lease; empty while none does."""
        holder = str(self.lease().get("holderIdentity") or "")
        names = [str(one["metadata"]["name"]) for one in self.pods("operator")]
        return next((name for name in names if holder.startswith(f"{name}-")), "")

    def wait_leader(self, *, other_than: str = "", seconds: float = 60) -> str:
        """Wait until a Pod other than this one leads; its name."""
        wait_until(lambda: self.leader() not in ("", other_than), what="an operator leads", limit_seconds=seconds)
        return self.leader()

    def wait_ready(self, *, seconds: float = WAIT_SECONDS) -> None:
        """Wait until both Deployments have all their replicas."""
        for component in ("operator", "receiver"):
            self.cluster.kubectl(
                *("rollout", "status", f"deployment/{self.name}-{component}"),
                *("-n", self.system, f"--timeout={seconds:.0f}s"),
                limit_seconds=seconds + 10,
            )

    def wait_reachable(self, zoom: SimClient, *, seconds: float = 60) -> None:
        """Wait until the simulator gets an answer, whichever, from the receiver's Service.

        Pods are ready up to a second before kube-proxy leads anybody to them; an event that is sent in between comes
        again only after Zoom's five minutes. It is tried with an app of its own, for six failures end a subscription.
        """
        probe = f"probe-{uuid4().hex[:8]}"
        owner = zoom.add_account(Account())
        zoom.add_app(App(owner_account_id=owner.id, client_id=probe, webhook_url=self.webhook_url(probe)))

        def answers() -> bool:
            zoom.validate(probe)
            sent = [one for one in zoom.deliveries("endpoint.url_validation") if one.client_id == probe]
            return sent[-1].attempts[-1].status is not None

        wait_until(answers, what="the receiver answers the simulator", limit_seconds=seconds, every_seconds=0.2)

    def logs(self, component: str) -> str:
        """What the present Pods of operator or receiver have logged, those before a restart included."""
        said = []
        for pod in self.pods(component):
            name = pod["metadata"]["name"]
            for options in (("--previous",), ()):
                done = self.cluster.try_kubectl("logs", name, "-n", self.system, "--tail=-1", *options)
                said.append(done.output)
        return "".join(said)

    def _change(self, verb: str, values: Mapping[str, Any] | None, chart: Path) -> str:
        merged = _laid_over(self._values, values or {})
        return self._helm(verb, self.name, str(chart), "--wait", f"--timeout={WAIT_SECONDS}s", values=merged)

    def _helm(self, *arguments: str, values: Mapping[str, Any] | None = None) -> str:
        return self.helm.run(
            *arguments, "--namespace", self.system, values=values, limit_seconds=float(WAIT_SECONDS + 30)
        )


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` wins, key by key."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _laid_over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
