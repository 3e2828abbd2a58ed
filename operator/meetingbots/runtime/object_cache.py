"""The newest objects of the watches.

The cache can be stale, and can keep an object that was deleted during a broken watch. Every action that matters is
therefore a write with resourceVersion or follows a fresh read.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

Object: TypeAlias = dict[str, Any]


@dataclass(frozen=True, order=True)
class Key:
    """Namespace and name of an object."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def key_of(item: Object) -> Key:
    """The key of an object of the API server."""
    return Key(item["metadata"]["namespace"], item["metadata"]["name"])


class ObjectCache:
    """The objects of one kind, without managedFields, with one optional index: `index(object)` gives a value or None.

    An object for which `rests` holds is kept compressed: it is rarely read, and takes 1 KB instead of 12.
    """

    def __init__(
        self,
        *,
        index: Callable[[Object], str | None] | None = None,
        rests: Callable[[Object], bool] = lambda _: False,
    ) -> None:
        self._objects: dict[Key, Object | _Compressed] = {}
        self._index = index
        self._rests = rests
        self._by_value: defaultdict[str, set[Key]] = defaultdict(set)

    def put(self, item: Object) -> bool:
        """Keep `item` unless this or a newer state is cached; return whether it was kept.

        Watch events arrive after the operator's own writes, whose results are cached, too.
        """
        key = key_of(item)
        known = self._objects.get(key)
        if known is not None:
            before, version = _state_of(known), _state_of(item)
            if before.uid == version.uid and (before.is_newer_than(version) or before.is_same_as(version)):
                return False
            self._unindex(key)
        item["metadata"].pop("managedFields", None)
        self._objects[key] = _Compressed.of(item) if self._rests(item) else item
        value = self._index(item) if self._index else None
        if value is not None:
            self._by_value[value].add(key)
        return True

    def drop(self, key: Key, *, uid: str | None = None) -> None:
        """Remove an object; with `uid`, only if it has that uid."""
        known = self._objects.get(key)
        if known is not None and uid in (None, _state_of(known).uid):
            self._unindex(key)
            del self._objects[key]

    def get(self, key: Key) -> Object | None:
        """The cached object, or None."""
        found = self._objects.get(key)
        return found.item if isinstance(found, _Compressed) else found

    def indexed(self, value: str) -> tuple[Key, ...]:
        """The keys of the objects with this index value."""
        return tuple(self._by_value.get(value, ()))

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._objects))

    def __len__(self) -> int:
        return len(self._objects)

    def _unindex(self, key: Key) -> None:
        known = self.get(key) if self._index else None
        value = self._index(known) if self._index and known is not None else None
        if value is not None:
            self._by_value[value].discard(key)
            if not self._by_value[value]:
                del self._by_value[value]


@dataclass(frozen=True, slots=True)
class _State:
    """The identity and version of an object."""

    uid: str | None
    version: str

    def is_same_as(self, other: _State) -> bool:
        return bool(self.version) and self.version == other.version

    def is_newer_than(self, other: _State) -> bool:
        # Comparable as integers within one resource: promised since Kubernetes 1.35, so in practice before.
        ours, theirs = self.version, other.version
        return ours.isdigit() and theirs.isdigit() and int(ours) > int(theirs)


@dataclass(frozen=True, slots=True)
class _Compressed:
    """An object as compressed JSON."""

    state: _State
    data: bytes

    @classmethod
    def of(cls, item: Object) -> _Compressed:
        return cls(_state_of(item), zlib.compress(orjson.dumps(item)))

    @property
    def item(self) -> Object:
        found: Object = orjson.loads(zlib.decompress(self.data))
        return found


def _state_of(item: Object | _Compressed) -> _State:
    if isinstance(item, _Compressed):
        return item.state
    metadata = item["metadata"]
    return _State(metadata.get("uid"), metadata.get("resourceVersion", ""))
