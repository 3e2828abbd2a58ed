"""What all Pods on the kubelet double's node share."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.kubelet.client import Client
from tests.cluster.kubelet.faults import Faults
from tests.cluster.kubelet.images import Images
from tests.cluster.kubelet.status import ADDRESS
from tests.cluster.warden import Warden


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The node's things. `awake` is cleared while the kubelet looks at nothing.

    `slow_period_seconds` is the range of pauses between two looks at a Pod that nothing woke the kubelet for,
    `pull_backoff_seconds` the first pause after a failed pull, which doubles.
    """

    client: Client
    images: Images
    faults: Faults
    folder: Path
    warden: Warden
    awake: asyncio.Event
    slow_period_seconds: tuple[float, float]
    pull_backoff_seconds: float
    address: str = ADDRESS
