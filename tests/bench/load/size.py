"""How large the load is; by default that of the targets."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from tests.bench.sizes import whole_numbers


@dataclass(frozen=True, kw_only=True)
class Size:
    """Each field by an environment variable: `BENCH_LOAD_MAPPINGS`, `BENCH_LOAD_CREDENTIALS` and so on.

    `events` are the meetings of each run against the receiver (two events each), `runs` how often it and the bare loop
    are measured in turn.
    """

    mappings: int = 100_000
    credentials: int = 1000
    events: int = 2000
    runs: int = 3

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read it. Raises ValueError for a value that is not a size."""
        names = [field.name for field in fields(cls)]
        return cls(**whole_numbers(names, prefix="BENCH_LOAD_", environment=environment))
