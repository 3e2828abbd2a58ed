"""Finds the line of a program's last output that says why it ended."""

from __future__ import annotations

import json
import re
from typing import Final

_MAX_LENGTH: Final = 300
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ERROR: Final = re.compile(r"\b(FATAL|CRITICAL|ERROR|PANIC)\b|\b(fatal|error|exception|panic)\b[:=\]]", re.IGNORECASE)
_FRAME: Final = re.compile(r"^\s+(at |File \"|\.\.\. \d+ more)|^goroutine \d+|^\s*(\d+: |note: )|^Node\.js v\d|^\^+$")
_EXCEPTION: Final = re.compile(
    r"^(Exception in thread \"[^\"]*\" |Caused by: |Uncaught )?[\w$.]*(Error|Exception|Exit|Interrupt)\b(?=$|:| \[)"
)
_CRASHES: Final = (
    re.compile(r"^Caused by: .+"),
    re.compile(r"^(panic|fatal error): .+"),
    re.compile(r"^thread '.*' panicked at .+"),
    re.compile(r"^\s+what\(\):\s+.+"),
    re.compile(r"^.*\b(Segmentation fault|Aborted|Bus error|Illegal instruction)\b.*"),
)
_LEVELS: Final = frozenset({"error", "fatal", "critical", "panic", "crit", "alert", "emergency"})


def telling_line(output: str) -> str:
    """The line that names the cause, at most 300 characters; empty if the output is.

    The last exception or crash counts, then the last line that is logged as an error, then the last line.
    """
    lines = [_ESCAPES.sub("", line).rstrip() for line in output.splitlines()]
    lines = [line for line in lines if line.strip()]
    if not lines:
        return ""
    line = _exception(lines) or _crash(lines) or _logged_error(lines) or _last(lines)
    line = " ".join(line.split())
    return line if len(line) <= _MAX_LENGTH else f"{line[: _MAX_LENGTH - 1]}…"


def _exception(lines: list[str]) -> str:
    """The last exception of Python, Java, Node and the like; the class stands at the beginning of a line."""
    traceback = next((at for at in reversed(range(len(lines))) if lines[at].startswith("Traceback ")), None)
    if traceback is not None:
        raised = next((line for line in lines[traceback + 1 :] if not line[0].isspace()), "")
        if raised:
            return raised
    return next((line for line in reversed(lines) if _EXCEPTION.match(line)), "")


def _crash(lines: list[str]) -> str:
    for pattern in _CRASHES:
        at = next((index for index in range(len(lines) - 1, -1, -1) if pattern.match(lines[index])), None)
        if at is not None:
            # Rust writes the message of a panic on the next line.
            follows = lines[at].endswith(":") and at + 1 < len(lines)
            return f"{lines[at]} {lines[at + 1]}" if follows else lines[at]
    return ""


def _logged_error(lines: list[str]) -> str:
    for line in reversed(lines):
        structured = _structured(line)
        if structured or (_ERROR.search(line) and not line.lstrip().startswith("{")):
            return structured or line
    return ""


def _structured(line: str) -> str:
    """The message of a JSON log line of an error level; empty for any other line."""
    if not line.lstrip().startswith("{"):
        return ""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    level = str(entry.get("level") or entry.get("severity") or entry.get("lvl") or "").lower()
    message = entry.get("msg") or entry.get("message") or entry.get("error") or entry.get("err")
    return str(message) if level in _LEVELS and message else ""


def _last(lines: list[str]) -> str:
    return next((line for line in reversed(lines) if not _FRAME.match(line)), lines[-1])
