"""What two bots' Pods have in common when Kubernetes takes both or neither: all but names, meeting and times.

A thousand bots of one template need not be checked by a thousand dry runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from meetingbots.bots.manifests.environment import RESERVED
from meetingbots.bots.manifests.pod import SPEC_HASH_ANNOTATION
from meetingbots.models import names

_OWN_LABELS = {names.BOT_LABEL, names.MEETING_ID_LABEL}


def pod_shape(pod: Mapping[str, Any]) -> str:
    """A fingerprint of a Pod as `bot_pod` makes it; the same for Pods that differ in nothing that is ever refused."""
    metadata, spec = pod["metadata"], pod["spec"]
    content = {
        "labels": {key: value for key, value in metadata["labels"].items() if key not in _OWN_LABELS},
        "annotations": {key: value for key, value in metadata["annotations"].items() if key != SPEC_HASH_ANNOTATION},
        "spec": {
            **{key: value for key, value in spec.items() if key not in ("containers", "activeDeadlineSeconds")},
            "containers": [_without_ours(container) for container in spec["containers"]],
        },
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _without_ours(container: Mapping[str, Any]) -> dict[str, Any]:
    variables = [item for item in container.get("env") or () if item.get("name") not in RESERVED]
    return {**container, "env": variables}
