"""A kind cluster: made, given images, asked by kubectl, taken away."""

import base64
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.cluster.api import Api
from tests.cluster.audit import POLICY
from tests.cluster.binaries import ensure_binaries
from tests.cluster.programs import KIND
from tests.cluster.progress import Finished, run_with_progress, say
from tests.cluster.service import ClusterError
from tests.kind.config import AUDIT_LOG_ON_NODE, ClusterShape, kind_config
from tests.kind.engine import Engine
from tests.kind.node_image import NodeVersions, ensure_node_image
from tests.kind.provider import Provider, choose_provider

STATES = Path(__file__).resolve().parents[2] / ".run" / "kind"
TRIAL_SECONDS = 60
CREATE_SECONDS = 600
READY_SECONDS = 180
POLL_SECONDS = 0.2
ADMIN = "kind-administrator"


class KindCluster:
    """One cluster of one node, known by its name; others of other names may be there at the same time.

    As a context manager it is created at the beginning and deleted at the end. `create` needs nothing but what
    `choose_provider` finds; raises ToolError for what is missing, and ClusterError for what goes wrong.
    """

    def __init__(
        self,
        name: str,
        *,
        provider: Provider | None = None,
        states: Path = STATES,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.name = name
        self._environ = environ
        self._chosen = provider
        self._folder = states / name
        self._tools: Path | None = None
        self._token: str | None = None

    def __enter__(self) -> Self:
        self.create()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.delete()

    @property
    def engine(self) -> Engine:
        """Docker or podman, which runs the node."""
        return self._provider.engine

    def exists(self) -> bool:
        """Whether kind knows a cluster of this name, started by whomever."""
        return self.name in self._kind("get", "clusters").output.split()

    def prepare(self) -> None:
        """Have all that a cluster is made from, and see that this machine runs it; ToolError or ClusterError if not."""
        image = self._node_image()
        trial = ("run", "--rm", "--privileged", "--network", "none", "--entrypoint", "true", image)
        self.engine.run(*trial, label="trying a privileged container", limit_seconds=TRIAL_SECONDS)

    def create(self) -> None:
        """Make the cluster and wait until its node is ready; ClusterError if there is one of that name already."""
        if self.exists():
            raise ClusterError(f"a kind cluster named {self.name} is there already (make kind-stop, or another name)")
        image = self._node_image()
        self._folder.mkdir(parents=True, exist_ok=True)
        policy = self._folder / "audit-policy.json"
        policy.write_text(json.dumps(POLICY))
        own = None if self._provider.node_image else NodeVersions.pinned()
        config = self._folder / "kind.json"
        config.write_text(kind_config(ClusterShape(name=self.name, audit_policy=policy, own_node=own)))
        say(f"creating the kind cluster {self.name} on {self.engine.name}")
        try:
            self._kind(
                *("create", "cluster", "--name", self.name, "--image", image, "--config", config),
                *("--kubeconfig", self.kubeconfig()),
                limit_seconds=CREATE_SECONDS,
            )
            self._wait_ready()
        except BaseException:
            self.delete()
            raise

    def _node_image(self) -> str:
        return self._provider.node_image or ensure_node_image(engine=self.engine, environ=self._environ)

    def delete(self) -> None:
        """Take the cluster away with all that is in it; nothing happens if it is not there."""
        self._kind("delete", "cluster", "--name", self.name, "--kubeconfig", self.kubeconfig())

    def adopt(self) -> None:
        """Use a cluster that was made before, writing its kubeconfig anew."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._kind("export", "kubeconfig", "--name", self.name, "--kubeconfig", self.kubeconfig())

    def kubeconfig(self) -> Path:
        """File with the administrator's access, for this cluster alone."""
        return self._folder / "kubeconfig"

    def kubectl(self, *arguments: str | Path, limit_seconds: float = 120) -> str:
        """Run kubectl as administrator; its standard output, or ClusterError with what it said."""
        done = self.try_kubectl(*arguments, limit_seconds=limit_seconds)
        if done.code != 0:
            what = " ".join(str(each) for each in arguments)
            raise ClusterError(f"kubectl {what} failed (exit code {done.code}):\n{done.errors or done.output}")
        return done.output

    def try_kubectl(self, *arguments: str | Path, limit_seconds: float = 120) -> Finished:
        """Run kubectl that may fail."""
        command = [str(self.tools / "kubectl"), "--kubeconfig", str(self.kubeconfig()), *map(str, arguments)]
        return run_with_progress(
            command, label=f"kubectl {arguments[0]}", environ=self._environ, limit_seconds=limit_seconds
        )

    def api(self) -> Api:
        """Blocking client as administrator: much quicker than kubectl, for what is measured or asked often."""
        if self._token is None:
            self.apply(*_administrator())
            self._token = self.token_of(ADMIN, namespace="kube-system")
        return self.api_with_token(self._token)

    def api_with_token(self, token: str) -> Api:
        """Blocking client with a bearer token, such as a ServiceAccount's."""
        server = urlsplit(self._view("{.clusters[0].cluster.server}"))
        ca = self._folder / "ca.crt"
        ca.write_bytes(base64.b64decode(self._view("{.clusters[0].cluster.certificate-authority-data}")))
        if server.hostname is None or server.port is None:
            raise ClusterError(f"{self.kubeconfig()} names no host and port: {server.geturl()}")
        return Api(host=server.hostname, port=server.port, ca=ca, token=token)

    def token_of(self, account: str, *, namespace: str) -> str:
        """A token of a ServiceAccount, for a day."""
        return self.kubectl("create", "token", account, "-n", namespace, "--duration=24h").strip()

    def apply(self, *objects: dict[str, Any]) -> None:
        """Apply Kubernetes objects."""
        file = self._folder / "apply.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        self.kubectl("apply", "-f", file)

    def load(self, image: str | Path) -> None:
        """Give an image, by the engine's tag or as a tar file, to the node: Pods need no registry then."""
        import_it = ("exec", "-i", self.node_name, "ctr", "-n", "k8s.io", "images", "import", "--digests", "-")
        if isinstance(image, str):
            self.engine.stream_image(image, into=import_it)
            return
        with image.open("rb") as archive:
            self.engine.feed(import_it, stdin=archive)

    def node(self, *command: str, limit_seconds: float = 120) -> str:
        """Run a command on the node as root; its standard output."""
        return self.engine.run("exec", self.node_name, *command, limit_seconds=limit_seconds)

    def copy_audit_log(self, to: Path) -> Path:
        """Copy the API server's audit log, for `tests.cluster.audit.read_calls`."""
        to.write_text(self.node("cat", AUDIT_LOG_ON_NODE))
        return to

    @property
    def node_name(self) -> str:
        """Name of the node, and of its container."""
        return f"{self.name}-control-plane"

    @property
    def tools(self) -> Path:
        """Folder with kind and kubectl."""
        if self._tools is None:
            self._tools = ensure_binaries(programs=KIND, environ=self._environ)
        return self._tools

    @property
    def _provider(self) -> Provider:
        if self._chosen is None:
            self._chosen = choose_provider(environ=self._environ)
        return self._chosen

    def _view(self, path: str) -> str:
        return self.kubectl("config", "view", "--raw", "-o", f"jsonpath={path}")

    def _kind(self, *arguments: str | Path, limit_seconds: float | None = None) -> Finished:
        command = [str(self.tools / "kind"), *map(str, arguments)]
        done = run_with_progress(
            command,
            label=f"kind {arguments[0]} {arguments[1]}",
            environ=self.engine.environ,
            limit_seconds=limit_seconds,
        )
        if done.code != 0:
            raise ClusterError(f"kind {arguments[0]} {arguments[1]} failed:\n{done.errors[-6000:]}")
        return done

    def _wait_ready(self) -> None:
        """Wait for the node, and for what Pods need: kubectl's `wait` would fail while an object is not there yet."""
        deadline = time.monotonic() + READY_SECONDS
        while not (self._node_ready() and self._pods_have_accounts()):
            if time.monotonic() > deadline:
                state = self.try_kubectl("get", "nodes,pods", "-A", "-o", "wide").output
                raise ClusterError(f"{self.name} was not ready within {READY_SECONDS} s:\n{state}")
            time.sleep(POLL_SECONDS)

    def _node_ready(self) -> bool:
        condition = '{.items[0].status.conditions[?(@.type=="Ready")].status}'
        return self.try_kubectl("get", "nodes", "-o", f"jsonpath={condition}").output == "True"

    def _pods_have_accounts(self) -> bool:
        return self.try_kubectl("get", "serviceaccount", "default", "-n", "default").code == 0


def _administrator() -> tuple[dict[str, Any], ...]:
    account = {"name": ADMIN, "namespace": "kube-system"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    return (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": ADMIN},
            "roleRef": role,
            "subjects": [{"kind": "ServiceAccount", **account}],
        },
    )
