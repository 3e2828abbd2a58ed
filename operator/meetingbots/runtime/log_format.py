"""Log lines of both processes: one line an event, as text for people or as JSON for machines."""

from __future__ import annotations

import logging
import sys
import time

from pythonjsonlogger.json import JsonFormatter

from meetingbots.runtime.settings import LogFormat, Settings

# These libraries write bodies or URLs with queries when they are asked to be talkative; ours never need that.
_QUIET = ("kopf", "aiohttp.access", "httpx", "httpcore", "asyncio", "kubernetes", "urllib3")


def configure(settings: Settings) -> None:
    """Set up the root logger for this process, to standard error."""
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
    # RFC 3339 in UTC, so that lines of several processes and machines can be compared.
    formatter.converter = time.gmtime
    formatter.default_time_format, formatter.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"
    handler.setFormatter(formatter)
    logging.basicConfig(level=settings.log_level.value, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
