"""Command lines of the control plane's programs, and the files that they share."""

from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
HOST_IPV6 = "::1"
SERVICE_NETWORKS = {HOST: "10.96.0.0/16", HOST_IPV6: "fd00:10:96::/112"}
# What the tests need and nothing that would watch a Node: the kubelet double renews no leases.
CONTROLLERS = (
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "namespace-controller",
    "garbage-collector-controller",
    "resourcequota-controller",
    "disruption-controller",
    "deployment-controller",
    "replicaset-controller",
    "job-controller",
    "ttl-after-finished-controller",
)


@dataclass(frozen=True)
class Files:
    """Where the control plane's programs keep and find things."""

    folder: Path

    @property
    def certificates(self) -> Path:
        """The API server makes its own here, once."""
        return self.folder / "certs"

    @property
    def ca(self) -> Path:
        """The API server's certificate, followed by that of the CA that signed it."""
        return self.certificates / "apiserver.crt"

    @property
    def data(self) -> Path:
        """Data of etcd."""
        return self.folder / "etcd"

    @property
    def tokens(self) -> Path:
        """Users and their bearer tokens."""
        return self.folder / "tokens.csv"

    @property
    def service_account_key(self) -> Path:
        """Private key that signs service account tokens."""
        return self.folder / "service-accounts.key"

    @property
    def audit_policy(self) -> Path:
        """What the audit log is to have."""
        return self.folder / "audit-policy.yaml"

    @property
    def audit_log(self) -> Path:
        """One JSON object per line."""
        return self.folder / "audit.log"


def in_url(host: str) -> str:
    """Host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def etcd(files: Files, *, client: int, peer: int, host: str = HOST) -> list[str]:
    """A single etcd that does not wait for the disk: its data need not outlive the machine."""
    address = in_url(host)
    return [
        "--name=test",
        f"--data-dir={files.data}",
        f"--listen-client-urls=http://{address}:{client}",
        f"--advertise-client-urls=http://{address}:{client}",
        f"--listen-peer-urls=http://{address}:{peer}",
        f"--initial-advertise-peer-urls=http://{address}:{peer}",
        f"--initial-cluster=test=http://{address}:{peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver(files: Files, *, port: int, etcd_port: int, audit: bool, host: str = HOST) -> list[str]:
    """An API server with RBAC, users by token file and its own certificate."""
    arguments = [
        f"--etcd-servers=http://{in_url(host)}:{etcd_port}",
        f"--cert-dir={files.certificates}",
        f"--bind-address={host}",
        f"--advertise-address={host}",
        f"--secure-port={port}",
        "--endpoint-reconciler-type=none",  # a loopback address is refused in Endpoints
        f"--service-account-issuer=https://{in_url(host)}:{port}",
        f"--service-account-key-file={files.service_account_key}",
        f"--service-account-signing-key-file={files.service_account_key}",
        f"--token-auth-file={files.tokens}",
        "--authorization-mode=RBAC",
        f"--service-cluster-ip-range={SERVICE_NETWORKS[host]}",
        "--allow-privileged=true",
        "--kubelet-preferred-address-types=InternalIP",  # the double's host name is known to nobody
    ]
    if audit:
        arguments += [
            f"--audit-log-path={files.audit_log}",
            f"--audit-policy-file={files.audit_policy}",
            "--audit-log-mode=blocking",  # what was answered is in the file
        ]
    return arguments


def controller_manager(files: Files, *, kubeconfig: Path) -> list[str]:
    """The controllers of `CONTROLLERS`, without leader election."""
    return [
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        f"--service-account-private-key-file={files.service_account_key}",
        f"--root-ca-file={files.ca}",
        f"--controllers={','.join(CONTROLLERS)}",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]
