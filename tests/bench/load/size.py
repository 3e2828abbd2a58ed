"""How large the load is; by default that of the targets."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields


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
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Size":
        """Read it; ValueError for what is no size."""
        given = {
            one.name: int(environment[f"BENCH_LOAD_{one.name.upper()}"])
            for one in fields(cls)
            if environment.get(f"BENCH_LOAD_{one.name.upper()}")
        }
        if any(value < 1 for value in given.values()):
            raise ValueError("sizes are at least 1")
        return cls(**given)
