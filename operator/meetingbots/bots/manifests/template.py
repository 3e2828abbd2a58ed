"""A Pod template: checked, merged over the default template, and completed with our defaults.

A template may have any shape. Merging is a strategic merge with the rules of the Kubernetes API: objects are merged key
by key; lists with a ``patchMergeKey`` (PodSpec and Container: containers, env, volumes, …) by this key; any other list
is replaced. ``$patch: delete`` removes, ``$patch: replace`` replaces. A `null` of the patch replaces a value too, and
stays until `without_nulls`: the operator sets no default in its place.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

MAX_DEPTH: Final = 32
"""A PodTemplateSpec of Kubernetes nests about 12 levels deep."""
_MAX_NUMBER: Final = 2**63
_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")
_NAMED_LEVELS: Final = 4
"""How many levels of a field's path an error names."""


Object: TypeAlias = dict[str, Any]

_MERGE_KEYS: Final[Mapping[tuple[str, str], str]] = {
    ("spec", "containers"): "name",
    ("spec", "initContainers"): "name",
    ("spec", "ephemeralContainers"): "name",
    ("spec", "volumes"): "name",
    ("spec", "imagePullSecrets"): "name",
    ("spec", "hostAliases"): "ip",
    ("spec", "topologySpreadConstraints"): "topologyKey",
    ("spec", "schedulingGates"): "name",
    ("spec", "resourceClaims"): "name",
    ("containers", "env"): "name",
    ("containers", "ports"): "containerPort",
    ("containers", "volumeMounts"): "mountPath",
    ("containers", "volumeDevices"): "devicePath",
}
_CONTAINERS: Final = frozenset({"containers", "initContainers", "ephemeralContainers"})
_DIRECTIVE: Final = "$patch"

_GRACE_SECONDS: Final = 60
_TOLERATION_SECONDS: Final = 900
_UNHEALTHY_NODE_TAINTS: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_ANY_TAINT: Final = "*"

ANNOTATIONS: Final = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}
"""Keep autoscalers from evicting a bot that is in a meeting."""


class TemplateError(ValueError):
    """The template cannot become a bot's Pod. The text starts with the field's path and says what to change."""


def check_content(template: Mapping[str, Any]) -> None:
    """Check a template before anything recurses into it. Raises `TemplateError`.

    Kubernetes stores objects that nest thousands of levels deep, and strings that no container can get.
    """
    pending: list[tuple[Any, int, str]] = [(template, 0, "template")]
    while pending:
        value, depth, at = pending.pop()
        if depth > MAX_DEPTH:
            raise TemplateError(f"{at} nests more than {MAX_DEPTH} levels deep: flatten the template")
        if isinstance(value, Mapping):
            for key, item in value.items():
                _check_text(str(key), at=f"a key in {at}")
                pending.append((item, depth + 1, f"{at}.{key}" if depth < _NAMED_LEVELS else at))
        elif isinstance(value, list):
            pending += ((item, depth + 1, at) for item in value)
        elif isinstance(value, str):
            _check_text(value, at=at)
        elif isinstance(value, int | float) and not abs(value) < _MAX_NUMBER:
            raise TemplateError(f"{at} is a number that Kubernetes cannot store: use a smaller one")


def is_text(value: str) -> bool:
    """Whether a container can get this text in its environment: it has no NUL and no lone surrogate."""
    return _NO_TEXT.search(value) is None


def mapping(parent: dict[str, Any], key: str, *, at: str) -> dict[str, Any]:
    """The object under `key`; empty if it is absent or null. Raises `TemplateError`."""
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TemplateError(f"{at}.{key} must be an object")
    return value


def objects(parent: dict[str, Any], key: str, *, at: str) -> list[dict[str, Any]]:
    """The list of objects under `key`; empty if it is absent or null. Raises `TemplateError`."""
    value = parent.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TemplateError(f"{at}.{key} must be a list of objects")
    return value


def is_null(parent: Mapping[str, Any], key: str) -> bool:
    """Whether `key` is explicitly null, which removes a default."""
    return key in parent and parent[key] is None


def _check_text(value: str, *, at: str) -> None:
    if not is_text(value):
        raise TemplateError(f"{at} holds a NUL or half of a surrogate pair, which no container can get: remove it")


def merge_template(base: Mapping[str, Any], patch: Mapping[str, Any]) -> Object:
    """The Pod template `patch` merged over `base`; neither is changed. Raises `TemplateError`.

    Both must have passed `check_content`, which bounds the recursion.
    """
    return _objects(dict(base), dict(patch), at="template", parent="template")


def without_nulls(value: Any) -> Any:
    """A copy of a merged template's part without the keys that are null."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def _objects(base: Object, patch: Object, *, at: str, parent: str) -> Object:
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return _clean({key: value for key, value in patch.items() if key != _DIRECTIVE}, at=at, parent=parent)
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise TemplateError(f"{at}.$patch must be replace, merge or delete")
    merged = copy.deepcopy(base)
    for key, value in patch.items():
        if key == _DIRECTIVE or key.startswith(("$setElementOrder/", "$retainKeys", "$deleteFromPrimitiveList/")):
            continue
        merged[key] = _value(merged.get(key), value, at=f"{at}.{key}", place=(parent, key))
    return merged


def _value(base: Any, patch: Any, *, at: str, place: tuple[str, str]) -> Any:
    if isinstance(patch, dict):
        return _objects(base if isinstance(base, dict) else {}, patch, at=at, parent=place[1])
    merge_key = _MERGE_KEYS.get(place)
    if isinstance(patch, list) and merge_key is not None:
        return _lists(base if isinstance(base, list) else [], patch, at=at, name=place[1], merge_key=merge_key)
    return copy.deepcopy(patch)


def _lists(base: list[Any], patch: list[Any], *, at: str, name: str, merge_key: str) -> list[Any]:
    if any(isinstance(item, dict) and item.get(_DIRECTIVE) == "replace" and len(item) == 1 for item in patch):
        base, patch = [], [item for item in patch if not (isinstance(item, dict) and _DIRECTIVE in item)]
    merged = {_identity(item, merge_key) or ("odd", index): item for index, item in enumerate(copy.deepcopy(base))}
    for number, item in enumerate(patch):
        where = f"{at}[{number}]"
        if not isinstance(item, dict):
            raise TemplateError(f"{at} must be a list of objects")
        identity = _identity(item, merge_key)
        if identity is None:
            raise TemplateError(f"{where} has no {merge_key}, which identifies it: add it")
        if item.get(_DIRECTIVE) == "delete":
            merged.pop(identity, None)
        else:
            known = merged.get(identity)
            merged[identity] = _element(known if isinstance(known, dict) else {}, item, at=where, name=name)
    return list(merged.values())


def _identity(item: Any, merge_key: str) -> tuple[str, str] | None:
    """What identifies a list's element; None without a merge key."""
    value = item.get(merge_key) if isinstance(item, dict) else None
    if not isinstance(value, str | int):
        return None
    # Ports are identified by number and protocol (Container, listMapKeys of ports).
    protocol = item.get("protocol", "TCP") if merge_key == "containerPort" else ""
    return str(value), str(protocol)


def _element(base: Object, item: Object, *, at: str, name: str) -> Object:
    parent = "containers" if name in _CONTAINERS else name
    if name == "volumes" and len(item) > 1:
        # A volume has one source, which a patch replaces (patchStrategy retainKeys).
        base = {key: value for key, value in base.items() if key in item}
    if name == "env" and {"value", "valueFrom"} & item.keys():
        base = {key: value for key, value in base.items() if key not in ("value", "valueFrom")}
    return _objects(base, item, at=at, parent=parent)


def _clean(value: Object, *, at: str, parent: str) -> Object:
    return _objects({}, value, at=at, parent=parent)


def set_bot_container_defaults(container: dict[str, Any]) -> None:
    """Complete the container `bot`."""
    container.setdefault("imagePullPolicy", "IfNotPresent")
    container.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")


def set_pod_defaults(spec: dict[str, Any]) -> None:
    """Complete a Pod's spec. Raises `TemplateError`."""
    spec.setdefault("automountServiceAccountToken", False)
    spec.setdefault("terminationGracePeriodSeconds", _GRACE_SECONDS)
    _set_tolerations(spec)
    on_windows = mapping(spec, "os", at="template.spec").get("name") == "windows"
    _set_security(spec, on_windows=on_windows)


def _set_tolerations(spec: dict[str, Any]) -> None:
    if is_null(spec, "tolerations"):
        return
    given = objects(spec, "tolerations", at="template.spec")
    tolerated = {str(item.get("key") or _ANY_TAINT) for item in given if item.get("effect") in (None, "", "NoExecute")}
    # Of several matching tolerations the shortest counts, so a template's unlimited one must stay alone.
    spec["tolerations"] = given + [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _TOLERATION_SECONDS}
        for key in _UNHEALTHY_NODE_TAINTS
        if not {key, _ANY_TAINT} & tolerated
    ]


def _set_security(spec: dict[str, Any], *, on_windows: bool) -> None:
    """Set the security contexts. Kubernetes rejects Linux-only fields in a Pod for Windows (API, PodSpec.os)."""
    of_pod = mapping(spec, "securityContext", at="template.spec")
    template_decides_on_root = "runAsNonRoot" in of_pod
    defaults: dict[str, Any] = {"runAsNonRoot": of_pod.get("runAsUser") != 0}
    if not on_windows:
        defaults |= {"runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    if is_null(spec, "securityContext"):
        defaults = {}
    containers = _containers(spec)
    for key, value in defaults.items():
        _set_for_pod_or_containers(of_pod, [security for _, _, security in containers], key, value)
    spec["securityContext"] = of_pod
    for container, at, security in containers:
        if is_null(container, "securityContext"):
            continue
        if security.get("runAsUser") == 0 and not template_decides_on_root:
            security.setdefault("runAsNonRoot", False)
        if not on_windows and not security.get("privileged"):
            # Kubernetes rejects a privileged container with allowPrivilegeEscalation false.
            security.setdefault("allowPrivilegeEscalation", False)
            if not is_null(security, "capabilities"):
                capabilities = security["capabilities"] = mapping(security, "capabilities", at=f"{at}.securityContext")
                capabilities.setdefault("drop", ["ALL"])
        container["securityContext"] = security


def _containers(spec: dict[str, Any]) -> list[tuple[dict[str, Any], str, dict[str, Any]]]:
    """All containers, each with its path and its security context."""
    found = []
    for kind in ("containers", "initContainers"):
        for container in objects(spec, kind, at="template.spec"):
            at = f"template.spec.{kind}[{container.get('name')}]"
            found.append((container, at, mapping(container, "securityContext", at=at)))
    return found


def _set_for_pod_or_containers(
    of_pod: dict[str, Any], of_containers: list[dict[str, Any]], key: str, value: Any
) -> None:
    """Set a default for the whole Pod. Where a container's null refuses it, set it for the other containers only."""
    if key in of_pod:
        return
    if any(is_null(security, key) for security in of_containers):
        for security in of_containers:
            security.setdefault(key, value)
    else:
        of_pod[key] = value
