"""The table at the end of the demo: how soon each bot was admitted and recorded, and whether it asked anybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any, Final

_HEADING: Final = ("BOT", "ADMITTED AFTER", "RECORDING AFTER", "ASKED ANYBODY")
_NEVER: Final = "never"


@dataclass(frozen=True)
class Row:
    """One bot, as the table shows it."""

    bot: str
    admitted_after: str
    recording_after: str
    asked: str

    @property
    def recorded(self) -> bool:
        """Whether the bot recorded."""
        return self.recording_after != _NEVER


def row(bot: str, status: dict[str, Any], *, asked: bool | None) -> Row:
    """The row of a bot with this status; `asked`: whether it asked the host, by Zoom's record (None: did not join)."""
    seen, due = status.get("inMeeting", {}), status.get("scheduledTime", "")
    answers = {True: "the host", False: "nobody", None: "did not join"}
    return Row(bot, _after(due, seen.get("admittedTime")), _after(due, seen.get("recordingTime")), answers[asked])


def lines(rows: Sequence[Row]) -> list[str]:
    """The table as kubectl prints one."""
    cells = [_HEADING, *(astuple(one) for one in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADING))]
    return ["   ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def _after(due: str, time: str | None) -> str:
    if time is None:
        return _NEVER
    return f"{(datetime.fromisoformat(time) - datetime.fromisoformat(due)).total_seconds():.0f} s"
