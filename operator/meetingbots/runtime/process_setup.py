"""What both processes set up first: the log format and the garbage collector."""

from __future__ import annotations

import gc
import logging
import sys
import time
from typing import Final

from pythonjsonlogger.json import JsonFormatter

from meetingbots.runtime.settings import LogFormat, Settings

# At DEBUG and INFO these libraries log bodies or URLs with queries.
_QUIET = ("kopf", "aiohttp.access", "httpx", "httpcore", "asyncio", "kubernetes", "urllib3")
_YOUNG: Final = 20_000
"""New container objects before the young generation is collected: about 2 MiB."""
_MIDDLE: Final = 10
_OLD: Final = 5
"""All generations are collected after a million survivors, and never before a quarter more than last time (CPython)."""


def configure_logging(settings: Settings) -> None:
    """Configure the root logger, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    formatter: logging.Formatter
    if settings.log_format is LogFormat.JSON:
        formatter = JsonFormatter(
            "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )
    else:
        formatter = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    # RFC 3339 in UTC.
    formatter.converter = time.gmtime
    formatter.default_time_format, formatter.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"
    handler.setFormatter(formatter)
    logging.basicConfig(level=settings.log_level.value, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def tune_garbage_collection() -> None:
    """Call once after all imports: the objects that exist now stay for good, and are never examined again.

    The memory is mostly caches of objects, which stay. With Python's defaults the collector examines them again and
    again: for a thousand bots, a quarter of the CPU time and pauses of up to 0.3 s. Almost everything is freed without
    it, because it is in no reference cycle.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
