"""The cache of watched objects: newest state wins, a namesake is another object, index kept."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from meetingbots.runtime.object_cache import Key, Object, ObjectCache, key_of

A = Key("ns", "a")


def thing(name: str = "a", *, version: str = "1", uid: str = "u1", meeting: str | None = None) -> Object:
    return {"metadata": {"namespace": "ns", "name": name, "resourceVersion": version, "uid": uid}, "meeting": meeting}


def by_meeting(item: Object) -> str | None:
    meeting: Any = item["meeting"]
    return None if meeting is None else str(meeting)


def test_keys_read_as_namespace_and_name() -> None:
    assert str(key_of(thing())) == "ns/a"
    assert sorted([Key("b", "a"), Key("a", "b")]) == [Key("a", "b"), Key("b", "a")]


@pytest.mark.parametrize(
    ("known", "late", "kept"),
    [
        ("9", "10", "10"),  # as numbers, not as texts
        ("10", "9", "10"),  # our own write is already here, the watch lags behind
        ("10", "10", "10"),
        ("opaque", "9", "9"),  # what cannot be compared is taken
    ],
)
def test_the_newest_state_of_an_object_is_kept(known: str, late: str, kept: str) -> None:
    cache = ObjectCache()
    cache.put(thing(version=known))
    cache.put(thing(version=late))
    assert cache.get(A) == thing(version=kept)
    assert len(cache) == 1


def test_put_returns_whether_the_object_is_newer() -> None:
    cache = ObjectCache()
    assert cache.put(thing(version="9"))
    assert cache.put(thing(version="10"))
    assert not cache.put(thing(version="10")), "the echo of our own write"
    assert not cache.put(thing(version="9")), "an event that comes late"
    assert cache.put(thing(version="3", uid="u2"))
    unversioned = thing(version="")
    assert cache.put(unversioned)
    assert cache.put(unversioned)


def test_another_object_of_the_same_name_replaces_it() -> None:
    cache = ObjectCache()
    cache.put(thing(version="10", uid="old"))
    cache.put(thing(version="9", uid="new"))
    assert cache.get(A) == thing(version="9", uid="new")


def test_drop_forgets_only_the_object_that_was_meant() -> None:
    cache = ObjectCache(index=by_meeting)
    cache.put(thing(uid="new", meeting="m"))
    cache.drop(A, uid="old")  # a late word about its predecessor
    assert cache.get(A) is not None
    cache.drop(A, uid="new")
    assert cache.get(A) is None
    assert cache.indexed("m") == ()
    cache.drop(A)
    cache.put(thing())
    cache.drop(A)
    assert len(cache) == 0


def test_the_index_follows_changes() -> None:
    cache = ObjectCache(index=by_meeting)
    cache.put(thing("a", meeting=None))
    cache.put(thing("b", meeting="m1"))
    assert cache.indexed("m1") == (Key("ns", "b"),)
    cache.put(thing("a", version="2", meeting="m1"))
    assert set(cache.indexed("m1")) == {A, Key("ns", "b")}
    cache.put(thing("a", version="3", meeting="m2"))
    assert cache.indexed("m1") == (Key("ns", "b"),)
    assert cache.indexed("m2") == (A,)
    cache.put(thing("a", version="2", meeting="m1"))  # an old state does not come back through the index
    assert cache.indexed("m1") == (Key("ns", "b"),)
    assert cache.indexed("unknown") == ()


def test_it_can_change_while_its_keys_are_gone_through() -> None:
    cache = ObjectCache()
    for name in "abc":
        cache.put(thing(name))
    for key in cache:
        cache.drop(key)
    assert len(cache) == 0


def finished(name: str = "a", *, version: str = "1", phase: str = "Succeeded") -> Object:
    return {**thing(name, version=version, meeting="m"), "status": {"phase": phase, "text": "x" * 10_000}}


def by_phase(item: Object) -> bool:
    return bool(item["status"]["phase"] == "Succeeded")


def test_a_compressed_object_is_small_and_read_as_it_was() -> None:
    cache = ObjectCache(index=by_meeting, compressed=by_phase)
    cache.put(finished(phase="Running", version="1"))
    assert cache.put(finished(version="2"))
    assert cache.get(A) == finished(version="2")
    assert len(pickle.dumps(cache._entries[A])) < 1_000
    assert cache.indexed("m") == (A,)
    assert not cache.put(finished(version="2")), "the echo of our own write"
    assert not cache.put(finished(version="1", phase="Running")), "an event that comes late"


def test_a_compressed_object_can_change_again_and_be_dropped() -> None:
    cache = ObjectCache(index=by_meeting, compressed=by_phase)
    cache.put(finished(version="2"))
    assert cache.put({**finished(version="3", phase="Running"), "meeting": "n"})
    assert (cache.indexed("m"), cache.indexed("n")) == ((), (A,))
    cache.put(finished(version="4"))
    cache.drop(A, uid="another")
    assert len(cache) == 1
    cache.drop(A, uid="u1")
    assert (len(cache), cache.indexed("m")) == (0, ())


def test_objects_are_counted_by_group() -> None:
    cache = ObjectCache(group=lambda item: item["status"]["phase"], compressed=by_phase)
    cache.put(finished("a", version="1", phase="Running"))
    cache.put(finished("b", version="1"))
    assert (cache.size("Running"), cache.size("Succeeded"), cache.size("Failed")) == (1, 1, 0)
    cache.put(finished("a", version="2"))
    cache.put(finished("a", version="1", phase="Running"))
    assert (cache.size("Running"), cache.size("Succeeded")) == (0, 2)
    cache.drop(A)
    assert cache.size("Succeeded") == 1


def test_managed_fields_are_not_kept() -> None:
    cache = ObjectCache()
    item = thing()
    item["metadata"]["managedFields"] = [{"fieldsV1": {}}]
    cache.put(item)
    assert cache.get(A) == thing()
