"""The bot's Pod: the author's template, our defaults where it is silent, and the environment with the tokens.

Pure: the same inputs give the same Pod. What cannot be built is told as a `TemplateError` in words for the author.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from meetingbots.bots.decide.pod_names import join_secret_name
from meetingbots.bots.manifests import environment as bot_environment
from meetingbots.bots.manifests import rejoin_access
from meetingbots.bots.manifests.strategic_merge import MergeError, merge_template
from meetingbots.models import names
from meetingbots.models.bot import MeetingBot, TokenKind

SPEC_HASH_ANNOTATION = f"{names.GROUP}/spec-hash"
_GRACE_SECONDS = 60
_TOLERATION_SECONDS = 900
_BACKSTOP_SECONDS = 600
_LONGEST_SECONDS = 2**31 - 1  # what activeDeadlineSeconds can be (Kubernetes API, PodSpec)
_ANY = "*"
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_NODE_TROUBLES = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_BOT_PATH = f"template.spec.containers[{names.BOT_CONTAINER}]"
_STAY = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}


class TemplateError(ValueError):
    """The template cannot be a bot's Pod; the text begins with the field's path and says what to change."""


def spec_hash(
    bot: MeetingBot,
    *,
    meeting_id: str,
    bot_image: str,
    token_url: str = "",
    default_template: Mapping[str, Any] = _NOTHING,
) -> str:
    """A fingerprint of all that decides what the Pod looks like: a staged Pod with another one is replaced.

    Settings of the operator's that this Pod has no use of are not in it: an upgrade that changes them replaces nothing.
    """
    spec = bot.spec
    image = "" if any(_names_image(template) for template in (spec.template, default_template)) else bot_image
    content: list[Any] = [spec.template, image, meeting_id, spec.display_name, spec.token_delivery]
    content += [spec.start_deadline_seconds, spec.max_duration_seconds, _waiting(bot)]
    if spec.token_endpoint:
        content.append(token_url)
    if default_template:
        content.append(dict(default_template))
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def bot_pod(
    bot: MeetingBot,
    *,
    name: str,
    meeting_id: str,
    bot_image: str,
    now: datetime,
    token_url: str = "",
    default_template: Mapping[str, Any] = _NOTHING,
) -> dict[str, Any]:
    """The Pod called `name` for `bot`. Raises `TemplateError`.

    `default_template` is what the author's template is merged into, `token_url` the base of the token endpoint.
    """
    template = _merged(default_template, bot.spec.template or {})
    metadata = _mapping(template, "metadata", at="template")
    spec = _mapping(template, "spec", at="template")
    if spec.get("containers") is None:
        spec["containers"] = [{"name": names.BOT_CONTAINER}]
    container = _bot_container(spec, bot_image)
    container["env"] = [
        *_env(container),
        *bot_environment.environment(
            meeting_id=meeting_id, display_name=bot.spec.display_name, secret_name=join_secret_name(name)
        ),
    ]
    if bot.spec.token_endpoint:
        _rejoin_access(spec, container, token_url)
    container.setdefault("imagePullPolicy", "IfNotPresent")
    container.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    _pod_defaults(spec)
    _security_defaults(spec)
    spec["restartPolicy"] = "Never"
    spec["activeDeadlineSeconds"] = _active_deadline(spec, _backstop(bot, now))
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": bot.namespace,
            "labels": {
                **_mapping(metadata, "labels", at="template.metadata"),
                names.MANAGED_BY_LABEL: names.MANAGED_BY,
                names.BOT_LABEL: bot.name,
                names.MEETING_ID_LABEL: meeting_id,
            },
            "annotations": {
                **_STAY,
                **_mapping(metadata, "annotations", at="template.metadata"),
                SPEC_HASH_ANNOTATION: spec_hash(
                    bot,
                    meeting_id=meeting_id,
                    bot_image=bot_image,
                    token_url=token_url,
                    default_template=default_template,
                ),
            },
            "ownerReferences": [bot.owner_reference(controller=True).to_dict()],
        },
        "spec": spec,
    }


def _merged(default_template: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return merge_template(default_template, template)
    except MergeError as error:
        raise TemplateError(str(error)) from None


def _bot_container(spec: dict[str, Any], bot_image: str) -> dict[str, Any]:
    containers = _objects(spec, "containers", at="template.spec")
    container = next((item for item in containers if item.get("name") == names.BOT_CONTAINER), None)
    if container is None:
        raise TemplateError(
            "template.spec.containers must have a container named bot, which gets the tokens: add it, or rename yours"
        )
    if spec.get("restartPolicy") not in (None, "Never"):
        raise TemplateError(
            "template.spec.restartPolicy must be Never, or left out: a token serves once, a new try needs a new Pod"
        )
    own = {str(item.get("name")) for item in _env(container)} & bot_environment.RESERVED
    if own:
        raise TemplateError(f"{_BOT_PATH}.env must not set {', '.join(sorted(own))}: remove it, the operator sets it")
    if not container.get("image"):
        if not bot_image:
            raise TemplateError(
                f"{_BOT_PATH}.image is missing, and the operator has no default for it: name an image, or set "
                "MEETINGBOTS_BOT_IMAGE for the operator (chart: bot.image)"
            )
        container["image"] = bot_image
    return container


def _names_image(template: Mapping[str, Any] | None) -> bool:
    """Whether a template, which need not be a valid one, names an image for the container `bot`."""
    spec = (template or {}).get("spec")
    containers = spec.get("containers") if isinstance(spec, Mapping) else None
    return isinstance(containers, list) and any(
        isinstance(item, Mapping) and item.get("name") == names.BOT_CONTAINER and bool(item.get("image"))
        for item in containers
    )


def _env(container: dict[str, Any]) -> list[dict[str, Any]]:
    return _objects(container, "env", at=_BOT_PATH)


def _rejoin_access(spec: dict[str, Any], container: dict[str, Any], token_url: str) -> None:
    if not token_url:
        raise TemplateError(
            "spec.tokenEndpoint is true, and the operator has no token endpoint: leave it false, or switch one on with "
            "MEETINGBOTS_TOKEN_PORT and MEETINGBOTS_TOKEN_URL (chart: tokenEndpoint.enabled)"
        )
    volumes = _objects(spec, "volumes", at="template.spec")
    if any(volume.get("name") == rejoin_access.VOLUME for volume in volumes):
        raise TemplateError(
            f"template.spec.volumes must not have a volume named {rejoin_access.VOLUME}, which is the operator's: give "
            "yours another name"
        )
    mounts = _objects(container, "volumeMounts", at=_BOT_PATH)
    spec["volumes"] = [*volumes, rejoin_access.volume()]
    container["volumeMounts"] = [*mounts, rejoin_access.volume_mount()]
    container["env"] += rejoin_access.environment(token_url=token_url)


def _pod_defaults(spec: dict[str, Any]) -> None:
    spec.setdefault("automountServiceAccountToken", False)
    spec.setdefault("terminationGracePeriodSeconds", _GRACE_SECONDS)
    tolerations = _objects(spec, "tolerations", at="template.spec")
    tolerated = {str(item.get("key") or _ANY) for item in tolerations if item.get("effect") in (None, "", "NoExecute")}
    # Of several that fit, the shortest toleration counts: one that tolerates everything must not be cut short.
    spec["tolerations"] = tolerations + [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _TOLERATION_SECONDS}
        for key in _NODE_TROUBLES
        if not {key, _ANY} & tolerated
    ]


def _security_defaults(spec: dict[str, Any]) -> None:
    of_pod = spec["securityContext"] = _mapping(spec, "securityContext", at="template.spec")
    rooted_by_template = "runAsNonRoot" in of_pod
    of_pod.setdefault("runAsNonRoot", of_pod.get("runAsUser") != 0)
    of_pod.setdefault("runAsUser", 1000)
    of_pod.setdefault("seccompProfile", {"type": "RuntimeDefault"})
    containers = [("containers", item) for item in spec["containers"]]
    containers += [("initContainers", item) for item in _objects(spec, "initContainers", at="template.spec")]
    for kind, container in containers:
        where = f"template.spec.{kind}[{container.get('name')}]"
        security = container["securityContext"] = _mapping(container, "securityContext", at=where)
        if security.get("runAsUser") == 0 and not rooted_by_template:
            security.setdefault("runAsNonRoot", False)
        if security.get("privileged"):
            continue
        security.setdefault("allowPrivilegeEscalation", False)
        capabilities = security["capabilities"] = _mapping(security, "capabilities", at=f"{where}.securityContext")
        capabilities.setdefault("drop", ["ALL"])


def _active_deadline(spec: dict[str, Any], backstop: int) -> int:
    given = spec.get("activeDeadlineSeconds")
    if given is None:
        return backstop
    if isinstance(given, bool) or not isinstance(given, int):
        raise TemplateError("template.spec.activeDeadlineSeconds must be a whole number of seconds")
    return min(backstop, given)


def _backstop(bot: MeetingBot, now: datetime) -> int:
    # Counted by the kubelet from the Pod's start, which may be well before joinAt; and a staged bot may be moved later,
    # by up to leadSeconds from then on.
    until_join = max(bot.spec.lead_seconds, int((bot.join_at - now).total_seconds()))
    spec = bot.spec
    seconds = until_join + spec.start_deadline_seconds + spec.max_duration_seconds + _waiting(bot) + _BACKSTOP_SECONDS
    return min(seconds, _LONGEST_SECONDS)


def _waiting(bot: MeetingBot) -> int:
    """How long the Pod may wait at its gate for the person on whose behalf the bot comes."""
    if TokenKind.ON_BEHALF in bot.requested_tokens or bot.tokens_defaulted:
        return bot.spec.on_behalf.wait_seconds
    return 0


def _mapping(parent: dict[str, Any], key: str, *, at: str) -> dict[str, Any]:
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TemplateError(f"{at}.{key} must be an object")
    return value


def _objects(parent: dict[str, Any], key: str, *, at: str) -> list[dict[str, Any]]:
    value = parent.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TemplateError(f"{at}.{key} must be a list of objects")
    return value
