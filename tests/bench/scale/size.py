"""How large the population is; by default that of the targets."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from tests.bench.sizes import whole_numbers


@dataclass(frozen=True, kw_only=True)
class Size:
    """Each field by an environment variable: `BENCH_SCALE_MAPPINGS`, `BENCH_SCALE_FINISHED` and so on.

    `few` of the mappings are measured before all of them; as many empty ones are the floor. `rest` is for how many
    seconds operator and receiver are watched at rest.
    """

    few: int = 10_000
    mappings: int = 100_000
    credentials: int = 10_000
    finished: int = 20_000
    live: int = 2000
    rest: int = 120

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read it. Raises ValueError for a value that is not a size."""
        names = [field.name for field in fields(cls)]
        size = cls(**whole_numbers(names, prefix="BENCH_SCALE_", environment=environment))
        if size.few > size.mappings or size.live > size.credentials:
            raise ValueError("few is at most mappings, and live at most credentials")
        return size
