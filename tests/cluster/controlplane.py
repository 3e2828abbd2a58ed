"""A real control plane for tests: etcd, kube-apiserver and kube-controller-manager on free loopback ports.

There are no nodes; `tests.cluster.kubelet` plays one. Everything lives in one temporary folder and ends with the
process that started it.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cluster import flags
from tests.cluster.api import Api, Object, core_path
from tests.cluster.audit import POLICY, ApiCall, read_calls
from tests.cluster.crds import apply_crds, wait_served
from tests.cluster.flags import HOST, Files, in_url
from tests.cluster.kubeconfig import Tokens, write_kubeconfig
from tests.cluster.ports import free_ports
from tests.cluster.service import ClusterError, Service
from tests.cluster.warden import Warden


class ControlPlane:
    """The control plane, as a context manager or by `start` and `stop`.

    `binaries` is the folder that `tests.cluster.binaries` gives, `crds` are CustomResourceDefinitions to be there from
    the start (the garbage collector learns of later ones only after half a minute), `folder` a new or empty folder to
    keep state in (default: a temporary one, removed at the end). With `audit`, every call is written to a log that
    `calls` reads. `host` is the loopback address that everything listens on, of either address family. Without
    `controllers`, kube-controller-manager is neither needed nor started: nothing collects what a deleted object owned.
    """

    def __init__(
        self,
        *,
        binaries: Path,
        crds: Sequence[Object] = (),
        folder: Path | None = None,
        audit: bool = False,
        host: str = HOST,
        controllers: bool = True,
    ) -> None:
        self.binaries = binaries
        self.host = host
        self.folder = folder or Path(tempfile.mkdtemp(prefix="meetingbots-cluster-"))
        self._temporary = folder is None
        self._files = Files(self.folder)
        self._crds = list(crds)
        self._audit = audit
        self._controllers = controllers
        self._tokens = Tokens.generate()
        self._warden: Warden | None = None
        self._services: dict[str, Service] = {}
        self.port = self._etcd_port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def server(self) -> str:
        """Base URL of the API server."""
        return f"https://{in_url(self.host)}:{self.port}"

    @property
    def etcd_url(self) -> str:
        """Base URL of etcd, which also serves its metrics."""
        return f"http://{in_url(self.host)}:{self._etcd_port}"

    def pid(self, name: str) -> int:
        """Number of the process of a program, such as `etcd`."""
        return self._services[name].pid

    @property
    def ca(self) -> Path:
        """Certificate file to check the API server by."""
        return self._files.ca

    @property
    def api(self) -> Api:
        """Blocking client as cluster administrator."""
        return self.api_as("admin")

    def api_as(self, user: str) -> Api:
        """Blocking client as one of the cluster's own users."""
        return self.api_with_token(self._tokens.by_user[user])

    def api_with_token(self, token: str) -> Api:
        """Blocking client with a bearer token, such as a ServiceAccount's."""
        return Api(host=self.host, port=self.port, ca=self.ca, token=token)

    def start(self) -> None:
        """Start everything and wait until it can be used; ClusterError with a log's tail if it cannot.

        Free ports are found by asking the kernel and letting go of them, so somebody else may get one in between; that
        is seen as a failed start and tried twice more.
        """
        for attempts_left in (2, 1, 0):
            try:
                self._start()
            except ClusterError as error:
                self._stop_processes()
                if not attempts_left or "address already in use" not in str(error):
                    self.stop()
                    raise
            except BaseException:
                self.stop()
                raise
            else:
                return

    def stop(self) -> None:
        """End all processes and remove the temporary folder."""
        self._stop_processes()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def stop_apiserver(self, *, crash: bool = False) -> None:
        """Stop the API server alone, in order or as a crash; its data stays in etcd.

        In order means SIGTERM, no new requests and two seconds for those under way: it would let watches go on for a
        minute, which tests need not wait for.
        """
        apiserver = self._services["kube-apiserver"]
        if crash:
            apiserver.kill()
        else:
            apiserver.terminate()
        apiserver.wait_stopped(limit_seconds=2)

    def start_apiserver(self) -> None:
        """Start the API server again on the same port, with the same data, certificate and tokens."""
        apiserver = self._services["kube-apiserver"]
        apiserver.start()
        apiserver.wait_ready(self._apiserver_ready)
        wait_served(self.api, self._crds)

    def restart_apiserver(self, *, crash: bool = False, down_seconds: float = 0) -> None:
        """Stop the API server and start it again after it was away for `down_seconds`."""
        self.stop_apiserver(crash=crash)
        time.sleep(down_seconds)
        self.start_apiserver()

    def apply_crds(self, crds: Sequence[Object]) -> None:
        """Add or update CRDs and wait until they are served."""
        apply_crds(self.api, crds)
        wait_served(self.api, crds)
        names = {crd["metadata"]["name"] for crd in crds}
        self._crds = [crd for crd in self._crds if crd["metadata"]["name"] not in names] + list(crds)

    def kubeconfig(self, user: str = "admin") -> Path:
        """Kubeconfig file of one of the cluster's own users: `admin`, `kubelet`, `kube-controller-manager`."""
        path = self.folder / f"{user}.kubeconfig"
        if path.is_file():
            return path
        return write_kubeconfig(path, server=self.server, ca=self.ca, user=user, token=self._tokens.by_user[user])

    def service_account_kubeconfig(self, namespace: str, name: str, *, lifetime_seconds: int = 36000) -> Path:
        """Kubeconfig with a ServiceAccount's token, as a Pod gets it; namespace and account are made if missing."""
        api = self.api
        api.ensure(core_path("namespaces"), {"metadata": {"name": namespace}})
        accounts = core_path("serviceaccounts", namespace=namespace)
        api.ensure(accounts, {"metadata": {"name": name}})
        answer = api.create(f"{accounts}/{name}/token", {"spec": {"expirationSeconds": lifetime_seconds}})
        return write_kubeconfig(
            self.folder / f"{namespace}.{name}.kubeconfig",
            server=self.server,
            ca=self.ca,
            user=f"{namespace}-{name}",
            token=answer["status"]["token"],
            namespace=namespace,
        )

    def environment(self, *, user: str = "admin", base: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Environment for child processes: the cluster's programs first in PATH, and KUBECONFIG."""
        path = os.pathsep.join([str(self.binaries), base.get("PATH", os.defpath)])
        return dict(base) | {"PATH": path, "KUBECONFIG": str(self.kubeconfig(user))}

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Output of kubectl as administrator; ClusterError with its message if it fails and `check` is set."""
        done = subprocess.run(
            [str(self.binaries / "kubectl"), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment(),
            check=False,
            timeout=60,
        )
        if check and done.returncode != 0:
            raise ClusterError(f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout + ("" if check else done.stderr)

    def calls(self) -> list[ApiCall]:
        """All API calls so far; needs `audit=True`."""
        if not self._audit:
            raise ClusterError("this control plane was started without audit=True")
        return list(read_calls(self._files.audit_log))

    def _start(self) -> None:
        for name in ("certs", "logs", "etcd"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._write_inputs()
        self._warden = Warden()
        self._etcd_port, etcd_peer_port, self.port = free_ports(3, host=self.host)
        etcd = self._service(
            "etcd", flags.etcd(self._files, client=self._etcd_port, peer=etcd_peer_port, host=self.host)
        )
        apiserver = self._service(
            "kube-apiserver",
            flags.apiserver(self._files, port=self.port, etcd_port=self._etcd_port, audit=self._audit, host=self.host),
        )
        etcd.start()
        apiserver.start()  # tries etcd until it is there
        etcd.wait_ready(lambda: _listening(self._etcd_port, host=self.host))
        apiserver.wait_ready(self._apiserver_ready)
        apply_crds(self.api, self._crds)
        if self._controllers:
            self._start_controllers()
        else:
            self.api.ensure(core_path("serviceaccounts", namespace="default"), {"metadata": {"name": "default"}})
        wait_served(self.api, self._crds)

    def _start_controllers(self) -> None:
        kubeconfig = self.kubeconfig("kube-controller-manager")
        manager = self._service("kube-controller-manager", flags.controller_manager(self._files, kubeconfig=kubeconfig))
        manager.start()
        # The controllers are at work once they have made this.
        account = core_path("serviceaccounts", namespace="default", name="default")
        manager.wait_ready(lambda: self.api.get(account) is not None)

    def _stop_processes(self) -> None:
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            service = self._services.get(name)
            if service is not None:
                # Nothing here outlives the run: the store's last words are not worth waiting for.
                service.kill()
                service.wait_stopped()
        if self._warden is not None:
            self._warden.close()
            self._warden = None

    def _service(self, name: str, arguments: Sequence[str]) -> Service:
        if self._warden is None:
            raise ClusterError("the control plane is not started")
        command = [str(self.binaries / name), *arguments]
        service = Service(command, log=self.folder / "logs" / f"{name}.log", warden=self._warden)
        self._services[name] = service
        return service

    def _write_inputs(self) -> None:
        for kubeconfig in self.folder.glob("*.kubeconfig"):
            kubeconfig.unlink()  # of an earlier try on another port
        self._tokens.write(self._files.tokens)
        self._files.audit_policy.write_text(json.dumps(POLICY))
        openssl = shutil.which("openssl")
        if openssl is None:
            raise ClusterError("openssl is needed to make the key that signs service account tokens; please install it")
        subprocess.run(
            [openssl, "genrsa", "-out", str(self._files.service_account_key), "2048"], check=True, capture_output=True
        )

    def _apiserver_ready(self) -> bool:
        if not self.ca.is_file():
            return False
        with contextlib.suppress(OSError):
            return self.api.raw("GET", "/readyz")[0] == 200
        return False


def _listening(port: int, *, host: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False
