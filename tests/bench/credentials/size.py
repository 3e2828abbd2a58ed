"""How many credentials, and for how long they are watched."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class Size:
    """Each field by an environment variable: `BENCH_CREDENTIALS_COUNT` and so on.

    `life` is that of an access token, in seconds; Zoom's is 3600. `window` is how long the steady state is measured.
    """

    count: int = 10_000
    life: int = 3600
    window: int = 300

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Size":
        """Read it; ValueError for what is no size."""
        given = {
            one.name: int(environment[f"BENCH_CREDENTIALS_{one.name.upper()}"])
            for one in fields(cls)
            if environment.get(f"BENCH_CREDENTIALS_{one.name.upper()}")
        }
        if any(value < 1 for value in given.values()):
            raise ValueError("sizes are at least 1")
        return cls(**given)
