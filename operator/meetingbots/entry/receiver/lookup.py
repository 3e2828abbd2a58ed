"""The look behind the cache: before an event is nobody's, the API server is asked for its host's credential.

A credential may have been made a moment ago, or the watch may be behind; what is answered with 204 never comes again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from meetingbots.decide.ownership import KnownCredential
from meetingbots.entry.receiver.directory import known_credential
from meetingbots.kube.client import Kube
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.models.credential import Level
from meetingbots.reconcile.cache import Key

_ACCOUNT_SECONDS: Final = 5.0
_MOST_REMEMBERED: Final = 10_000


class LiveLookup:
    """Asks the API server by the selectable fields `status.userId` and `status.accountId`.

    A user's own credentials are asked for each time. An account's list may be long, so whether it has one of level
    Account is asked once in five seconds of `clock` (monotonic); the watch tells of new ones meanwhile.
    """

    def __init__(self, *, kube: Kube, clock: Callable[[], float]) -> None:
        self._kube = kube
        self._clock = clock
        self._asked: dict[tuple[Key, str], float] = {}

    async def people(
        self, *, apps: Collection[Key], account_id: str, user_ids: Collection[str]
    ) -> list[KnownCredential]:
        """Credentials of these apps and this account that belong to one of the users or speak for the account.

        The ids must be of the shape of ids. Raises `KubeError`.
        """
        found: dict[Key, KnownCredential] = {}
        for app in apps:
            for user_id in user_ids:
                await self._ask(found, app, account_id, f"status.userId={user_id}")
            if not self._asked_lately(app, account_id):
                await self._ask(found, app, account_id, f"status.accountId={account_id}", only=Level.ACCOUNT)
                self._remember(app, account_id)
        return list(found.values())

    async def _ask(
        self, found: dict[Key, KnownCredential], app: Key, account_id: str, selector: str, only: Level | None = None
    ) -> None:
        async for item in self._kube.list(CREDENTIALS, namespace=app.namespace, field_selector=selector):
            one = known_credential(item)
            if one.app == app.name and one.account_id == account_id and only in (None, one.level):
                found[Key(one.namespace, one.name)] = one

    def _asked_lately(self, app: Key, account_id: str) -> bool:
        asked = self._asked.get((app, account_id))
        return asked is not None and self._clock() - asked < _ACCOUNT_SECONDS

    def _remember(self, app: Key, account_id: str) -> None:
        if len(self._asked) >= _MOST_REMEMBERED:
            self._asked.clear()
        self._asked[app, account_id] = self._clock()
