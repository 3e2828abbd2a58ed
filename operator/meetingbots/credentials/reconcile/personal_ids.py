"""Personal meeting IDs that a meeting sync has read, for the credential's status."""

from __future__ import annotations

from meetingbots.credentials.reconcile.memory import CredentialMemories
from meetingbots.models.base import ModelError
from meetingbots.models.credential import ZoomCredential
from meetingbots.runtime.object_cache import Key, ObjectCache
from meetingbots.zoom.resources import User


class SyncedPersonalIds:
    """Puts a new personal meeting ID into the credential's memory; its next reconciliation writes the status."""

    def __init__(self, *, credentials: ObjectCache, memories: CredentialMemories) -> None:
        self._credentials = credentials
        self._memories = memories

    def note(self, key: Key, pmi: str | None) -> None:
        """Show this personal meeting ID in the credential's status."""
        item = self._credentials.get(key)
        if item is None:
            return
        try:
            status = ZoomCredential.from_object(item).status
        except ModelError:
            return
        if status.user_id:
            self._memories.of(key).user = User(
                id=status.user_id,
                account_id=status.account_id or "",
                email=status.email or "",
                pmi=pmi,
                status="",
                type=None,
                vanity_url="",
            )
