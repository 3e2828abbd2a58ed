"""How many credentials, and for how long they are watched."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from tests.bench.sizes import whole_numbers


@dataclass(frozen=True, kw_only=True)
class Size:
    """Each field by an environment variable: `BENCH_CREDENTIALS_COUNT` and so on.

    `life` is that of an access token, in seconds; Zoom's is 3600. `window` is how long the steady state is measured.
    """

    count: int = 10_000
    life: int = 3600
    window: int = 300

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read it. Raises ValueError for a value that is not a size."""
        names = [field.name for field in fields(cls)]
        return cls(**whole_numbers(names, prefix="BENCH_CREDENTIALS_", environment=environment))
