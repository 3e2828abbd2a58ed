"""Kubeconfig files and tokens of the test cluster's users."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# System components of the cluster: each its own user, so that the audit log tells them apart.
USERS: Mapping[str, str] = {
    "admin": "system:masters",
    "kubelet": "system:masters",
    "kube-controller-manager": "system:masters",
}


@dataclass(frozen=True)
class Tokens:
    """Bearer tokens of `USERS`, made anew for each cluster."""

    by_user: Mapping[str, str] = field(repr=False)

    @classmethod
    def generate(cls) -> "Tokens":
        """Tokens that nobody can guess; the API server listens on loopback, but other local users do too."""
        return cls({user: secrets.token_urlsafe(32) for user in USERS})

    def write(self, path: Path) -> None:
        """Write the file for the API server's --token-auth-file: token,user,uid,"groups"."""
        lines = [f'{token},{user},{user},"{USERS[user]}"\n' for user, token in self.by_user.items()]
        write_private(path, "".join(lines))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.write_text(text)


def write_kubeconfig(path: Path, *, server: str, ca: Path, user: str, token: str, namespace: str = "default") -> Path:
    """Write a kubeconfig (as JSON, which is YAML) for one user; returns `path`."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": str(ca)}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user, "namespace": namespace}}],
        "current-context": "test",
    }
    write_private(path, json.dumps(config, indent=2) + "\n")
    return path
