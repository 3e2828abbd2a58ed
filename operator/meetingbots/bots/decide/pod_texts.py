"""A Pod's texts: the line that says why a program ended, and every text without secrets, for status and Events.

With terminationMessagePolicy FallbackToLogsOnError a container's message is the end of its log (Kubernetes, Pod). A
program that logs its command line or its link leaves tokens and passcodes there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from pydantic import SecretStr

from meetingbots.bots.decide.pod_state import ContainerState, PodState

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


HIDDEN: Final = "[hidden]"
_SHORT: Final = 4
"""Below this length a secret is hidden only as a whole word, because it may be a part of ordinary words."""
_PARAMETER: Final = re.compile(r"(?i)\b((?:pwd|passcode|password|tk|zak|token|access_token|secret)=)[^\s&\"']+")
_JWT: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]+)*")
_LONG: Final = re.compile(
    r"(?<![A-Za-z0-9_+=-])(?=[A-Za-z0-9_+=-]*[0-9])(?=[A-Za-z0-9_+=-]*[G-Zg-z])[A-Za-z0-9_+=-]{40,}"
)
"""A long word with digits and letters beyond hexadecimal, so that paths and digests stay readable."""


def without_secrets(text: str, *, known: Iterable[SecretStr | None] = ()) -> str:
    """`text` without the known secrets and without anything that looks like a token."""
    values = {secret.get_secret_value() for secret in known if secret is not None}
    forms = (values | {quote(value, safe="") for value in values}) - {""}
    for form in sorted(forms, key=len, reverse=True):
        whole_word = rf"(?<!\w){re.escape(form)}(?!\w)"
        text = re.sub(re.escape(form) if len(form) >= _SHORT else whole_word, HIDDEN, text)
    text = _PARAMETER.sub(rf"\g<1>{HIDDEN}", text)
    return _LONG.sub(HIDDEN, _JWT.sub(HIDDEN, text))


def presentable(pod: PodState, *, known: Iterable[SecretStr | None] = ()) -> PodState:
    """The Pod's state with texts that are safe to show."""
    if not pod.has_text:
        return pod
    secrets, gate = tuple(known), pod.gate_message

    def clean(text: str) -> str:
        return without_secrets(text, known=secrets)

    def shown(container: ContainerState) -> ContainerState:
        # The message that the late-token gate recognises stays: a passcode may be a part of the Pod's name.
        waiting = container.waiting_message
        return replace(
            container, message=clean(container.message), waiting_message=waiting if waiting == gate else clean(waiting)
        )

    return replace(
        pod,
        message=clean(pod.message),
        disruption=clean(pod.disruption),
        unschedulable=clean(pod.unschedulable),
        bot=shown(pod.bot) if pod.bot else None,
        others=tuple(map(shown, pod.others)),
        init=tuple(map(shown, pod.init)),
    )
