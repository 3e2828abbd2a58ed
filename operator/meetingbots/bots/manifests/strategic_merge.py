"""Strategic merge, as Kubernetes does it for Pod templates: objects are merged, lists by their merge keys.

The rules are those of the Kubernetes API (PodSpec and Container, ``patchMergeKey`` and ``patchStrategy``): containers,
their variables, volumes and so on are found by their names and merged; all other lists are replaced as a whole. `null`
takes away, and so do ``$patch: delete`` and ``$patch: replace``.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

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


class MergeError(ValueError):
    """The templates cannot be merged; the text names the place."""


def merge_template(base: Mapping[str, Any], patch: Mapping[str, Any]) -> Object:
    """The Pod template `patch` over the template `base`; neither is changed. Raises `MergeError`."""
    return _objects(dict(base), dict(patch), at="template", parent="template")


def _objects(base: Object, patch: Object, *, at: str, parent: str) -> Object:
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return _clean({key: value for key, value in patch.items() if key != _DIRECTIVE}, at=at, parent=parent)
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise MergeError(f"{at}.$patch must be replace, merge or delete")
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
            raise MergeError(f"{at} must be a list of objects")
        if item.get(merge_key) is None:
            raise MergeError(f"{where} has no {merge_key}, by which it is found and merged: add it")
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
    # A port is another one for another protocol (Container, listMapKeys of ports).
    return merge_key != "containerPort" or known.get("protocol", "TCP") == item.get("protocol", "TCP")


def _element(base: Object, item: Object, *, at: str, name: str) -> Object:
    parent = "containers" if name in _CONTAINERS else name
    if name == "volumes" and len(item) > 1:
        # A volume has one source: another one takes the place of the first (patchStrategy retainKeys).
        base = {key: value for key, value in base.items() if key in item}
    if name == "env" and {"value", "valueFrom"} & item.keys():
        base = {key: value for key, value in base.items() if key not in ("value", "valueFrom")}
    return _objects(base, item, at=at, parent=parent)


def _clean(value: Object, *, at: str, parent: str) -> Object:
    return _objects({}, value, at=at, parent=parent)
