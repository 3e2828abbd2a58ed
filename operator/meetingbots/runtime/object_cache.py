"""The newest objects of the watches.

The cache can be stale, and can keep an object that was deleted during a broken watch. Every action that matters is
therefore a write with resourceVersion or follows a fresh read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

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
    """The objects of one kind, with one optional index: `index(object)` returns the value or None."""

    def __init__(self, *, index: Callable[[Object], str | None] | None = None) -> None:
        self._objects: dict[Key, Object] = {}
        self._index = index
        self._by_value: defaultdict[str, set[Key]] = defaultdict(set)

    def put(self, item: Object) -> bool:
        """Keep `item` unless this or a newer state is cached; return whether it was kept.

        Watch events arrive after the operator's own writes, whose results are cached, too.
        """
        key = key_of(item)
        known = self._objects.get(key)
        if known is not None:
            same_object = known["metadata"].get("uid") == item["metadata"].get("uid")
            if same_object and (_newer(known, item) or _same(known, item)):
                return False
            self._unindex(key, known)
        self._objects[key] = item
        value = self._index(item) if self._index else None
        if value is not None:
            self._by_value[value].add(key)
        return True

    def drop(self, key: Key, *, uid: str | None = None) -> None:
        """Remove an object; with `uid`, only if it has that uid."""
        known = self._objects.get(key)
        if known is not None and (uid is None or known["metadata"].get("uid") == uid):
            self._unindex(key, known)
            del self._objects[key]

    def get(self, key: Key) -> Object | None:
        """The cached object, or None."""
        return self._objects.get(key)

    def indexed(self, value: str) -> tuple[Key, ...]:
        """The keys of the objects with this index value."""
        return tuple(self._by_value.get(value, ()))

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._objects))

    def __len__(self) -> int:
        return len(self._objects)

    def _unindex(self, key: Key, known: Object) -> None:
        value = self._index(known) if self._index else None
        if value is not None:
            self._by_value[value].discard(key)
            if not self._by_value[value]:
                del self._by_value[value]


def _same(known: Object, item: Object) -> bool:
    version = item["metadata"].get("resourceVersion", "")
    return bool(version) and bool(known["metadata"].get("resourceVersion") == version)


def _newer(known: Object, item: Object) -> bool:
    # Comparable as integers within one resource: promised since Kubernetes 1.35, so in practice before.
    ours, theirs = known["metadata"].get("resourceVersion", ""), item["metadata"].get("resourceVersion", "")
    return ours.isdigit() and theirs.isdigit() and int(ours) > int(theirs)
