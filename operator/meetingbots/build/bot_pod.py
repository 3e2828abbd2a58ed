"""The bot's Pod: the author's template, our defaults where it is silent, and the environment with the tokens.

Pure: the same inputs give the same Pod. What cannot be built is told as a `TemplateError` in words for the author.
"""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import datetime
from typing import Any

from meetingbots.build import bot_environment
from meetingbots.build.join_secret import join_secret_name
from meetingbots.models import names
from meetingbots.models.bot import MeetingBot

SPEC_HASH_ANNOTATION = f"{names.GROUP}/spec-hash"
_GRACE_SECONDS = 60
_TOLERATION_SECONDS = 900
_BACKSTOP_SECONDS = 600
_NODE_TROUBLES = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_STAY = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}


class TemplateError(ValueError):
    """The template cannot be a bot's Pod; the text says what is wrong with it."""


def pod_name(bot: MeetingBot, *, attempt: int) -> str:
    """The name of an attempt's Pod: bot, five characters of its uid, number of the attempt."""
    return f"{bot.name}-{bot.metadata.uid.replace('-', '')[:5]}-{attempt}"


def attempt_of(name: str) -> int:
    """The number of the attempt in a Pod's name."""
    return int(name.rsplit("-", 1)[1])


def spec_hash(bot: MeetingBot, *, meeting_id: str, bot_image: str) -> str:
    """A fingerprint of all that decides what the Pod looks like: a staged Pod with another one is replaced."""
    content = [bot.spec.template, bot_image, meeting_id, bot.spec.display_name, bot.spec.token_delivery]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def bot_pod(bot: MeetingBot, *, name: str, meeting_id: str, bot_image: str, now: datetime) -> dict[str, Any]:
    """The Pod called `name` for `bot`. Raises `TemplateError`."""
    template = copy.deepcopy(bot.spec.template or {})
    metadata = template.get("metadata") or {}
    spec = template.get("spec") or {"containers": [{"name": names.BOT_CONTAINER}]}
    container = _bot_container(spec, bot_image)
    container["env"] = [
        *(container.get("env") or ()),
        *bot_environment.environment(
            meeting_id=meeting_id, display_name=bot.spec.display_name, secret_name=join_secret_name(name)
        ),
    ]
    _pod_defaults(spec)
    _container_defaults(spec, container)
    spec["restartPolicy"] = "Never"
    backstop = _backstop(bot, now)
    spec["activeDeadlineSeconds"] = min(backstop, spec.get("activeDeadlineSeconds", backstop))
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": bot.namespace,
            "labels": {
                **(metadata.get("labels") or {}),
                names.MANAGED_BY_LABEL: names.MANAGED_BY,
                names.BOT_LABEL: bot.name,
                names.MEETING_ID_LABEL: meeting_id,
            },
            "annotations": {
                **_STAY,
                **(metadata.get("annotations") or {}),
                SPEC_HASH_ANNOTATION: spec_hash(bot, meeting_id=meeting_id, bot_image=bot_image),
            },
            "ownerReferences": [bot.owner_reference(controller=True).to_dict()],
        },
        "spec": spec,
    }


def _bot_container(spec: dict[str, Any], bot_image: str) -> dict[str, Any]:
    containers = spec.get("containers")
    if not isinstance(containers, list) or not all(isinstance(item, dict) for item in containers):
        raise TemplateError("template.spec.containers must be a list of containers")
    container: dict[str, Any] | None = next(
        (item for item in containers if item.get("name") == names.BOT_CONTAINER), None
    )
    if container is None:
        raise TemplateError(
            "template.spec.containers has no container named bot, which is the one that gets the tokens"
        )
    if spec.get("restartPolicy", "Never") != "Never":
        raise TemplateError("template.spec.restartPolicy must be Never: a token serves once, a new try needs a new Pod")
    own = {str(item.get("name")) for item in container.get("env") or () if isinstance(item, dict)} & bot_environment.ALL
    if own:
        raise TemplateError(f"container bot sets {', '.join(sorted(own))} in its env; the operator sets these")
    if not container.get("image"):
        if not bot_image:
            raise TemplateError("container bot has no image, and the operator has no default for it (BOT_IMAGE)")
        container["image"] = bot_image
    return container


def _pod_defaults(spec: dict[str, Any]) -> None:
    spec.setdefault("automountServiceAccountToken", False)
    spec.setdefault("terminationGracePeriodSeconds", _GRACE_SECONDS)
    security = spec.setdefault("securityContext", {})
    security.setdefault("runAsNonRoot", security.get("runAsUser") != 0)
    security.setdefault("runAsUser", 1000)
    security.setdefault("seccompProfile", {"type": "RuntimeDefault"})
    tolerations = spec.setdefault("tolerations", [])
    told = {item.get("key") for item in tolerations}
    tolerations += [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _TOLERATION_SECONDS}
        for key in _NODE_TROUBLES
        if key not in told
    ]


def _container_defaults(spec: dict[str, Any], bot_container: dict[str, Any]) -> None:
    bot_container.setdefault("imagePullPolicy", "IfNotPresent")
    bot_container.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    for container in (*spec["containers"], *(spec.get("initContainers") or ())):
        security = container.setdefault("securityContext", {})
        if security.get("privileged"):
            continue
        security.setdefault("allowPrivilegeEscalation", False)
        security.setdefault("capabilities", {"drop": ["ALL"]})


def _backstop(bot: MeetingBot, now: datetime) -> int:
    # Counted by the kubelet from the Pod's start, which may be well before joinAt.
    until_join = max(0, int((bot.join_at - now).total_seconds()))
    return until_join + bot.spec.start_deadline_seconds + bot.spec.max_duration_seconds + _BACKSTOP_SECONDS
