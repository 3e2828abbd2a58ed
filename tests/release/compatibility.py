"""Compares two CRDs: what of the newer one refuses, drops or reinterprets objects of the older one."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

# Bounds that must not become tighter: those that may only grow, and those that may only shrink.
UPPER = ("maxLength", "maxItems", "maxProperties", "maximum")
LOWER = ("minLength", "minItems", "minProperties", "minimum")
# What refuses values (a format), or merges lists and maps in another way.
SAME = (
    "format",
    "multipleOf",
    "uniqueItems",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
)


def breaks_of_crd(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """List the breaks, each with the path of the field; an empty list if there are none."""
    found = []
    if old["spec"]["names"] | {"shortNames": []} != new["spec"]["names"] | {"shortNames": []}:
        found.append("names changed")
    if old["spec"]["scope"] != new["spec"]["scope"]:
        found.append("scope changed")
    versions = {version["name"]: version for version in new["spec"]["versions"] if version["served"]}
    for version in old["spec"]["versions"]:
        name = version["name"]
        if name not in versions:
            found.append(f"{name} is not served")
            continue
        found += [f"{name}: {lost}" for lost in sorted(_doors(version) - _doors(versions[name]))]
        before, after = (one["schema"]["openAPIV3Schema"] for one in (version, versions[name]))
        found += breaks(before, after, path=f"{name}:")
    return found


def breaks(old: Schema, new: Schema, *, path: str) -> Iterator[str]:
    """Yield the breaks of a schema and of all schemas inside of it."""
    yield from _meaning(old, new, path=path)
    yield from _values(old, new, path=path)
    yield from _enum(old, new, path=path)
    if added := set(new.get("required", ())) - set(old.get("required", ())):
        yield f"{path} fields {sorted(added)} are required"
    if added := _rules(new) - _rules(old):
        yield from (f"{path} rule {rule}" for rule in sorted(added))
    for name, schema in old.get("properties", {}).items():
        if name in new.get("properties", {}):
            yield from breaks(schema, new["properties"][name], path=f"{path}.{name}")
        elif not _is_open(new):
            yield f"{path}.{name} is dropped"
    for part in ("items", "additionalProperties"):
        if isinstance(old.get(part), dict) and isinstance(new.get(part), dict):
            yield from breaks(old[part], new[part], path=f"{path}[]")


def _doors(version: Mapping[str, Any]) -> set[str]:
    """What callers use beside the objects: subresources, and fields for `--field-selector`."""
    selectable = {f"field selector {field['jsonPath']}" for field in version.get("selectableFields", ())}
    return selectable | {f"subresource {name}" for name in version.get("subresources", ())}


def _meaning(old: Schema, new: Schema, *, path: str) -> Iterator[str]:
    for name in SAME:
        if old.get(name) != new.get(name):
            yield f"{path} {name} {old.get(name)} became {new.get(name)}"
    if _is_open(old) and not _is_open(new):
        yield f"{path} unknown fields are dropped"
    if old.get("type") != new.get("type"):
        yield f"{path} type {old.get('type')} became {new.get('type')}"
    if old.get("nullable") and not new.get("nullable"):
        yield f"{path} null is refused"
    if old.get("default") != new.get("default"):
        yield f"{path} default {old.get('default')!r} became {new.get('default')!r}"


def _is_open(schema: Schema) -> bool:
    return bool(schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema)


def _values(old: Schema, new: Schema, *, path: str) -> Iterator[str]:
    for name in UPPER:
        if name in new and new[name] < old.get(name, float("inf")):
            yield f"{path} {name} {old.get(name)} became {new[name]}"
    for name in LOWER:
        if name in new and new[name] > old.get(name, float("-inf")):
            yield f"{path} {name} {old.get(name)} became {new[name]}"
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield f"{path} pattern {old.get('pattern')} became {new['pattern']}"


def _enum(old: Schema, new: Schema, *, path: str) -> Iterator[str]:
    if "enum" in new and "enum" not in old:
        yield f"{path} only {sorted(new['enum'])} are accepted"
    if "enum" in new and (lost := set(old.get("enum", ())) - set(new["enum"])):
        yield f"{path} values {sorted(lost)} are refused"


def _rules(schema: Schema) -> set[str]:
    return {rule["rule"] for rule in schema.get("x-kubernetes-validations", ())}
