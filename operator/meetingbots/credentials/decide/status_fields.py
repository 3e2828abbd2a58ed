"""Which part of ZoomCredential.status belongs to which writer.

Several writers share the status: the operator's token renewal, meeting sync and notifier, and the receiver. Each
applies its own fields under its own field manager (server-side apply); an apply removes the fields that the same
manager applied before and leaves out now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from meetingbots.models.conditions import ConditionType
from meetingbots.models.credential import CredentialStatus


class StatusManager(StrEnum):
    """The field managers of ZoomCredential.status."""

    TOKENS = "meetingbots-operator"
    SYNC = "meetingbots-operator-sync"
    NOTIFIER = "meetingbots-operator-notify"
    DEAUTHORIZATION = "meetingbots-receiver"
    USER_REMOVAL = "meetingbots-receiver-users"
    CONSENTS = "meetingbots-receiver-connect"
    WEBHOOKS = "meetingbots-receiver-webhooks"


@dataclass(frozen=True)
class OwnedFields:
    """The fields of the status (as in the API) and the types of conditions that one manager writes."""

    fields: frozenset[str]
    conditions: frozenset[str] = frozenset()


OWNERSHIP: Final[Mapping[StatusManager, OwnedFields]] = MappingProxyType(
    {
        StatusManager.TOKENS: OwnedFields(
            fields=frozenset(
                {
                    "observedGeneration",
                    "userId",
                    "accountId",
                    "email",
                    "pmi",
                    "grantedScopes",
                    "missingScopes",
                    "expiresAt",
                    "lastRefreshTime",
                    "nextRefreshTime",
                    "consecutiveFailures",
                    "lastError",
                    "lastHandledRefreshRequest",
                    "connectURL",
                    "handledConsents",
                    "endedGrant",
                }
            ),
            conditions=frozenset(
                {ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED, ConditionType.GRANT_REJECTED}
            ),
        ),
        StatusManager.SYNC: OwnedFields(
            fields=frozenset({"meetings", "lastHandledSyncRequest"}),
            conditions=frozenset({ConditionType.MEETINGS_SYNCED}),
        ),
        StatusManager.NOTIFIER: OwnedFields(fields=frozenset({"lastNotification"})),
        StatusManager.DEAUTHORIZATION: OwnedFields(fields=frozenset({"deauthorization"})),
        StatusManager.USER_REMOVAL: OwnedFields(fields=frozenset({"userRemoval"})),
        StatusManager.CONSENTS: OwnedFields(fields=frozenset({"receivedConsents", "consentDeclinedTime"})),
        StatusManager.WEBHOOKS: OwnedFields(
            fields=frozenset({"lastWebhookTime"}), conditions=frozenset({ConditionType.WEBHOOK_RECEIVING})
        ),
    }
)
_OMITTED_WHEN_EMPTY: Final = frozenset({"handledConsents", "receivedConsents"})


def owned_part(status: CredentialStatus, *, manager: StatusManager) -> dict[str, Any]:
    """Return the manager's part of `status` as JSON."""
    owned = OWNERSHIP[manager]
    part = {
        name: value
        for name, value in status.to_dict().items()
        if name in owned.fields and (value or name not in _OMITTED_WHEN_EMPTY)
    }
    conditions = [condition.to_dict() for condition in status.conditions if condition.type in owned.conditions]
    return {**part, "conditions": conditions} if conditions else part


def differs(wanted: CredentialStatus, present: CredentialStatus, *, manager: StatusManager) -> bool:
    """Return whether the manager's part of the two differs; the order of conditions does not count."""
    return _comparable(wanted, manager) != _comparable(present, manager)


def _comparable(status: CredentialStatus, manager: StatusManager) -> dict[str, Any]:
    part = owned_part(status, manager=manager)
    return {**part, "conditions": {one["type"]: one for one in part.get("conditions", ())}}
