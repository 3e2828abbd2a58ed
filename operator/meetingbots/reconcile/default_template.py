"""The cluster's default template, read from its file again whenever that changes (a ConfigMap's volume does)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meetingbots.template_file import TemplateFileError, parse_template

_log = logging.getLogger(__name__)


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
                self._template = parse_template(self._path.read_bytes())
        except (OSError, TemplateFileError) as error:
            words = str(error) if isinstance(error, TemplateFileError) else type(error).__name__
            _log.error("%s: %s; the default template stays as it was", self._path, words)
        return self._template
