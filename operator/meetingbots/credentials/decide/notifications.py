"""Whether a namespace's webhook is to be told something of a credential: that it needs its user, or is healthy again.

Level-triggered: what was told last is compared with what is so. What passes by itself (Zoom away, an app Secret that is
being repaired) is not told; nor is what nobody was told of in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meetingbots.models.conditions import Condition, ConditionType, find
from meetingbots.models.credential import CredentialReason, ZoomCredential


class NoticeType(StrEnum):
    """What can be told."""

    READY = "credential.ready"
    NEEDS_USER = "credential.needs_user"


NEEDS_USER: Final = frozenset(
    {
        CredentialReason.WAITING_FOR_CONSENT,
        CredentialReason.REAUTHORIZATION_REQUIRED,
        CredentialReason.ROTATION_INTERRUPTED,
        CredentialReason.DEAUTHORIZED,
        CredentialReason.USER_MISMATCH,
        CredentialReason.SCOPES_MISSING,
    }
)
"""Reasons that only a new consent of the person mends."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What is to be told, and the condition that it follows from."""

    type: NoticeType
    condition: Condition


def notice_for(credential: ZoomCredential) -> Notice | None:
    """What is to be told now; None if that was told already, or there is nothing to tell."""
    ready = find(credential.status.conditions, ConditionType.READY)
    if ready is None:
        return None
    if ready.status == "True":
        notice = Notice(type=NoticeType.READY, condition=ready)
    elif ready.reason in NEEDS_USER:
        notice = Notice(type=NoticeType.NEEDS_USER, condition=ready)
    else:
        return None
    told = credential.status.last_notification
    return None if told is not None and (told.type, told.reason) == (notice.type, ready.reason) else notice
