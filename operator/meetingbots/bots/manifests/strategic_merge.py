"""Strategic merge of Pod templates with the rules of the Kubernetes API.

Objects are merged key by key. Lists with a ``patchMergeKey`` (PodSpec and Container: containers, env, volumes, …) are
merged by this key; any other list is replaced. ``$patch: delete`` removes, ``$patch: replace`` replaces. A `null` of
the patch replaces a value too, and stays until `without_nulls`: the operator sets no default in its place.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from meetingbots.bots.manifests.template import TemplateError

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
