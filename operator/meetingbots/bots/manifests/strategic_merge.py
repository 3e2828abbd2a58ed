"""Strategic merge of Pod templates with the rules of the Kubernetes API.

Objects are merged key by key. Lists with a ``patchMergeKey`` (PodSpec and Container: containers, env, volumes, …) are
merged by this key; any other list is replaced. `null` and ``$patch: delete`` remove, ``$patch: replace`` replaces.
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
    """The Pod template `patch` merged over `base`; neither is changed. Raises `TemplateError`."""
    return _objects(dict(base), dict(patch), at="template", parent="template")


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
        if value is None:
            merged.pop(key, None)
        else:
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
    merged = copy.deepcopy(base)
    for number, item in enumerate(patch):
        where = f"{at}[{number}]"
        if not isinstance(item, dict):
            raise TemplateError(f"{at} must be a list of objects")
        if item.get(merge_key) is None:
            raise TemplateError(f"{where} has no {merge_key}, which identifies it: add it")
        places = [index for index, known in enumerate(merged) if _same(known, item, merge_key)]
        if item.get(_DIRECTIVE) == "delete":
            merged = [known for index, known in enumerate(merged) if index not in places]
        elif places:
            merged[places[0]] = _element(merged[places[0]], item, at=where, name=name)
        else:
            merged.append(_element({}, item, at=where, name=name))
    return merged


def _same(known: Any, item: Object, merge_key: str) -> bool:
    if not isinstance(known, dict) or known.get(merge_key) != item[merge_key]:
        return False
    # Ports are identified by number and protocol (Container, listMapKeys of ports).
    return merge_key != "containerPort" or known.get("protocol", "TCP") == item.get("protocol", "TCP")


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
