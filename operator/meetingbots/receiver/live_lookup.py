"""Searches the API server for credentials that the cache may lack, before an event counts as nobody's.

A credential may be new, or the watch may lag. Zoom never repeats an event that was answered with 204.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from typing import Final

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.mappings.decide.ownership import KnownCredential
from meetingbots.models.credential import Level
from meetingbots.receiver.credential_view import known_credential
from meetingbots.runtime.object_cache import Key

_FEW_NAMESPACES: Final = 8
"""Up to this many namespaces are searched one by one; above, one search covers the cluster."""
_CONCURRENCY: Final = 16


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
