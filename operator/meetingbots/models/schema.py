"""From pydantic's JSON schema to the structural OpenAPI v3 schema of a CRD.

References are resolved, `null` alternatives and titles removed. List types and CEL rules come from the models' fields.
"""

from collections.abc import Mapping
from typing import Any, Final

from meetingbots.models.metadata import CustomResource
from meetingbots.models.names import GROUP, VERSION

_KEY_ORDER: Final = (
    "description",
    "type",
    "format",
    "enum",
    "default",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
    "required",
    "properties",
    "items",
    "additionalProperties",
)

_API_VERSION_FIELD: Final = {
    "description": f"The version of this object's schema: {GROUP}/{VERSION}.",
    "type": "string",
}
_KIND_FIELD: Final = {"description": "The kind of this object.", "type": "string"}
_METADATA_FIELD: Final = {"type": "object"}  # the API server has its own schema for it


def schema(model: type[CustomResource]) -> dict[str, Any]:
    """Return the structural schema of a kind."""
    raw = model.model_json_schema(by_alias=True)
    root = _structural(raw, definitions=raw.get("$defs", {}))
    properties = root["properties"]
    root["properties"] = {
        "apiVersion": _API_VERSION_FIELD,
        "kind": _KIND_FIELD,
        "metadata": _METADATA_FIELD,
        "spec": properties["spec"],
        "status": _without_defaults(properties["status"]),
    }
    return root


def _structural(node: Mapping[str, Any], *, definitions: Mapping[str, Any]) -> dict[str, Any]:
    merged = _resolved(node, definitions=definitions)
    if merged.get("default", ...) is None:
        del merged["default"]
    if "description" in merged:
        merged["description"] = " ".join(merged["description"].split())
    if merged.get("type") == "integer":
        merged["format"] = "int64"
    if "properties" in merged:
        merged.pop("additionalProperties", None)  # a structural schema has either of the two
        merged["properties"] = {
            name: _structural(child, definitions=definitions) for name, child in merged["properties"].items()
        }
    for key in ("items", "additionalProperties"):
        if isinstance(merged.get(key), Mapping):
            merged[key] = _structural(merged[key], definitions=definitions)
    return {key: _plain(merged[key]) for key in _KEY_ORDER if key in merged}


def _resolved(node: Mapping[str, Any], *, definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Resolve a reference or the one alternative that is not null; keywords beside it take precedence."""
    beside = {key: value for key, value in node.items() if key not in ("$ref", "anyOf", "allOf")}
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[-1]]
        return _resolved(target, definitions=definitions) | beside
    if "anyOf" in node:
        choices = [choice for choice in node["anyOf"] if choice.get("type") != "null"]
        if len(choices) != 1:
            raise ValueError("a structural schema allows one type for a field")
        return _resolved(choices[0], definitions=definitions) | beside
    return beside


def _without_defaults(node: Mapping[str, Any]) -> dict[str, Any]:
    """Remove defaults: in a status they would state what nobody has observed."""
    bare = {key: value for key, value in node.items() if key != "default"}
    if "properties" in bare:
        bare["properties"] = {name: _without_defaults(child) for name, child in bare["properties"].items()}
    if isinstance(bare.get("items"), Mapping):
        bare["items"] = _without_defaults(bare["items"])
    return bare


def with_default(node: Mapping[str, Any], *, default: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema with a default."""
    full = {**node, "default": dict(default)}
    return {key: full[key] for key in _KEY_ORDER if key in full}


def _plain(value: Any) -> Any:
    """Copy lists and objects, so that the YAML has no anchors."""
    if isinstance(value, Mapping):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(child) for child in value]
    return value
