"""ZoomCredentials from the watch's cache. An object that is no valid ZoomCredential counts as absent."""

from __future__ import annotations

import contextlib

from meetingbots.credentials.decide.granted import effective_level
from meetingbots.models.base import ModelError
from meetingbots.models.credential import Level, ZoomCredential
from meetingbots.runtime.object_cache import Key, ObjectCache


class CredentialReader:
    """Reads ZoomCredentials."""

    def __init__(self, *, cache: ObjectCache) -> None:
        self._cache = cache

    def get(self, key: Key) -> ZoomCredential | None:
        """The credential, if it is known."""
        item = self._cache.get(key)
        with contextlib.suppress(ModelError):
            return ZoomCredential.from_object(item) if item is not None else None
        return None

    def all(self, namespace: str) -> list[ZoomCredential]:
        """All credentials of a namespace."""
        found = (self.get(key) for key in self._cache if key.namespace == namespace)
        return [credential for credential in found if credential is not None]


def speaks_for_account(credential: ZoomCredential) -> bool:
    """Whether the credential acts for a whole account.

    Before its first consent the granted scopes are unknown, and the spec counts: the bot may wait for the consent.
    """
    if not credential.status.granted_scopes:
        return credential.spec.level is Level.ACCOUNT
    return effective_level(credential) is Level.ACCOUNT
