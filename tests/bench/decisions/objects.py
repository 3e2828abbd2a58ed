"""A typical Pod of a bot, as the API server sends it."""

from __future__ import annotations

from typing import Any


def pod(number: int = 0) -> dict[str, Any]:
    """A new Pod with a status; `number` makes its name unique."""
    variables = ["PASSCODE", "REGISTRANT_TOKEN", "JOIN_TOKEN", "OBF_TOKEN", "ZAK", "LIVE_STREAMING_TOKEN"]
    name = f"weekly-{number:05d}-1"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "acme",
            "uid": f"0b3a5c1e-0000-4000-8000-{number:012d}",
            "resourceVersion": str(1000 + number),
            "creationTimestamp": "2030-01-01T11:58:00Z",
            "labels": {"app.kubernetes.io/managed-by": "meetingbots", "meetingbots.dev/bot": f"weekly-{number}"},
            "annotations": {"meetingbots.dev/spec": "0123456789abcdef" * 4},
        },
        "spec": {
            "nodeName": "node-1",
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 60,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "bot",
                    "image": "registry.example/bot:1",
                    "env": [
                        {
                            "name": f"ZOOM_{variable}",
                            "valueFrom": {"secretKeyRef": {"name": f"{name}-zoom", "key": f"ZOOM_{variable}"}},
                        }
                        for variable in variables
                    ],
                    "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
            "tolerations": [
                {
                    "key": f"node.kubernetes.io/{key}",
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 900,
                }
                for key in ("not-ready", "unreachable")
            ],
        },
        "status": {
            "phase": "Pending",
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": "2030-01-01T11:58:01Z"}
                for kind in ("PodScheduled", "Initialized", "PodReadyToStartContainers")
            ],
            "containerStatuses": [
                {
                    "name": "bot",
                    "ready": False,
                    "restartCount": 0,
                    "image": "registry.example/bot:1",
                    "imageID": "",
                    "state": {
                        "waiting": {
                            "reason": "CreateContainerConfigError",
                            "message": f'secret "{name}-zoom" not found',
                        }
                    },
                }
            ],
        },
    }
