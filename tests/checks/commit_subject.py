"""Commit hook: the first line of a message is at most 72 characters long, and a blank line follows it."""

from __future__ import annotations

import sys
from pathlib import Path

LIMIT = 72


def problem_of(message: str) -> str | None:
    """What is wrong with a commit message, or None."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject = lines[0] if lines else ""
    if not subject.strip():
        return "the subject is empty"
    if len(subject) > LIMIT and not subject.startswith(("fixup! ", "squash! ")):
        return f"the subject has {len(subject)} characters, the limit is {LIMIT}"
    if subject.endswith("."):
        return "the subject ends with a full stop"
    if len(lines) > 1 and lines[1].strip():
        return "a blank line is missing after the subject"
    return None


def main(path: str) -> int:
    """Exit code 1, with the problem on standard error, for a message that is not well formed."""
    problem = problem_of(Path(path).read_text(encoding="utf-8"))
    if problem is not None:
        print(f"commit message: {problem}", file=sys.stderr)
    return int(problem is not None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
