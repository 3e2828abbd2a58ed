"""The cluster's default template, read from its file again whenever that changes (a ConfigMap's volume does)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from meetingbots.bots.manifests.pod import TemplateError, bot_pod
from meetingbots.bots.manifests.strategic_merge import MergeError, merge_template
from meetingbots.models import names
from meetingbots.models.bot import MeetingBot
from meetingbots.runtime.template_file import TemplateFileError, parse_template

_log = logging.getLogger(__name__)

_MEETING: Final = "123456789"
_SPECIMEN: Final = MeetingBot.from_object(
    {
        "metadata": {"name": "specimen", "uid": "specimen"},
        "spec": {"meeting": {"id": _MEETING}, "joinAt": "2026-01-01T00:00:00Z"},
    }
)
_LEAST: Final[Mapping[str, Any]] = {"spec": {"containers": [{"name": names.BOT_CONTAINER, "image": "specimen"}]}}


def read_template(path: Path) -> Mapping[str, Any]:
    """The template in a file, if a bot's Pod can be made from it. Raises `TemplateFileError` and OSError.

    Container bot and its image may be missing: a MeetingBot's own template or the operator's settings can bring them.
    """
    template = parse_template(path.read_bytes())
    try:
        whole = merge_template(_LEAST, template)
        now = datetime(2026, 1, 1, tzinfo=UTC)
        bot_pod(_SPECIMEN, name="specimen", meeting_id=_MEETING, bot_image="", default_template=whole, now=now)
    except (MergeError, TemplateError) as error:
        raise TemplateFileError(f"holds a template that no bot can have: {error}") from None
    return template


class DefaultTemplate:
    """The template in the file `path`; None: there is no default."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._mark: tuple[int, int, int] | None = None
        self._template: Mapping[str, Any] = {}

    def current(self) -> Mapping[str, Any]:
        """The template as it is now; empty without one. A file that became bad is told in the log and not used."""
        if self._path is None:
            return {}
        try:
            state = self._path.stat()
            mark = (state.st_ino, state.st_mtime_ns, state.st_size)
            if mark != self._mark:
                self._mark = mark
                self._template = read_template(self._path)
        except (OSError, TemplateFileError) as error:
            words = str(error) if isinstance(error, TemplateFileError) else type(error).__name__
            _log.error("%s: %s; the default template stays as it was", self._path, words)
        return self._template
