"""A check at the start: the namespace of the operator's Lease and Secret exists.

Without it each later write fails with a message of Kubernetes that names no remedy.
"""

from __future__ import annotations

import logging

from meetingbots.credentials.manifests.receiver_secret import new_projection_secret
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import KubeError, NotFoundError
from meetingbots.kube.resources import SECRETS

_log = logging.getLogger(__name__)


async def warn_if_namespace_is_missing(kube: Kube, *, namespace: str) -> bool:
    """Log an error when the namespace does not exist, and return whether it is missing.

    A dry run of the Secret's creation shows it: the operator may create that Secret, but not read namespaces.
    """
    body = new_projection_secret(namespace=namespace, data={})
    try:
        await kube.create(SECRETS, namespace=namespace, body=body, dry_run=True)
    except NotFoundError:
        _log.error(
            "the operator's own namespace %s does not exist, so there is no place for its Lease and for the receiver's "
            "Secret: run kubectl create namespace %s, or set --system-namespace (MEETINGBOTS_SYSTEM_NAMESPACE)",
            namespace,
            namespace,
        )
        return True
    except KubeError:
        return False
    return False
