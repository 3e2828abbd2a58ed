"""Whether Zoom's webhooks arrive: the condition WebhookReceiving, which the receiver sets to True.

Zoom validates the address every 72 hours, even for users without meetings. If not even that arrives, the
address in the Zoom app is wrong or missing, or Zoom has disabled it; then the condition turns False.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from meetingbots.models.conditions import Condition, ConditionStatus, ConditionType, find, set_condition
from meetingbots.models.credential import WebhookReason, ZoomCredential

LONGEST_SILENCE: Final = timedelta(hours=76)
"""Zoom's 72 hours, its retries, and the precision of one hour in lastWebhookTime."""


def webhook_url(client_id: str, *, public_url: str) -> str:
    """Return the address to set in the Zoom app, with placeholders for unknown parts."""
    base = public_url.rstrip("/") or "https://<public address of the receiver>"
    return f"{base}/webhooks/{client_id or '<client ID of the app>'}"


def silence(credential: ZoomCredential, *, client_id: str, public_url: str, now: datetime) -> list[Condition] | None:
    """Return the conditions when nothing has arrived for too long; None if nothing changes."""
    status = credential.status
    heard = status.last_webhook_time or credential.metadata.creation_timestamp
    if heard is None or now - heard <= LONGEST_SILENCE:
        return None
    url = webhook_url(client_id, public_url=public_url)
    since = "yet" if status.last_webhook_time is None else "for more than three days"
    message = (
        f"No webhook has arrived {since}, not even the validation that Zoom sends every 72 hours. In Zoom's "
        f"Marketplace, set the app's event notification endpoint URL to {url} and validate it there."
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
