"""How often Python looks for reference cycles, set for a process whose memory is mostly caches of objects.

Each object that a watch brings is some hundred dicts and strings that stay. Python's defaults go through the newest 700
of them again and again, and now and then through all: for a thousand bots that was a quarter of the processor time, in
pauses of up to 0.3 s. What is freed without a cycle, which is nearly everything, needs none of it.
"""

from __future__ import annotations

import gc
from typing import Final

_YOUNG: Final = 20_000
"""New objects before the young ones are gone through: about 2 MiB."""
_MIDDLE: Final = 10
_OLD: Final = 5
"""So all are gone through after a million that stayed (and never before a quarter more than last time: CPython)."""


def settle() -> None:
    """Call once, when all modules are imported: what is there now stays for good and is not gone through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
