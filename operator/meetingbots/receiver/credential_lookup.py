"""What the receiver reads from ZoomCredentials, and the search for those that the cache may lack.

A credential may be new, or the watch may lag. Zoom never repeats an event that was answered with 204.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meetingbots.credentials.decide.granted import has_admin_scope
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.mappings.decide.ownership import KnownCredential
from meetingbots.models.conditions import ConditionStatus, ConditionType
from meetingbots.models.credential import CredentialReason, Level, WebhookReason
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.resources import iso_moment

_FEW_NAMESPACES: Final = 8
"""Up to this many namespaces are searched one by one; above, one search covers the cluster."""
_CONCURRENCY: Final = 16
_OF_THE_APP: Final = frozenset({ConditionType.READY, ConditionType.RECONCILING})


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


def is_app_accepted(item: Object) -> bool:
    """Return whether the operator checks the credential's app at Zoom (not while suspended) and no rejection stands."""
    conditions = (item.get("status") or {}).get("conditions") or ()
    reasons = {one.get("reason") for one in conditions if one.get("type") in _OF_THE_APP}
    return reasons.isdisjoint({CredentialReason.APP_INVALID, CredentialReason.SUSPENDED})


class LiveLookup:
    """Searches by the selectable fields `status.userId`, `status.accountId` and `spec.level`, so answers are short.

    `everywhere`: the receiver may list credentials in the whole cluster.
    """

    def __init__(self, *, kube: Kube, everywhere: bool) -> None:
        self._kube = kube
        self._everywhere = everywhere

    async def find(
        self, apps: Collection[Key], account_id: str, *, user_ids: Collection[str]
    ) -> dict[Key, list[KnownCredential]]:
        """Return the account's credentials of these users and of level Account, grouped by app Secret.

        Without users, all credentials of the account. The ids must be well-formed. Raises `KubeError`.
        """
        namespaces = sorted({app.namespace for app in apps})
        everywhere = self._everywhere and len(namespaces) > _FEW_NAMESPACES
        places: list[str | None] = [None] if everywhere else [*namespaces]
        semaphore = asyncio.Semaphore(_CONCURRENCY)
        searches = [
            self._list(place, selector, semaphore=semaphore)
            for place in places
            for selector in _selectors(account_id, user_ids)
        ]
        found: dict[Key, dict[str, KnownCredential]] = {}
        for items in await asyncio.gather(*searches):
            for one in map(known_credential, items):
                app = Key(one.namespace, one.app)
                if app in apps and one.account_id == account_id:
                    found.setdefault(app, {})[one.name] = one
        return {app: list(group.values()) for app, group in found.items()}

    async def _list(self, namespace: str | None, selector: str, *, semaphore: asyncio.Semaphore) -> list[Object]:
        async with semaphore:
            found = self._kube.list(CREDENTIALS, namespace=namespace, field_selector=selector)
            return [item async for item in found]


def _selectors(account_id: str, user_ids: Collection[str]) -> Iterator[str]:
    if not user_ids:
        yield f"status.accountId={account_id}"
        return
    for user_id in user_ids:
        yield f"status.userId={user_id},status.accountId={account_id}"
    yield f"status.accountId={account_id},spec.level={Level.ACCOUNT.value}"
