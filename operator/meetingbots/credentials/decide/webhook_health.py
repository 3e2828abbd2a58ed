"""Whether Zoom's webhooks still arrive: the condition WebhookReceiving, which the receiver makes True.

Even an app whose users have no meetings gets something every 72 hours, Zoom's validation of the address. When not even
that came, the address in the Zoom app is wrong or missing, or Zoom has given it up; then the condition turns False.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from meetingbots.models.conditions import Condition, ConditionStatus, ConditionType, find, set_condition
from meetingbots.models.credential import WebhookReason, ZoomCredential

LONGEST_SILENCE: Final = timedelta(hours=76)
"""Zoom's 72 hours, and room for its tries and for a time that is noted once an hour."""


def webhook_url(client_id: str, *, public_url: str) -> str:
    """The address that is to be set in the Zoom app; with words in the place of what is not known here."""
    base = public_url.rstrip("/") or "https://<public address of the receiver>"
    return f"{base}/webhooks/{client_id or '<client ID of the app>'}"


def silence(credential: ZoomCredential, *, client_id: str, public_url: str, now: datetime) -> list[Condition] | None:
    """The conditions once nothing has come for too long; None: something has, or it is told already."""
    status = credential.status
    heard = status.last_webhook_time or credential.metadata.creation_timestamp
    if heard is None or now - heard <= LONGEST_SILENCE:
        return None
    url = webhook_url(client_id, public_url=public_url)
    since = "never" if status.last_webhook_time is None else "not for more than three days"
    message = (
        f"A webhook has come {since}, not even Zoom's validation that it sends every 72 hours. In Zoom's Marketplace, "
        f"set the app's event notification endpoint URL to {url} and validate it there."
    )
    known = find(status.conditions, ConditionType.WEBHOOK_RECEIVING)
    if known is not None and known.status is ConditionStatus.FALSE and known.message == message:
        return None
    return set_condition(
        status.conditions,
        type=ConditionType.WEBHOOK_RECEIVING,
        status=ConditionStatus.FALSE,
        reason=WebhookReason.NOTHING_RECEIVED,
        message=message,
        generation=credential.metadata.generation,
        now=now,
    )
