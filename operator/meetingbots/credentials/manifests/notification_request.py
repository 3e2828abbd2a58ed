"""Encodes a notice about a credential as a message for the namespace's webhook."""

from __future__ import annotations

from meetingbots.credentials.decide.notifications import Notice, NoticeType
from meetingbots.models.base import format_time
from meetingbots.models.credential import ZoomCredential
from meetingbots.runtime.standard_webhooks import WebhookMessage, message_body, message_id


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
