"""Writes many mappings, a few at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from meetingbots.kube.errors import KubeError
from meetingbots.mappings.store import Decide, MappingWriter
from meetingbots.models.base import ModelError

_log = logging.getLogger(__name__)
_CONCURRENCY: Final = 8


@dataclass(frozen=True)
class MappingChange:
    """A change of one mapping, with the uids of the credentials that it may name."""

    namespace: str
    name: str
    decide: Decide
    uids: Mapping[str, str] = field(default_factory=dict)


async def write_all(writer: MappingWriter, changes: Iterable[MappingChange]) -> int:
    """Carry the changes out; return the number of writes. Raises the first `KubeError`."""

    async def write(change: MappingChange) -> bool:
        return await _write(writer, change)

    return await _in_batches(write, changes)


class SweepWrites:
    """The writes of one sweep.

    A namespace in which one fails gets no more until the next sweep: a tenant's admission policy or webhook stops no
    other tenant's writes.
    """

    def __init__(self, writer: MappingWriter) -> None:
        self._writer = writer
        self._failing: set[str] = set()

    @property
    def failed(self) -> bool:
        """Whether a write failed."""
        return bool(self._failing)

    async def write(self, changes: Iterable[MappingChange]) -> int:
        """Carry the changes out; return the number of writes."""
        return await _in_batches(self._try, changes)

    async def _try(self, change: MappingChange) -> bool:
        if change.namespace in self._failing:
            return False
        try:
            return await _write(self._writer, change)
        except (KubeError, ModelError) as error:
            self._failing.add(change.namespace)
            _log.warning(
                "the sweep leaves namespace %s out: mapping %s is not written: %s", change.namespace, change.name, error
            )
            return False


async def _write(writer: MappingWriter, change: MappingChange) -> bool:
    return await writer.write(
        namespace=change.namespace, meeting_id=change.name, decide=change.decide, uids=change.uids
    )


async def _in_batches(write: Callable[[MappingChange], Awaitable[bool]], changes: Iterable[MappingChange]) -> int:
    pending, done = list(changes), 0
    for first in range(0, len(pending), _CONCURRENCY):
        done += sum(await asyncio.gather(*(write(one) for one in pending[first : first + _CONCURRENCY])))
    return done
