"""What the receiver reads from a ZoomCredential object."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from meetingbots.credentials.decide.level import has_admin_scope
from meetingbots.kube.client import Object
from meetingbots.mappings.decide.ownership import KnownCredential
from meetingbots.models.conditions import ConditionStatus, ConditionType
from meetingbots.models.credential import Level, WebhookReason
from meetingbots.zoom.resources import iso_moment


@dataclass(frozen=True)
class WebhookStatus:
    """What a credential's status says about webhooks.

    `since`: since when they arrive, None if the condition is not True. `last`: the last one that was noted.
    `rejected`: the status says that no secret verifies them.
    """

    uid: str
    generation: int
    since: datetime | None
    last: datetime | None
    rejected: bool = False


def known_credential(item: Object) -> KnownCredential:
    """Read the fields that decide which events concern a credential. Fields of an unexpected shape count as empty."""
    metadata, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    return KnownCredential(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        app=(spec.get("appSecretRef") or {}).get("name", ""),
        level=_level(spec, status),
        user_id=status.get("userId") or "",
        account_id=status.get("accountId") or "",
        pmi=status.get("pmi") or "",
        email=(status.get("email") or "").lower(),
        renewed=iso_moment(status.get("lastRefreshTime")),
        deauthorized=iso_moment((status.get("deauthorization") or {}).get("time")),
        removed=iso_moment((status.get("userRemoval") or {}).get("time")),
    )


def _level(spec: Object, status: Object) -> Level:
    """Return Account only if Zoom granted an admin scope, as `effective_level` does for the model."""
    scopes = status.get("grantedScopes") or ()
    return Level.ACCOUNT if spec.get("level") == Level.ACCOUNT and has_admin_scope(scopes) else Level.USER


def webhook_status(item: Object) -> WebhookStatus:
    """Read condition WebhookReceiving and the time of the last webhook."""
    status = item.get("status") or {}
    condition: Object = next(
        (one for one in status.get("conditions") or () if one.get("type") == ConditionType.WEBHOOK_RECEIVING), {}
    )
    receives = condition.get("status") == ConditionStatus.TRUE
    return WebhookStatus(
        uid=item["metadata"].get("uid", ""),
        generation=item["metadata"].get("generation", 0),
        since=iso_moment(condition.get("lastTransitionTime")) if receives else None,
        last=iso_moment(status.get("lastWebhookTime")),
        rejected=condition.get("reason") == WebhookReason.SIGNATURE_INVALID,
    )
