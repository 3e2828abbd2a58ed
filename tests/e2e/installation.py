"""The release that the tests of a run share: installed when it is first needed, and set right after one changed it."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.chart.rendering import CHART
from tests.stack.release import Release


class Installation:
    """Knows with which values the release is installed, so that what is right already is left alone."""

    def __init__(self, release: Release, *, measured: Callable[[str], None]) -> None:
        self.release = release
        self._measured = measured
        self._values: Mapping[str, Any] | None = None

    def ensure(self, values: Mapping[str, Any] | None = None) -> Release:
        """Have it installed from this checkout with these values over the usual ones, and at work."""
        wanted = values or {}
        if self._values != wanted:
            verb = "upgrade" if self.release.installed() else "install"
            self.change(verb, wanted)
        self.release.wait_ready()
        self.release.wait_leader()
        return self.release

    def change(self, verb: str, values: Mapping[str, Any] | None = None, *, chart: Path = CHART) -> str:
        """`install` or `upgrade` with a chart; what Helm said. The next `ensure` sets it right again."""
        self.forget()
        began = time.monotonic()
        said = (self.release.install if verb == "install" else self.release.upgrade)(values, chart=chart)
        self._measured(f"helm {verb} --wait: {time.monotonic() - began:.1f} s")
        if chart == CHART:
            self._values = values or {}
        return said

    def forget(self) -> None:
        """Somebody else changes or removes the release now."""
        self._values = None
