"""Waits until the API server serves our kinds: kopf looks for them once, when it starts.

An API server that is starting serves its custom resources one after another. An operator that starts in that moment
would watch only some of them, until its next restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

from meetingbots.kube.client import Kube
from meetingbots.kube.errors import KubeError
from meetingbots.kube.resources import BOTS, CREDENTIALS, MAPPINGS
from meetingbots.runtime.plan import Backoff

_log = logging.getLogger(__name__)
_BACKOFF: Final = Backoff(first=0.2, cap=5.0)
_KINDS: Final = frozenset({BOTS.plural, CREDENTIALS.plural, MAPPINGS.plural})


async def wait_until_served(kube: Kube, *, stop: asyncio.Event, backoff: Backoff = _BACKOFF) -> bool:
    """Wait until all our kinds are served; False if `stop` was set before."""
    tries = 0
    while not stop.is_set():
        try:
            missing = _KINDS - await kube.discover(CREDENTIALS)
            problem = f"it does not serve {', '.join(sorted(missing))} yet: are the CRDs installed?"
        except KubeError as error:
            missing, problem = _KINDS, str(error)
        if not missing:
            return True
        tries += 1
        pause = backoff.delay(tries)
        _log.warning("waiting for the API server, next look in %.1f s: %s", pause, problem)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)
    return False
