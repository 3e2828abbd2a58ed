"""Whether the namespace of the operator's own Secret and Lease exists: told once at the start, in plain words.

Without it every later write fails one by one with an answer of Kubernetes that does not say what to do.
"""

from __future__ import annotations

import logging

from meetingbots.credentials.manifests.receiver_secret import new_projection_secret
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import KubeError, NotFoundError
from meetingbots.kube.resources import SECRETS

_log = logging.getLogger(__name__)


async def tell_if_missing(kube: Kube, *, namespace: str) -> bool:
    """Log an error if there is no such namespace; whether there was none.

    Asked by a dry run of what is to be written there, for which the rights are given: none to read namespaces are.
    """
    body = new_projection_secret(namespace=namespace, data={})
    try:
        await kube.create(SECRETS, namespace=namespace, body=body, dry_run=True)
    except NotFoundError:
        _log.error(
            "the operator's own namespace %s does not exist, so that the receiver gets to know no app and no Lease can "
            "be had: kubectl create namespace %s, or name another one with --system-namespace "
            "(MEETINGBOTS_SYSTEM_NAMESPACE)",
            namespace,
            namespace,
        )
        return True
    except KubeError:
        return False
    return False
