"""Failures that the kubelet reports for a waiting container and that pass by themselves.

The kubelet reports them as CreateContainerConfigError, CreateContainerError or RunContainerError, like mistakes in a
template, and tries again after at least 10 s. Source: Kubernetes 1.27 to 1.34 (pkg/kubelet/kubelet_pods.go,
pkg/kubelet/util/manager, pkg/kubelet/kuberuntime, plugin/pkg/auth/authorizer/node), client-go, containerd and CRI-O.
"""

from __future__ import annotations

import re
from typing import Final

_TRANSIENT: Final = (
    # The kubelet's caches of Secrets, ConfigMaps, Services and its own Node are not filled yet.
    r"failed to sync (secret|configmap) cache",
    r"timed out waiting for the condition",
    r"object \"[^\"]*\"/\"[^\"]*\" not registered",
    r"services have not yet been read at least once",
    r"error getting node|node \"[^\"]*\" not found",
    # The node authorizer has not linked the Pod to its node yet.
    r"no relationship found between node",
    # The API server cannot be reached or is busy.
    r"context (deadline exceeded|canceled)",
    r"Client\.Timeout exceeded",
    r"TLS handshake timeout|i/o timeout",
    r"connection (refused|reset by peer)|no route to host|network is unreachable|server misbehaving|no such host",
    r"unexpected EOF|: EOF$|http2: |client connection (lost|force closed)|broken pipe",
    r"etcdserver: ",
    r"the server (is currently unable to handle the request|was unable to return a response"
    r"|could not find the requested resource|has received too many requests)",
    r"Internal error occurred|too many requests|rate limiter",
    # The container runtime is busy, restarts, or still has the container of an earlier try.
    r"rpc error: code = (Unavailable|DeadlineExceeded|Canceled|Aborted|ResourceExhausted)",
    r"name \"[^\"]*\" is reserved for|container name \"[^\"]*\" is already in use",
    r"sandbox container .*(not running|not found)|no running task found|failed to get sandbox",
    r"container runtime is (down|not ready)|PLEG is not healthy",
)
_PATTERN: Final = re.compile("|".join(f"(?:{one})" for one in _TRANSIENT), re.IGNORECASE)


def is_transient(message: str) -> bool:
    """Whether a waiting container's message names a failure that passes without a change of the Pod."""
    return _PATTERN.search(message) is not None
