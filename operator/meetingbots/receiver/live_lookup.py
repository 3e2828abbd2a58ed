"""The look behind the cache: before an event is nobody's, the API server is asked for its host's credential.

A credential may have been made a moment ago, or the watch may be behind; what is answered with 204 never comes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from typing import Final

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.mappings.decide.ownership import KnownCredential
from meetingbots.models.credential import Level
from meetingbots.receiver.app_directory import known_credential
from meetingbots.runtime.object_cache import Key

_FEW_NAMESPACES: Final = 8
"""Up to so many are asked one by one, which spares the API server a search in all of them."""
_AT_ONCE: Final = 16


class LiveLookup:
    """Asks the API server by the selectable fields `status.userId`, `status.accountId` and `spec.level`.

    So the answers are short, however many credentials an account or a namespace has. With `everywhere` the receiver may
    list in the whole cluster, and an app of hundreds of namespaces costs no more lists than one of a few; else they are
    asked side by side.
    """

    def __init__(self, *, kube: Kube, everywhere: bool) -> None:
        self._kube = kube
        self._everywhere = everywhere

    async def people(
        self, *, apps: Collection[Key], account_id: str, user_ids: Collection[str]
    ) -> dict[Key, list[KnownCredential]]:
        """Credentials of this account that belong to one of the users or speak for the account, by their app's Secret.

        Without any user, all credentials of the account. The ids must be of the shape of ids. Raises `KubeError`.
        """
        namespaces = sorted({app.namespace for app in apps})
        everywhere = self._everywhere and len(namespaces) > _FEW_NAMESPACES
        places: list[str | None] = [None] if everywhere else [*namespaces]
        room = asyncio.Semaphore(_AT_ONCE)
        asks = [
            self._list(place, selector, room=room) for place in places for selector in _selectors(account_id, user_ids)
        ]
        found: dict[Key, dict[str, KnownCredential]] = {}
        for items in await asyncio.gather(*asks):
            for one in map(known_credential, items):
                app = Key(one.namespace, one.app)
                if app in apps and one.account_id == account_id:
                    found.setdefault(app, {})[one.name] = one
        return {app: list(people.values()) for app, people in found.items()}

    async def _list(self, namespace: str | None, selector: str, *, room: asyncio.Semaphore) -> list[Object]:
        async with room:
            found = self._kube.list(CREDENTIALS, namespace=namespace, field_selector=selector)
            return [item async for item in found]


def _selectors(account_id: str, user_ids: Collection[str]) -> Iterator[str]:
    if not user_ids:
        yield f"status.accountId={account_id}"
        return
    for user_id in user_ids:
        yield f"status.userId={user_id},status.accountId={account_id}"
    yield f"status.accountId={account_id},spec.level={Level.ACCOUNT.value}"
