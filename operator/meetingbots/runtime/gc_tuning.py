"""Thresholds of Python's garbage collector for a process whose memory is mostly caches of objects.

Each object of a watch is some hundred dicts and strings that stay. With Python's defaults the collector looks at the
newest 700 again and again, and now and then at all: for a thousand bots, a quarter of the CPU time and pauses of up to
0.3 s. Almost everything is freed without it, because it is in no reference cycle.
"""

from __future__ import annotations

import gc
from typing import Final

_YOUNG: Final = 20_000
"""New container objects before the young generation is collected: about 2 MiB."""
_MIDDLE: Final = 10
_OLD: Final = 5
"""All generations are collected after a million survivors, and never before a quarter more than last time (CPython)."""


def tune() -> None:
    """Call once after all imports: the objects that exist now stay for good, and are never examined again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
