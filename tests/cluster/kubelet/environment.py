"""Resolves a container's environment, command and arguments as the kubelet does; pure but for the look-ups passed in.

Source for the rules: Kubernetes documentation, "Define Environment Variables for a Container", and the messages that
the kubelet puts into `state.waiting.message`.
"""

import base64
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

Object = dict[str, Any]
# Looks up ("secret" | "configmap", name) in the Pod's namespace; None where there is none.
Fetch = Callable[[str, str], Awaitable[Object | None]]

_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_KINDS = {"secret": "Secret", "configmap": "ConfigMap"}


class ConfigError(Exception):
    """The environment cannot be made now: the message of waiting reason CreateContainerConfigError."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by the variable's value; unknown names stay as they are, and `$$` is an escaped `$`."""

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", replaced, text)


def command_line(container: Object, *, entrypoint: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """What to execute: `command` instead of the image's entry point, then `args`, both with variables expanded."""
    command = [expand(part, variables) for part in container.get("command") or []] or list(entrypoint)
    return command + [expand(part, variables) for part in container.get("args") or []]


async def resolve(container: Object, *, pod: Object, fetch: Fetch) -> dict[str, str]:
    """Environment of `container`; ConfigError for a missing Secret, ConfigMap or key that is not optional.

    Later entries win over earlier ones, `env` over `envFrom`; `$(NAME)` in a value sees the entries before it.
    """
    sources = _Sources(namespace=pod["metadata"]["namespace"], fetch=fetch)
    variables: dict[str, str] = {}
    for entry in container.get("envFrom") or []:
        variables |= await _from_whole_object(entry, sources)
    for entry in container.get("env") or []:
        value = await _value(entry, variables=variables, pod=pod, sources=sources)
        if value is not None:
            variables[entry["name"]] = value
    return variables


class _Sources:
    """Secrets and ConfigMaps of one resolution; each is read once."""

    def __init__(self, *, namespace: str, fetch: Fetch) -> None:
        self._namespace = namespace
        self._fetch = fetch
        self._seen: dict[tuple[str, str], Object | None] = {}

    async def data(self, kind: str, name: str, *, optional: bool) -> dict[str, str]:
        """Decoded data of the object; empty if it is optional and missing."""
        if (kind, name) not in self._seen:
            self._seen[kind, name] = await self._fetch(kind, name)
        found = self._seen[kind, name]
        if found is None:
            if optional:
                return {}
            raise ConfigError(f'{kind} "{name}" not found')
        data: dict[str, str] = found.get("data") or {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()} if kind == "secret" else data

    async def key(self, kind: str, reference: Object) -> str | None:
        """Value of one key; None if it is optional and missing."""
        name, key, optional = reference["name"], reference["key"], bool(reference.get("optional"))
        data = await self.data(kind, name, optional=optional)
        if key in data:
            return data[key]
        if optional:
            return None
        raise ConfigError(f"couldn't find key {key} in {_KINDS[kind]} {self._namespace}/{name}")


async def _from_whole_object(entry: Object, sources: _Sources) -> dict[str, str]:
    prefix = entry.get("prefix") or ""
    values: dict[str, str] = {}
    for kind, field in (("configmap", "configMapRef"), ("secret", "secretRef")):
        reference = entry.get(field)
        if reference:
            data = await sources.data(kind, reference["name"], optional=bool(reference.get("optional")))
            values |= {prefix + key: value for key, value in data.items() if _ENV_NAME.fullmatch(prefix + key)}
    return values


async def _value(entry: Object, *, variables: Mapping[str, str], pod: Object, sources: _Sources) -> str | None:
    source = entry.get("valueFrom") or {}
    if entry.get("value"):
        return expand(entry["value"], variables)
    if "secretKeyRef" in source:
        return await sources.key("secret", source["secretKeyRef"])
    if "configMapKeyRef" in source:
        return await sources.key("configmap", source["configMapKeyRef"])
    if "fieldRef" in source:
        return field_value(pod, source["fieldRef"]["fieldPath"])
    if source:
        raise ConfigError(f"the kubelet double does not know the source {', '.join(source)} of {entry['name']}")
    return ""


def field_value(pod: Object, path: str) -> str:
    """Value of a `fieldRef`, such as `metadata.name` or `metadata.labels['app']`."""
    keyed = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if keyed:
        return str((pod["metadata"].get(keyed[1]) or {}).get(keyed[2], ""))
    if path not in {
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.podIP",
        "status.hostIP",
    }:
        raise ConfigError(f"unsupported fieldPath: {path}")
    section, field = path.split(".")
    return str(pod.get(section, {}).get(field, ""))
