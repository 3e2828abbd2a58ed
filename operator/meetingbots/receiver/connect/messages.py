"""What the connect pages say about links and about Zoom's answer: what happened, and what to do now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """What kind of message it is; sets the page's colour."""

    INFO = "info"
    SUCCESS = "success"
    PENDING = "pending"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message. `outcome` names it for programs; `retry` offers the link for another attempt."""

    outcome: str
    severity: Severity
    title: str
    text: tuple[str, ...]
    retry: bool = False
    status: int = 200


def error(outcome: str, title: str, *text: str, retry: bool = False, status: int = 200) -> Message:
    """Make a message about a failure."""
    return Message(outcome=outcome, severity=Severity.ERROR, title=title, text=text, retry=retry, status=status)


def pending(outcome: str, title: str, *text: str) -> Message:
    """Make a message about something that is not finished."""
    return Message(outcome=outcome, severity=Severity.PENDING, title=title, text=text)


_ASK_SENDER: Final = "Please ask the people who sent you the link for a new one."
TELL_SENDER: Final = "Please tell the people who sent you the link. You cannot fix this yourself."
TRY_AGAIN: Final = "Please try again."

INVALID = error(
    "invalid",
    "This link does not work",
    "It is incomplete or has been changed. If you copied it, check that you copied all of it.",
    _ASK_SENDER,
    status=403,
)
EXPIRED = error(
    "expired",
    "This link has expired",
    "For your safety, links like this work for a few days only.",
    _ASK_SENDER,
    status=410,
)
USED = error(
    "used",
    "This link has already been used",
    "Someone has connected a Zoom account with it. If that was you, there is nothing left to do.",
    "If it was not you, or if you want to connect again, please ask the people who sent you the link for a new one.",
    status=410,
)
GONE = error(
    "gone",
    "This link is not needed any more",
    "The connection that it belongs to has been removed or changed.",
    _ASK_SENDER,
    status=410,
)
PAUSED = error(
    "paused",
    "Connecting is paused",
    "The people who sent you the link have paused this connection.",
    "Please try again later, or ask them.",
    status=409,
)
NOT_SET_UP = error(
    "not-set-up",
    "This cannot be used yet",
    "The Zoom app that asks for your consent is not completely set up on our side.",
    TELL_SENDER,
    status=503,
)
LATER = error(
    "later",
    "Please wait a moment",
    "The service is not ready. This page tries again every few seconds.",
    status=503,
)
BUSY = error(
    "busy",
    "Please try again later",
    "Several earlier attempts are still in progress.",
    "Please wait a few minutes and open your link again.",
    status=503,
)
NOT_OURS = error(
    "not-ours",
    "This does not belong to a connection that you started",
    "The address of this page is incomplete or has been changed. Nothing was connected.",
    "Please open your link again.",
    status=400,
)
OTHER_BROWSER = error(
    "other-browser",
    "Please start in this browser",
    "The connection was started in another browser or a private window, or this browser refuses cookies. For your "
    "safety, it must be finished in the browser where it was started. Nothing was connected.",
    "Please open your link again in this browser and continue from there.",
    status=403,
)
REFUSED = error(
    "refused",
    "You have not given access",
    "You declined at Zoom. Nothing was connected and nothing was shared.",
    "If that was a mistake, you can try again.",
    retry=True,
)
ZOOM_SAYS_NO = error(
    "zoom-refused",
    "Zoom did not go on",
    "Zoom sent you back without a consent. Nothing was connected.",
    "Please try again. If it happens again, please tell the people who sent you the link.",
    retry=True,
)
TOO_SLOW = error(
    "too-slow",
    "That took too long",
    "For your safety, you have ten minutes to agree at Zoom. That time has passed. Nothing was connected.",
    TRY_AGAIN,
    retry=True,
    status=410,
)
USED_TWICE = error(
    "used-twice",
    "This answer from Zoom has already been used",
    "Each consent can be used once, and this one has been used. Perhaps the page was opened a second time.",
    status=409,
)
