"""The result of a check of `kubectl meetingbots doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Colour(StrEnum):
    """How a check ended. The exit code of `doctor` is 0, 1 or 2 by the worst."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True)
class Check:
    """The result of one check, with what to do unless it is green."""

    colour: Colour
    text: str
    remedy: str = ""
