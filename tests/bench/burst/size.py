"""How large the burst is; by default that of the target."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from tests.bench.sizes import whole_numbers

LATENCY_SECONDS = 0.02
LIGHT_CALLS_A_SECOND = 80
"""Zoom's limit for a Business account (Zoom API, Rate limits)."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """`BENCH_BOTS` (1000) bots over `BENCH_CREDENTIALS` (100) credentials, and as many over one.

    `BENCH_RUNS` (1): how often the first is measured. `BENCH_ONLY`: `many` or `one`, to leave the other out.
    `BENCH_NOTICES=1`: the namespace has a webhook, which gets the bots' notices.
    """

    bots: int = 1000
    credentials: int = 100
    runs: int = 1
    only: str = ""
    notices: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read it. Raises ValueError for a value that is not a size."""
        numbers = whole_numbers(("bots", "credentials", "runs"), prefix="BENCH_", environment=environment)
        only = environment.get("BENCH_ONLY", "")
        if only not in ("", "many", "one"):
            raise ValueError("BENCH_ONLY is many or one")
        return cls(**numbers, only=only, notices=environment.get("BENCH_NOTICES", "") not in ("", "0"))

    def staging_seconds(self, *, writing: float) -> float:
        """How long before the burst its bots are created, so that all their Pods wait at the gate in time.

        `writing` is how long it took to write one object for each bot, for machines and their loads differ.
        """
        return 12.0 + max(self.bots * 0.03, writing * 8)
