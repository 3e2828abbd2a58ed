"""An API server in memory, behind the interface of `meetingbots.kube.client.Kube`: resourceVersions, conflicts, faults.

It is strict where the real one is: a stale resourceVersion is a conflict, a missing object is not found, a uid in a
server-side apply must fit, `status` is only written through its sub-resource. Everything that was asked is in `calls`.
Faults are injected by `hook`, which is awaited before and after each call and may raise.
"""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidError,
    NotFoundError,
)
from meetingbots.kube.resources import BOTS, CREDENTIALS, PODS, Resource

Place: TypeAlias = tuple[str, str, str]
WITH_STATUS = frozenset({CREDENTIALS.plural, BOTS.plural, PODS.plural})


@dataclass(frozen=True)
class Call:
    """One call: `moment` is before (nothing was done yet) or after (it was done, the answer is on its way)."""

    moment: str
    verb: str
    plural: str
    namespace: str
    name: str
    number: int
    """Counts the calls from 1; before and after have the same number."""


Hook: TypeAlias = Callable[[Call], Awaitable[None]]


async def _no_faults(_: Call) -> None: ...


class FakeKube(Kube):
    """Objects in memory. `hook` may be replaced at any time."""

    def __init__(self, *, hook: Hook = _no_faults) -> None:
        self.hook = hook
        self.calls: list[Call] = []
        self._begun = 0
        self._objects: dict[Place, Object] = {}
        self._applied: dict[tuple[Place, str, str], Object] = {}
        self._version = 0
        self._uids = 0

    # What tests use to set up and to look.

    def put(self, resource: Resource, item: Object) -> Object:
        """Store an object as someone else would (uid and resourceVersion are filled in); answers what is stored."""
        item = copy.deepcopy(item)
        item.setdefault("apiVersion", resource.api_version)
        item.setdefault("kind", resource.kind)
        place = _place(resource, item["metadata"].get("namespace"), item["metadata"]["name"])
        known = self._objects.get(place)
        if known is not None:
            item["metadata"].setdefault("uid", known["metadata"]["uid"])
        return self._store(place, item)

    def peek(self, resource: Resource, *, namespace: str | None, name: str) -> Object | None:
        """The object as it is, without a call."""
        return copy.deepcopy(self._objects.get(_place(resource, namespace, name)))

    def remove(self, resource: Resource, *, namespace: str | None, name: str) -> None:
        """Delete an object as someone else would."""
        self._objects.pop(_place(resource, namespace, name), None)

    def count(self, verb: str, resource: Resource | None = None) -> int:
        """How many calls of a verb were carried out."""
        return sum(
            1
            for call in self.calls
            if call.moment == "after" and call.verb == verb and (resource is None or call.plural == resource.plural)
        )

    # The client's interface.

    async def get(self, resource: Resource, *, namespace: str | None, name: str) -> Object:
        number = await self._before("get", resource, namespace, name)
        item = copy.deepcopy(self._find(resource, namespace, name))
        await self._after("get", resource, namespace, name, number)
        return item

    async def pages(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        page_size: int = 500,
    ) -> AsyncIterator[Object]:
        number = await self._before("list", resource, namespace, "")
        items = [
            copy.deepcopy(item)
            for (plural, space, _), item in sorted(self._objects.items())
            if plural == resource.plural
            and namespace in (None, space)
            and _selected(item, label_selector)
            and all(_field(item, part) for part in filter(None, (field_selector or "").split(",")))
        ]
        await self._after("list", resource, namespace, "", number)
        for start in range(0, max(len(items), 1), page_size):
            yield {"metadata": {"resourceVersion": str(self._version)}, "items": items[start : start + page_size]}

    async def create(
        self, resource: Resource, *, namespace: str | None, body: Object, dry_run: bool = False, strict: bool = False
    ) -> Object:
        name = body["metadata"]["name"]
        number = await self._before("create", resource, namespace, name)
        place = _place(resource, namespace, name)
        if place in self._objects:
            raise AlreadyExistsError("exists", status=409, reason="AlreadyExists")
        item = copy.deepcopy(body)
        item["metadata"]["namespace"] = namespace
        item["metadata"].pop("uid", None)
        if resource.plural in WITH_STATUS:
            item.pop("status", None)
        stored = item if dry_run else self._store(place, item)
        await self._after("create", resource, namespace, name, number)
        return copy.deepcopy(stored)

    async def patch(
        self,
        resource: Resource,
        *,
        namespace: str | None,
        name: str,
        patch: Object,
        resource_version: str | None = None,
        subresource: str | None = None,
    ) -> Object:
        number = await self._before("patch", resource, namespace, name)
        known = self._find(resource, namespace, name)
        uid = patch.get("metadata", {}).get("uid")
        if uid is not None and uid != known["metadata"]["uid"]:
            raise ConflictError("uid mismatch", status=409, reason="Conflict")
        version = resource_version or patch.get("metadata", {}).get("resourceVersion")
        if version is not None and version != known["metadata"]["resourceVersion"]:
            raise ConflictError("the object has been modified", status=409, reason="Conflict")
        if known.get("immutable") and "data" in patch:
            raise InvalidError("data: Forbidden: field is immutable", status=422, reason="Invalid")
        merged = _merge(known, _reachable(resource, patch, subresource))
        stored = self._store(_place(resource, namespace, name), merged)
        await self._after("patch", resource, namespace, name, number)
        return copy.deepcopy(stored)

    async def apply(
        self,
        resource: Resource,
        *,
        namespace: str | None,
        name: str,
        body: Object,
        manager: str,
        subresource: str | None = None,
        force: bool = True,
    ) -> Object:
        number = await self._before("apply", resource, namespace, name)
        known = self._find(resource, namespace, name)
        uid = body.get("metadata", {}).get("uid")
        if uid is not None and uid != known["metadata"]["uid"]:
            raise ConflictError("uid mismatch", status=409, reason="Conflict")
        version = body.get("metadata", {}).get("resourceVersion")
        if version is not None and version != known["metadata"]["resourceVersion"]:
            raise ConflictError("the object has been modified", status=409, reason="Conflict")
        place = _place(resource, namespace, name)
        wanted = _reachable(resource, copy.deepcopy(body), subresource)
        wanted.pop("metadata", None)
        trail = (place, manager, subresource or "")
        merged = _apply(known, before=self._applied.get(trail, {}), now=wanted)
        self._applied[trail] = wanted
        stored = self._store(place, merged)
        await self._after("apply", resource, namespace, name, number)
        return copy.deepcopy(stored)

    async def delete(
        self,
        resource: Resource,
        *,
        namespace: str | None,
        name: str,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_seconds: int | None = None,
    ) -> Object | None:
        """Delete at once; there is no answer with a grace period."""
        number = await self._before("delete", resource, namespace, name)
        place = _place(resource, namespace, name)
        known = self._objects.get(place)
        if known is not None:
            if uid is not None and uid != known["metadata"]["uid"]:
                raise ConflictError("uid precondition", status=409, reason="Conflict")
            if resource_version is not None and resource_version != known["metadata"]["resourceVersion"]:
                raise ConflictError("resourceVersion precondition", status=409, reason="Conflict")
            del self._objects[place]
        await self._after("delete", resource, namespace, name, number)
        return None

    def watch(self, *_: Any, **__: Any) -> AsyncIterator[Object]:
        raise NotImplementedError("no watch in memory")

    # Inside.

    def _find(self, resource: Resource, namespace: str | None, name: str) -> Object:
        try:
            return self._objects[_place(resource, namespace, name)]
        except KeyError:
            raise NotFoundError(f"{resource.plural} {name} not found", status=404, reason="NotFound") from None

    def _store(self, place: Place, item: Object) -> Object:
        metadata = item["metadata"]
        if not metadata.get("uid"):
            self._uids += 1
            metadata["uid"] = f"uid-{self._uids}"
        if place in self._objects and _same(self._objects[place], item):
            return self._objects[place]
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        self._objects[place] = item
        return item

    async def _before(self, verb: str, resource: Resource, namespace: str | None, name: str) -> int:
        self._begun += 1
        number = self._begun
        await self._tell(Call("before", verb, resource.plural, namespace or "", name, number))
        return number

    async def _after(self, verb: str, resource: Resource, namespace: str | None, name: str, number: int) -> None:
        await self._tell(Call("after", verb, resource.plural, namespace or "", name, number))

    async def _tell(self, call: Call) -> None:
        self.calls.append(call)
        await self.hook(call)


def _place(resource: Resource, namespace: str | None, name: str) -> Place:
    return (resource.plural, namespace or "", name)


def _reachable(resource: Resource, body: Object, subresource: str | None) -> Object:
    """What this write may touch: with a status sub-resource, the status only through it and nothing else there."""
    if subresource == "status":
        return {key: value for key, value in body.items() if key in ("status", "metadata")}
    if resource.plural in WITH_STATUS:
        return {key: value for key, value in body.items() if key != "status"}
    return body


def _merge(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value)
    return copy.deepcopy(result)


def _apply(known: Any, *, before: Any, now: Any) -> Any:
    """Server-side apply by one manager: what it set before and no longer sets goes; conditions are a map by type."""
    if not isinstance(now, dict):
        return copy.deepcopy(now)
    result = dict(known) if isinstance(known, dict) else {}
    before = before if isinstance(before, dict) else {}
    for key in before.keys() - now.keys() - {"conditions"}:
        result.pop(key, None)
    for key, value in now.items():
        if key != "conditions":
            result[key] = _apply(result.get(key), before=before.get(key), now=value)
    if "conditions" in before or "conditions" in now:
        result["conditions"] = _apply_conditions(
            result.get("conditions", []), before=before.get("conditions", []), now=now.get("conditions", [])
        )
    return copy.deepcopy(result)


def _apply_conditions(known: list[Object], *, before: list[Object], now: list[Object]) -> list[Object]:
    gone = {item["type"] for item in before} - {item["type"] for item in now}
    merged = {item["type"]: item for item in known if item["type"] not in gone}
    merged.update({item["type"]: item for item in now})
    return list(merged.values())


def _same(known: Object, item: Object) -> bool:
    def bare(value: Object) -> str:
        metadata = {key: part for key, part in value["metadata"].items() if key != "resourceVersion"}
        return json.dumps({**value, "metadata": metadata}, sort_keys=True)

    return bare(known) == bare(item)


def _field(item: Object, requirement: str) -> bool:
    path, _, wanted = requirement.partition("=")
    value: Any = item
    for part in path.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return bool(value == wanted)


def _selected(item: Object, selector: str | None) -> bool:
    labels = item["metadata"].get("labels", {})
    for part in filter(None, (selector or "").split(",")):
        key, equals, value = part.partition("=")
        if (labels.get(key) != value) if equals else (key not in labels):
            return False
    return True
