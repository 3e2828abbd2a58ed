"""What the plugin answers: a story in order, the cause, and what to do; as text or as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from meetingbots.models.base import format_time


@dataclass(frozen=True)
class Line:
    """One sentence of the story, with its time if it has one."""

    text: str
    time: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`well` says whether nothing is wrong. `unread` names what the caller may not read."""

    subject: str
    story: tuple[Line, ...]
    cause: str
    remedy: str
    well: bool
    unread: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """The answer for programs."""
        return {
            "subject": self.subject,
            "story": [
                {"text": line.text} | ({"time": format_time(line.time)} if line.time is not None else {})
                for line in self.story
            ],
            "cause": self.cause,
            "remedy": self.remedy,
            "well": self.well,
            "unread": list(self.unread),
        }

    def to_text(self) -> str:
        """The answer for people."""
        lines = [self.subject, *(f"  {_stamp(line.time)}{line.text}" for line in self.story)]
        lines += [f"  Not readable with your rights: {what}." for what in self.unread]
        return "\n".join([*lines, "", f"Cause: {self.cause}", f"Do: {self.remedy}"]) + "\n"


def _stamp(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}  " if time is not None else " " * 21
