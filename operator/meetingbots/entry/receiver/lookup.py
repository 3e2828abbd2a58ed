"""The look behind the cache: before an event is nobody's, the API server is asked for its host's credential.

A credential may have been made a moment ago, or the watch may be behind; what is answered with 204 never comes again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from meetingbots.decide.ownership import KnownCredential
from meetingbots.entry.receiver.directory import known_credential
from meetingbots.kube.client import Kube
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.models.credential import Level
from meetingbots.reconcile.cache import Key


class LiveLookup:
    """Asks the API server by the selectable fields `status.userId`, `status.accountId` and `spec.level`.

    So the answers are short, however many credentials an account or a namespace has.
    """

    def __init__(self, *, kube: Kube) -> None:
        self._kube = kube

    async def people(
        self, *, apps: Collection[Key], account_id: str, user_ids: Collection[str]
    ) -> dict[Key, list[KnownCredential]]:
        """Credentials of this account that belong to one of the users or speak for the account, by their app's Secret.

        The ids must be of the shape of ids. Raises `KubeError`.
        """
        found: dict[Key, dict[str, KnownCredential]] = {}
        for namespace in sorted({app.namespace for app in apps}):
            for selector in _selectors(account_id, user_ids):
                async for item in self._kube.list(CREDENTIALS, namespace=namespace, field_selector=selector):
                    one = known_credential(item)
                    app = Key(namespace, one.app)
                    if app in apps and one.account_id == account_id:
                        found.setdefault(app, {})[one.name] = one
        return {app: list(people.values()) for app, people in found.items()}


def _selectors(account_id: str, user_ids: Collection[str]) -> Iterator[str]:
    for user_id in user_ids:
        yield f"status.userId={user_id},status.accountId={account_id}"
    yield f"status.accountId={account_id},spec.level={Level.ACCOUNT.value}"
