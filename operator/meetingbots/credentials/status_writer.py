"""Writes ZoomCredential.status. No other module does.

Several writers share the status: the operator's token renewal, meeting sync and notifier, and the receiver. Each
applies its own fields under its own field manager (server-side apply); an apply removes the fields that the same
manager applied before and leaves out now.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.models.base import format_time
from meetingbots.models.conditions import Condition, ConditionType
from meetingbots.models.credential import CredentialStatus, ZoomCredential
from meetingbots.runtime.object_cache import Key, ObjectCache


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


@dataclass(frozen=True, kw_only=True)
class StatusTarget:
    """The object to write to. A write fails with `ConflictError` when the uid, or a given resourceVersion, differs."""

    key: Key
    uid: str
    resource_version: str = ""

    @classmethod
    def of(cls, credential: ZoomCredential, *, unchanged: bool = False) -> StatusTarget:
        """Address `credential`; `unchanged` requires that nobody has written to it since it was read."""
        metadata = credential.metadata
        return cls(
            key=Key(metadata.namespace, metadata.name),
            uid=metadata.uid,
            resource_version=metadata.resource_version if unchanged else "",
        )

    def metadata(self) -> Object:
        """Return the preconditions as the API server reads them."""
        values = {"uid": self.uid, "resourceVersion": self.resource_version}
        return {name: value for name, value in values.items() if value}


class CredentialStatusWriter:
    """Writes parts of ZoomCredential.status, and puts the answer into `cache`.

    Every method returns False when the object does not exist, and raises `KubeError`.
    """

    def __init__(self, *, kube: Kube, cache: ObjectCache | None = None) -> None:
        self._kube = kube
        self._cache = cache

    async def apply(self, target: StatusTarget, status: CredentialStatus, *, manager: StatusManager) -> bool:
        """Make the manager's part of the status equal to that of `status`; other parts stay."""
        return await self._write(
            target,
            self._kube.apply(
                CREDENTIALS,
                namespace=target.key.namespace,
                name=target.key.name,
                body={"metadata": target.metadata(), "status": owned_part(status, manager=manager)},
                manager=manager,
                subresource="status",
            ),
        )

    async def replace_conditions(self, target: StatusTarget, conditions: Iterable[Condition]) -> bool:
        """Replace all conditions without taking them from their managers."""
        return await self._patch(target, {"conditions": [condition.to_dict() for condition in conditions]})

    async def clear_user_removal(self, target: StatusTarget, *, next_sync: datetime | None = None) -> bool:
        """Remove `userRemoval` of any manager and plan the next meeting sync."""
        status: Object = {"userRemoval": None}
        if next_sync is not None:
            status["meetings"] = {"nextSyncTime": format_time(next_sync)}
        return await self._patch(target, status)

    async def _patch(self, target: StatusTarget, status: Object) -> bool:
        return await self._write(
            target,
            self._kube.patch(
                CREDENTIALS,
                namespace=target.key.namespace,
                name=target.key.name,
                patch={"metadata": target.metadata(), "status": status},
                subresource="status",
            ),
        )

    async def _write(self, target: StatusTarget, request: Awaitable[Object]) -> bool:
        try:
            written = await request
        except NotFoundError:
            if self._cache is not None:
                self._cache.drop(target.key, uid=target.uid)
            return False
        known = self._cache.get(target.key) if self._cache is not None else None
        if self._cache is not None and known is not None and known["metadata"].get("uid") == target.uid:
            self._cache.put(written)
        return True
