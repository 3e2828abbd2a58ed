"""Notices about a credential to the namespace's webhook: that it needs its user, or is ready again.

The last accepted notice is compared with the present condition. States that pass without the user (Zoom unreachable, an
app Secret under repair) cause no notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meetingbots.models.base import format_time
from meetingbots.models.conditions import Condition, ConditionStatus, ConditionType, find
from meetingbots.models.credential import CredentialReason, ZoomCredential
from meetingbots.runtime.standard_webhooks import WebhookMessage, message_body, message_id


class NoticeType(StrEnum):
    """The types of notices."""

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
"""Only a new consent of the user fixes these."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A notice and the condition that it reports."""

    type: NoticeType
    condition: Condition


def notice_for(credential: ZoomCredential) -> Notice | None:
    """Return the notice that is due; None if there is none."""
    ready = find(credential.status.conditions, ConditionType.READY)
    if ready is None:
        return None
    if ready.status is ConditionStatus.TRUE:
        notice = Notice(type=NoticeType.READY, condition=ready)
    elif ready.reason in NEEDS_USER:
        notice = Notice(type=NoticeType.NEEDS_USER, condition=ready)
    else:
        return None
    sent = credential.status.last_notification
    return None if sent is not None and (sent.type, sent.reason) == (notice.type, ready.reason) else notice


def notice_message(notice: Notice, *, credential: ZoomCredential) -> WebhookMessage:
    """Return the message. It holds no data of the Zoom user; it holds the connect link when consent is needed."""
    changed_at = notice.condition.last_transition_time
    data = {
        "namespace": credential.namespace,
        "name": credential.name,
        "uid": credential.metadata.uid,
        "labels": dict(credential.metadata.labels),
        "reason": notice.condition.reason,
        "message": notice.condition.message,
    }
    if notice.type is NoticeType.NEEDS_USER and credential.status.connect_url:
        data["connectURL"] = credential.status.connect_url
    return WebhookMessage(
        id=message_id(credential.metadata.uid, notice.type, notice.condition.reason, format_time(changed_at)),
        body=message_body(notice.type.value, at=changed_at, data=data),
    )
