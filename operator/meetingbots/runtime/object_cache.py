"""The newest objects of the watches.

The cache can be stale, and can keep an object that was deleted during a broken watch. Every action that matters is
therefore a write with resourceVersion or follows a fresh read.
"""

from __future__ import annotations

import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

Object: TypeAlias = dict[str, Any]


@dataclass(frozen=True, order=True, slots=True)
class Key:
    """Namespace and name of an object."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def key_of(item: Object) -> Key:
    """The key of an object of the API server."""
    return Key(sys.intern(item["metadata"]["namespace"]), item["metadata"]["name"])


class ObjectCache:
    """The objects of one kind, without managedFields.

    `index(object)` gives a value by which objects are found, or None. `group(object)` gives the value by which they are
    counted. Objects for which `compressed` holds take 1 KB instead of 12, and more time to read. `reduce(object)` gives
    what is kept of the others.
    """

    def __init__(
        self,
        *,
        index: Callable[[Object], str | None] = lambda _: None,
        group: Callable[[Object], str] = lambda _: "",
        compressed: Callable[[Object], bool] = lambda _: False,
        reduce: Callable[[Object], Object] = lambda item: item,
    ) -> None:
        self._entries: dict[Key, _CachedObject] = {}
        self._index = index
        self._group = group
        self._compressed = compressed
        self._reduce = reduce
        self._by_value: defaultdict[str, set[Key]] = defaultdict(set)
        self._sizes: Counter[str] = Counter()

    def put(self, item: Object) -> bool:
        """Keep `item` unless this or a newer state is cached; return whether it was kept.

        Watch events arrive after the operator's own writes, whose results are cached, too.
        """
        key, metadata = key_of(item), item["metadata"]
        known, uid, version = self._entries.get(key), metadata.get("uid"), metadata.get("resourceVersion", "")
        if known is not None:
            if known.uid == uid and not _is_older(known.version, version):
                return False
            self._forget(key, known)
        metadata.pop("managedFields", None)
        content = zlib.compress(orjson.dumps(item)) if self._compressed(item) else self._reduce(item)
        entry = _CachedObject(uid, version, self._index(item), sys.intern(self._group(item)), content)
        self._entries[key] = entry
        self._sizes[entry.group] += 1
        if entry.value is not None:
            self._by_value[entry.value].add(key)
        return True

    def drop(self, key: Key, *, uid: str | None = None) -> None:
        """Remove an object; with `uid`, only if it has that uid."""
        known = self._entries.get(key)
        if known is not None and uid in (None, known.uid):
            self._forget(key, known)
            del self._entries[key]

    def get(self, key: Key) -> Object | None:
        """The cached object, or None."""
        found = self._entries.get(key)
        return found.item if found is not None else None

    def indexed(self, value: str) -> tuple[Key, ...]:
        """The keys of the objects with this index value."""
        return tuple(self._by_value.get(value, ()))

    def size(self, group: str) -> int:
        """How many objects belong to a group."""
        return self._sizes[group]

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def _forget(self, key: Key, known: _CachedObject) -> None:
        self._sizes[known.group] -= 1
        if known.value is not None:
            self._by_value[known.value].discard(key)
            if not self._by_value[known.value]:
                del self._by_value[known.value]


@dataclass(frozen=True, slots=True)
class _CachedObject:
    """An object with its identity, index value and group; `content` is the object, or its compressed JSON."""

    uid: str | None
    version: str
    value: str | None
    group: str
    content: Object | bytes

    @property
    def item(self) -> Object:
        if isinstance(self.content, bytes):
            found: Object = orjson.loads(zlib.decompress(self.content))
            return found
        return self.content


def _is_older(known: str, version: str) -> bool:
    """Whether a cached resourceVersion is older than another one, or cannot be compared with it."""
    if known and known == version:
        return False
    # Comparable as integers within one resource: promised since Kubernetes 1.35, so in practice before.
    return not (known.isdigit() and version.isdigit() and int(known) > int(version))
