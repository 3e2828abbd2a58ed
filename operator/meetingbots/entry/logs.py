"""Log lines of both processes: one line an event, as text for people or as JSON for machines."""

from __future__ import annotations

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

from meetingbots.settings import LogFormat, Settings

# These libraries write bodies or URLs with queries when they are asked to be talkative; ours never need that.
_QUIET = ("kopf", "aiohttp.access", "httpx", "httpcore", "asyncio", "kubernetes", "urllib3")


def configure(settings: Settings) -> None:
    """Set up the root logger for this process, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    if settings.log_format is LogFormat.JSON:
        handler.setFormatter(
            JsonFormatter(
                "{asctime}{levelname}{name}{message}",
                style="{",
                rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            )
        )
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=settings.log_level.value, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
