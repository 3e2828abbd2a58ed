import gc
from collections.abc import Iterator

import pytest
from meetingbots.entry import garbage_collection


@pytest.fixture
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


class Ring:
    """Something that only the collector of cycles frees."""

    freed = 0

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        Ring.freed += 1


@pytest.mark.usefixtures("as_before")
def test_what_is_there_stays_and_cycles_that_come_are_still_freed() -> None:
    garbage_collection.settle()
    assert gc.get_freeze_count() > 0
    assert gc.isenabled()
    Ring.freed = 0
    for _ in range(2 * gc.get_threshold()[0]):
        Ring()
    assert Ring.freed > 0
