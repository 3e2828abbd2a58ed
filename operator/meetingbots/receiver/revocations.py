"""A consent that ended at Zoom: its user removed the app, or is no user any more. Told in the credential's status.

The receiver may write no more than that, and take the latter back. The operator sees it, takes the credential out of
the mappings, and asks Zoom.
"""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Final

from meetingbots.credentials.decide.revocation import CLOCK_SKEW
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.mappings.decide.ownership import KnownCredential
from meetingbots.models.credential import Deauthorization, RemovalKind, UserRemoval
from meetingbots.zoom.webhooks.events import AppDeauthorized, UserEvent

# A manager for each fact: what one of them does not repeat in its next apply is taken out of the object.
DEAUTHORIZATION_MANAGER: Final = "meetingbots-receiver"
REMOVAL_MANAGER: Final = "meetingbots-receiver-users"

_REMOVALS: Final = {
    "deactivated": RemovalKind.DEACTIVATED,
    "deleted": RemovalKind.DELETED,
    "permanently_deleted": RemovalKind.DELETED,
    "disassociated": RemovalKind.DISASSOCIATED,
}


class RevocationWriter:
    """Writes such an event into the statuses of the credentials that it is about."""

    def __init__(self, *, kube: Kube) -> None:
        self._kube = kube

    def ends_with(self, event: UserEvent) -> bool:
        """Whether this event takes a user away."""
        return event.action in _REMOVALS

    async def tell(self, credential: KnownCredential, event: UserEvent | AppDeauthorized) -> bool:
        """Write it, unless it is known or (of a removed app) tokens were renewed since; whether it was written.

        The time of it is by Zoom's clock, that of a renewal by ours: where they could differ by a wrong clock alone, it
        is written, and the operator asks Zoom. Raises `KubeError`.
        """
        if isinstance(event, AppDeauthorized):
            time = event.deauthorization_time or event.time
            told = Deauthorization(time=time, user_data_retention=event.user_data_retention)
            body, manager = {"deauthorization": told.to_dict()}, DEAUTHORIZATION_MANAGER
            known, renewed = credential.deauthorized, credential.renewed
        else:
            time = event.time
            removal = UserRemoval(time=time, kind=_REMOVALS[event.action])
            body, manager = {"userRemoval": removal.to_dict()}, REMOVAL_MANAGER
            known, renewed = credential.removed, None
        if not _is_news(time.replace(microsecond=0), known=known, renewed=renewed):
            return False
        return await self._write(credential, body, manager=manager)

    def begins_again_with(self, event: UserEvent) -> bool:
        """Whether this event says that a user who was deactivated is one again."""
        return event.action == "activated"

    async def take_back(self, credential: KnownCredential, event: UserEvent) -> bool:
        """Take out of the status that the user went, if that was before; whether it was there. Raises `KubeError`."""
        if credential.removed is None or event.time.replace(microsecond=0) <= credential.removed:
            return False
        with contextlib.suppress(NotFoundError):
            await self._kube.patch(
                CREDENTIALS,
                namespace=credential.namespace,
                name=credential.name,
                patch={"metadata": {"uid": credential.uid}, "status": {"userRemoval": None}},
                subresource="status",
            )
        return True

    async def _write(self, credential: KnownCredential, status: Object, *, manager: str) -> bool:
        try:
            await self._kube.apply(
                CREDENTIALS,
                namespace=credential.namespace,
                name=credential.name,
                body={"metadata": {"uid": credential.uid}, "status": status},
                manager=manager,
                subresource="status",
            )
        except NotFoundError:
            return False
        return True


def _is_news(time: datetime, *, known: datetime | None, renewed: datetime | None) -> bool:
    if renewed is not None and time < renewed - CLOCK_SKEW:
        return False
    return known is None or time > known
