"""Builds a bot's Pod: the default template, the MeetingBot's template over it, our defaults, and the environment.

Pure: the same inputs give the same Pod.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from meetingbots.bots.decide.facts import IMAGE_MISSING, MeetingRef
from meetingbots.bots.decide.pod_state import join_secret_name
from meetingbots.bots.manifests import environment
from meetingbots.bots.manifests.template import (
    ANNOTATIONS,
    TemplateError,
    check_content,
    is_null,
    mapping,
    merge_template,
    objects,
    set_bot_container_defaults,
    set_pod_defaults,
    without_nulls,
)
from meetingbots.models import names
from meetingbots.models.bot import MeetingBot, TokenKind

SPEC_HASH_ANNOTATION: Final = f"{names.GROUP}/spec-hash"
_BACKSTOP_SECONDS: Final = 600
_LONGEST_SECONDS: Final = 2**31 - 1  # limit of activeDeadlineSeconds (Kubernetes API, PodSpec)
_BOT_PATH: Final = f"template.spec.containers[{names.BOT_CONTAINER}]"
_HASH_SEPARATOR: Final = "."
_HASH_PARTS: Final = 3
_OWN_LABELS: Final = frozenset({names.BOT_LABEL, names.MEETING_ID_LABEL})


@dataclass(frozen=True, kw_only=True)
class PodSettings:
    """The operator's settings for all bots' Pods; each may be empty.

    `bot_image` is the default image of container `bot`, `token_url` the base URL of the token endpoint as Pods see it,
    `template` the default template. `operator` names this release among those that serve the same namespace.
    """

    bot_image: str = ""
    token_url: str = ""
    template: Mapping[str, Any] = field(default_factory=dict)
    operator: str = ""


def spec_hash(bot: MeetingBot, *, meeting: MeetingRef, settings: PodSettings) -> str:
    """Fingerprints of everything that shapes the Pod: of the spec, of the operator's settings, and of its name.

    Settings that this Pod does not use are left out, so that an upgrade that changes them replaces nothing. Raises
    `TemplateError`.
    """
    spec = bot.spec
    check_content(spec.template or {})
    own: list[Any] = [
        spec.template,
        meeting.meeting_id,
        meeting.host,
        spec.display_name,
        spec.token_delivery,
        spec.token_endpoint,
    ]
    own += [spec.start_deadline_seconds, spec.max_duration_seconds, _on_behalf_wait(bot)]
    names_image = any(_names_image(template) for template in (spec.template, settings.template))
    shared: list[Any] = ["" if names_image else settings.bot_image, settings.token_url if spec.token_endpoint else ""]
    shared.append(dict(settings.template))
    return _HASH_SEPARATOR.join(_fingerprint(part)[:16] for part in (own, shared, settings.operator))


def accepted_hash(wanted: str, found: str) -> str:
    """`found` where a Pod with it may stay, although `wanted` is another fingerprint; else `wanted`.

    A mutating webhook may have removed the annotation. Another release with other settings may have created the Pod for
    the same spec; if both replaced each other's Pods, the bot would never join.
    """
    if not found or is_foreign_hash(wanted, found):
        return found
    return wanted


def is_foreign_hash(wanted: str, found: str) -> bool:
    """Whether another release created a Pod with the fingerprint `found` for the same spec."""
    ours, theirs = wanted.split(_HASH_SEPARATOR), found.split(_HASH_SEPARATOR)
    return len(ours) == len(theirs) == _HASH_PARTS and ours[0] == theirs[0] and ours[2] != theirs[2]


def pod_shape(pod: Mapping[str, Any]) -> str:
    """A fingerprint of a Pod without its names, meeting and times.

    Kubernetes accepts all Pods of one shape or none, so one dry run serves a thousand bots of one template.
    """
    labels, annotations, spec = pod["metadata"]["labels"], pod["metadata"]["annotations"], pod["spec"]
    return _fingerprint(
        {
            "labels": {key: value for key, value in labels.items() if key not in _OWN_LABELS},
            "annotations": {key: value for key, value in annotations.items() if key != SPEC_HASH_ANNOTATION},
            **{key: value for key, value in spec.items() if key not in ("containers", "activeDeadlineSeconds")},
            "containers": [
                {**container, "env": environment.without_reserved(container.get("env") or ())}
                for container in spec["containers"]
            ],
        }
    )


def bot_pod(bot: MeetingBot, *, name: str, meeting: MeetingRef, settings: PodSettings, now: datetime) -> dict[str, Any]:
    """The Pod `name` for `bot`. Raises `TemplateError`."""
    fingerprint = spec_hash(bot, meeting=meeting, settings=settings)
    template = merge_template(settings.template, bot.spec.template or {})
    metadata = mapping(template, "metadata", at="template")
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": bot.namespace,
            "labels": {
                **mapping(metadata, "labels", at="template.metadata"),
                names.MANAGED_BY_LABEL: names.MANAGED_BY,
                names.BOT_LABEL: bot.name,
                names.MEETING_ID_LABEL: meeting.meeting_id,
            },
            "annotations": {
                **({} if is_null(metadata, "annotations") else ANNOTATIONS),
                **mapping(metadata, "annotations", at="template.metadata"),
                SPEC_HASH_ANNOTATION: fingerprint,
            },
            "ownerReferences": [bot.owner_reference(controller=True).to_dict()],
        },
        "spec": _pod_spec(template, bot, name=name, meeting=meeting, settings=settings)
        | {"activeDeadlineSeconds": _active_deadline(template, bot, now=now), "restartPolicy": "Never"},
    }
    return {**pod, "metadata": without_nulls(pod["metadata"]), "spec": without_nulls(pod["spec"])}


def with_default_template_only(bot: MeetingBot) -> MeetingBot:
    """The bot with nothing of its own in its Pod, to tell whether the operator's default template is at fault."""
    own = {"spec": {"containers": [{"name": names.BOT_CONTAINER, "image": "sample"}]}}
    return bot.model_copy(update={"spec": bot.spec.model_copy(update={"template": own, "token_endpoint": False})})


def default_is_invalid(bot: MeetingBot, meeting: MeetingRef, settings: PodSettings, now: datetime) -> bool:
    """Whether no Pod can be built from the default template alone."""
    try:
        bot_pod(with_default_template_only(bot), name=bot.name, meeting=meeting, settings=settings, now=now)
    except TemplateError:
        return True
    return False


def _pod_spec(
    template: dict[str, Any], bot: MeetingBot, *, name: str, meeting: MeetingRef, settings: PodSettings
) -> dict[str, Any]:
    spec = mapping(template, "spec", at="template")
    if spec.get("containers") is None:
        spec["containers"] = [{"name": names.BOT_CONTAINER}]
    if spec.get("restartPolicy") not in (None, "Never"):
        raise TemplateError(
            "template.spec.restartPolicy must be Never, or left out: a token serves once, a new try needs a new Pod"
        )
    container = _bot_container(spec, settings.bot_image)
    container["env"] = [
        *objects(container, "env", at=_BOT_PATH),
        *environment.variables(bot, meeting, secret_name=join_secret_name(name)),
    ]
    if bot.spec.token_endpoint:
        token_url = environment.endpoint_url(settings.token_url, namespace=bot.namespace)
        _add_token_endpoint(spec, container, token_url)
    set_bot_container_defaults(container)
    set_pod_defaults(spec)
    return spec


def _bot_container(spec: dict[str, Any], bot_image: str) -> dict[str, Any]:
    containers = objects(spec, "containers", at="template.spec")
    container = next((item for item in containers if item.get("name") == names.BOT_CONTAINER), None)
    if container is None:
        raise TemplateError(
            "template.spec.containers must have a container named bot, which gets the tokens: add it, or rename yours"
        )
    given = {str(item.get("name")) for item in objects(container, "env", at=_BOT_PATH)}
    reserved = ", ".join(sorted(given & environment.RESERVED))
    if reserved:
        raise TemplateError(f"{_BOT_PATH}.env must not set {reserved}: remove it, the operator sets it")
    if not container.get("image"):
        if not bot_image:
            raise TemplateError(
                f"{_BOT_PATH}.image {IMAGE_MISSING}: name an image, or set "
                "MEETINGBOTS_BOT_IMAGE for the operator (chart: bot.image)"
            )
        container["image"] = bot_image
    return container


def _add_token_endpoint(spec: dict[str, Any], container: dict[str, Any], token_url: str) -> None:
    if not token_url:
        raise TemplateError(
            "spec.tokenEndpoint is true, and the operator has no token endpoint: leave it false, or switch one on with "
            "MEETINGBOTS_TOKEN_PORT and MEETINGBOTS_TOKEN_URL (chart: tokenEndpoint.enabled)"
        )
    volumes = objects(spec, "volumes", at="template.spec")
    if any(volume.get("name") == environment.ENDPOINT_VOLUME for volume in volumes):
        raise TemplateError(
            f"template.spec.volumes must not have a volume named {environment.ENDPOINT_VOLUME}, which the operator "
            "adds: rename yours"
        )
    mounts = objects(container, "volumeMounts", at=_BOT_PATH)
    spec["volumes"] = [*volumes, environment.endpoint_volume()]
    container["volumeMounts"] = [*mounts, environment.endpoint_volume_mount()]
    container["env"] += environment.endpoint_variables(token_url=token_url)


def _active_deadline(template: dict[str, Any], bot: MeetingBot, *, now: datetime) -> int:
    """A backstop for a Pod that nobody ends. The kubelet counts from the Pod's start, which may be before joinAt.

    A staged bot may be moved later, by up to leadSeconds.
    """
    spec = bot.spec
    until_join = max(spec.lead_seconds, int((bot.join_at - now).total_seconds()))
    allowed = until_join + spec.start_deadline_seconds + spec.max_duration_seconds + _on_behalf_wait(bot)
    backstop = min(allowed + _BACKSTOP_SECONDS, _LONGEST_SECONDS)
    given = mapping(template, "spec", at="template").get("activeDeadlineSeconds")
    if given is None:
        return backstop
    if isinstance(given, bool) or not isinstance(given, int):
        raise TemplateError("template.spec.activeDeadlineSeconds must be a whole number of seconds")
    return min(backstop, given)


def _on_behalf_wait(bot: MeetingBot) -> int:
    """How many seconds the Pod may wait at its gate for the user on whose behalf the bot joins."""
    if TokenKind.ON_BEHALF in bot.requested_tokens or bot.tokens_defaulted:
        return bot.spec.on_behalf.wait_seconds
    return 0


def _names_image(template: Mapping[str, Any] | None) -> bool:
    """Whether a template, which may be invalid, names an image for container `bot`."""
    spec = (template or {}).get("spec")
    containers = spec.get("containers") if isinstance(spec, Mapping) else None
    return isinstance(containers, list) and any(
        isinstance(item, Mapping) and item.get("name") == names.BOT_CONTAINER and bool(item.get("image"))
        for item in containers
    )


def _fingerprint(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
