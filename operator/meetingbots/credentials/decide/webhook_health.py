"""Whether Zoom's webhooks arrive: the condition WebhookReceiving, which the receiver sets to True.

Zoom validates the address every 72 hours, even for users without meetings. If not even that arrives, the
address in the Zoom app is wrong or missing, or Zoom has disabled it; then the condition turns False.
"""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class WebhookApp:
    """The app as far as webhooks need it. `secret_name` is set while the app Secret has no webhook_secret_token."""

    client_id: str
    public_url: str
    secret_name: str = ""


def webhook_health(credential: ZoomCredential, app: WebhookApp, *, now: datetime) -> list[Condition] | None:
    """Return the conditions when the operator must change WebhookReceiving; None if it must not.

    Unknown until the first webhook, and False after too long a silence. What the receiver has written stays otherwise.
    """
    status = credential.status
    known = find(status.conditions, ConditionType.WEBHOOK_RECEIVING)
    heard = status.last_webhook_time or credential.metadata.creation_timestamp
    silent = heard is not None and now - heard > LONGEST_SILENCE
    rejected = known is not None and known.reason == WebhookReason.SIGNATURE_INVALID
    unheard = status.last_webhook_time is None and (known is None or known.status is ConditionStatus.UNKNOWN)
    if rejected or not (silent or unheard):
        return None
    wanted = ConditionStatus.FALSE if silent else ConditionStatus.UNKNOWN
    message = _silence_message(credential, app) if silent else _first_message(app)
    if known is not None and (known.status, known.message) == (wanted, message):
        return None
    return set_condition(
        status.conditions,
        type=ConditionType.WEBHOOK_RECEIVING,
        status=wanted,
        reason=WebhookReason.NOTHING_RECEIVED,
        message=message,
        generation=credential.metadata.generation,
        now=now,
    )


def _silence_message(credential: ZoomCredential, app: WebhookApp) -> str:
    since = "yet" if credential.status.last_webhook_time is None else "for more than three days"
    return f"No webhook has arrived {since}, not even the validation that Zoom sends every 72 hours. {_remedy(app)}"


def _first_message(app: WebhookApp) -> str:
    return f"No webhook has arrived yet. {_remedy(app)}"


def _remedy(app: WebhookApp) -> str:
    if app.secret_name:
        return (
            f"Secret {app.secret_name} has no key webhook_secret_token, so the receiver cannot verify webhooks: copy "
            "the app's secret token from Zoom's Marketplace."
        )
    url = webhook_url(app.client_id, public_url=app.public_url)
    return f"In Zoom's Marketplace, set the app's event notification endpoint URL to {url} and validate it there."
