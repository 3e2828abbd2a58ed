"""The log format of both processes: one line an event, as text or JSON."""

from __future__ import annotations

import logging
import sys
import time

from pythonjsonlogger.json import JsonFormatter

from meetingbots.runtime.settings import LogFormat, Settings

# At DEBUG and INFO these libraries log bodies or URLs with queries.
_QUIET = ("kopf", "aiohttp.access", "httpx", "httpcore", "asyncio", "kubernetes", "urllib3")


def configure(settings: Settings) -> None:
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
