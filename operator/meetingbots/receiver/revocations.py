"""Writes to a credential's status that its consent ended at Zoom: its user removed the app, or was removed.

The receiver may write no more than that. The operator then removes the credential from the mappings and asks Zoom.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from meetingbots.credentials.decide.revocation import CLOCK_SKEW
from meetingbots.credentials.status_writer import CredentialStatusWriter, StatusManager, StatusTarget
from meetingbots.mappings.decide.ownership import KnownCredential
from meetingbots.models.credential import CredentialStatus, Deauthorization, RemovalKind, UserRemoval
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.webhooks.events import AppDeauthorized, UserEvent

_REMOVALS: Final = {
    "deactivated": RemovalKind.DEACTIVATED,
    "deleted": RemovalKind.DELETED,
    "permanently_deleted": RemovalKind.DELETED,
    "disassociated": RemovalKind.DISASSOCIATED,
}


class RevocationWriter:
    """Writes such an event to the statuses of the credentials that it concerns. `clock` returns the time in UTC."""

    def __init__(self, *, statuses: CredentialStatusWriter, clock: Callable[[], datetime]) -> None:
        self._statuses = statuses
        self._clock = clock

    def is_removal(self, event: UserEvent) -> bool:
        """Whether the event removes a user."""
        return event.action in _REMOVALS

    def is_return(self, event: UserEvent) -> bool:
        """Whether the event says that a deactivated user is active again."""
        return event.action == "activated"

    async def write(self, credential: KnownCredential, event: UserEvent | AppDeauthorized) -> bool:
        """Write the event unless the status has it or newer tokens refute it; return whether it was written.

        The event's time is by Zoom's clock, that of a renewal by ours. If the difference could be due to the clocks,
        the event is written, and the operator asks Zoom. Raises `KubeError`.
        """
        if isinstance(event, AppDeauthorized):
            return await self._write_deauthorization(credential, event)
        return await self._write_removal(credential, event)

    async def withdraw(self, credential: KnownCredential, event: UserEvent) -> bool:
        """Remove an older removal from the status; return whether there was one. Raises `KubeError`."""
        if credential.removed is None or not self._is_news(event.time, known=credential.removed):
            return False
        await self._statuses.clear_user_removal(_target(credential))
        return True

    async def _write_deauthorization(self, credential: KnownCredential, event: AppDeauthorized) -> bool:
        time = self._limited(event.deauthorization_time or event.time)
        if credential.renewed is not None and time.replace(microsecond=0) < credential.renewed - CLOCK_SKEW:
            return False
        if not self._is_news(time, known=credential.deauthorized):
            return False
        deauthorization = Deauthorization(time=time, user_data_retention=event.user_data_retention)
        status = CredentialStatus(deauthorization=deauthorization)
        return await self._statuses.apply(_target(credential), status, manager=StatusManager.DEAUTHORIZATION)

    async def _write_removal(self, credential: KnownCredential, event: UserEvent) -> bool:
        time = self._limited(event.time, tolerance=CLOCK_SKEW)
        if not self._is_news(time, known=credential.removed):
            return False
        status = CredentialStatus(user_removal=UserRemoval(time=time, kind=_REMOVALS[event.action]))
        return await self._statuses.apply(_target(credential), status, manager=StatusManager.USER_REMOVAL)

    def _limited(self, time: datetime, *, tolerance: timedelta = timedelta(0)) -> datetime:
        """Return now for a time in the future, which would end every later consent too."""
        now = self._clock()
        return time if time <= now + tolerance else now

    def _is_news(self, time: datetime, *, known: datetime | None) -> bool:
        """Whether the event is newer than the known one. A known time in the future is not Zoom's, and is replaced."""
        return known is None or known > self._clock() + CLOCK_SKEW or time.replace(microsecond=0) > known


def _target(credential: KnownCredential) -> StatusTarget:
    return StatusTarget(key=Key(credential.namespace, credential.name), uid=credential.uid)
