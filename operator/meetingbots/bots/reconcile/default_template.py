"""The cluster's default Pod template, read again whenever its file changes, as a ConfigMap volume does."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from meetingbots.bots.decide.meeting import MeetingRef
from meetingbots.bots.manifests.pod import PodSettings, bot_pod
from meetingbots.bots.manifests.strategic_merge import merge_template
from meetingbots.bots.manifests.template import TemplateError, check_content
from meetingbots.models import names
from meetingbots.models.bot import MeetingBot
from meetingbots.runtime.settings import TemplateFileError, parse_template

_log = logging.getLogger(__name__)

_MEETING: Final = "123456789"
_SAMPLE_BOT: Final = MeetingBot.from_object(
    {
        "metadata": {"name": "sample", "uid": "sample"},
        "spec": {"meeting": {"id": _MEETING}, "joinAt": "2026-01-01T00:00:00Z"},
    }
)
_SAMPLE_TEMPLATE: Final[Mapping[str, Any]] = {
    "spec": {"containers": [{"name": names.BOT_CONTAINER, "image": "sample"}]}
}


def read_template(path: Path) -> Mapping[str, Any]:
    """The template in a file, if it can become a bot's Pod. Raises `TemplateFileError` and OSError.

    Container bot and its image may be missing: a MeetingBot's own template or the operator's settings can add them.
    """
    template = parse_template(path.read_bytes())
    try:
        check_content(template)
        settings = PodSettings(template=merge_template(_SAMPLE_TEMPLATE, template))
        now = datetime(2026, 1, 1, tzinfo=UTC)
        bot_pod(_SAMPLE_BOT, name="sample", meeting=MeetingRef(_MEETING), settings=settings, now=now)
    except TemplateError as error:
        raise TemplateFileError(f"holds a template that no bot can have: {error}") from None
    return template


class DefaultTemplate:
    """The template in the file `path`; None means that there is no default."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._version: tuple[int, int, int] | None = None
        self._template: Mapping[str, Any] = {}

    def current(self) -> Mapping[str, Any]:
        """The present template; empty without one. An invalid file is logged, and the last valid template stays."""
        if self._path is None:
            return {}
        try:
            state = self._path.stat()
            version = (state.st_ino, state.st_mtime_ns, state.st_size)
            if version != self._version:
                self._version = version
                self._template = read_template(self._path)
        except (OSError, TemplateFileError) as error:
            message = str(error) if isinstance(error, TemplateFileError) else type(error).__name__
            _log.error("%s: %s; the default template stays as it was", self._path, message)
        return self._template
