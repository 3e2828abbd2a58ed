"""A common budget is shared fairly between tenants."""

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from meetingbots.mappings.reconcile.stale_check import FairSample


def chosen(candidates: list[tuple[str, int]], *, limit: int, size: int = 100) -> list[tuple[str, int]]:
    sample = FairSample[tuple[str, int]](size=size, random=Random(1))
    for group, number in candidates:
        sample.add(group, "one", (group, number))
    return sample.choose(limit)


def test_a_tenant_with_many_candidates_leaves_room_for_the_others() -> None:
    many = [("hostile", number) for number in range(10_000)]
    few = [(f"team-{number}", 0) for number in range(20)]
    counts = Counter(group for group, _ in chosen([*many, *few], limit=100))
    assert all(counts[group] == 1 for group, _ in few)
    assert counts["hostile"] == 80


def test_a_member_with_many_candidates_leaves_room_for_the_others_of_its_group() -> None:
    sample = FairSample[str](size=100, random=Random(1))
    for member, count in {"hostile": 10_000, "alice": 3, "carol": 1}.items():
        for _ in range(count):
            sample.add("team", member, member)
    sample.add("other", "bob", "bob")
    assert Counter(sample.choose(100)) == {"hostile": 95, "alice": 3, "carol": 1, "bob": 1}


def test_every_candidate_has_a_chance() -> None:
    assert max(number for _, number in chosen([("a", number) for number in range(1000)], limit=10, size=10)) > 100


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers()), max_size=60, unique=True), st.integers(0, 40))
def test_the_limit_is_used_and_shared(candidates: list[tuple[str, int]], limit: int) -> None:
    found = chosen(candidates, limit=limit)
    assert len(found) == min(limit, len(candidates))
    assert len(set(found)) == len(found)
    counts, available = Counter(group for group, _ in found), Counter(group for group, _ in candidates)
    most = max(counts.values(), default=0)
    assert all(counts[group] >= min(available[group], most - 1) for group in available)
