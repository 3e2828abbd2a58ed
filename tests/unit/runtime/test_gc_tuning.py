"""How the garbage collector of both processes is set."""

import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NoReturn

import pytest
from meetingbots.kube.connection import ClusterAccessError
from meetingbots.process import operator as operator_process
from meetingbots.process.operator import run_operator
from meetingbots.receiver import process as receiver_process
from meetingbots.receiver.process import run_receiver
from meetingbots.runtime import gc_tuning
from meetingbots.runtime.settings import OperatorSettings, ReceiverSettings


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
    before = gc.get_threshold()
    gc_tuning.tune()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold() > before
    assert gc.isenabled()
    Ring.freed = 0
    for _ in range(2 * gc.get_threshold()[0]):
        Ring()
    assert Ring.freed > 0


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize(("run", "settings"), [(run_operator, OperatorSettings), (run_receiver, ReceiverSettings)])
async def test_both_processes_begin_with_it(
    monkeypatch: pytest.MonkeyPatch, run: Callable[[Any], Awaitable[int]], settings: Callable[[], object]
) -> None:
    async def nowhere() -> NoReturn:
        raise ClusterAccessError("no cluster")

    for module in (operator_process, receiver_process):
        monkeypatch.setattr(module, "find_cluster", nowhere)
    assert gc.get_freeze_count() == 0
    with pytest.raises(ClusterAccessError):
        await run(settings())
    assert gc.get_freeze_count() > 0
