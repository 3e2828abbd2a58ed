"""The level at which a credential takes effect."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from meetingbots.models.credential import Level, ZoomCredential

_ADMIN_SUFFIXES: Final = (":admin", ":master")


def has_admin_scope(scopes: Iterable[str]) -> bool:
    """Return whether a scope allows access to other users of the account (Zoom: `…:admin`, `…:master`)."""
    return any(scope.endswith(_ADMIN_SUFFIXES) for scope in scopes)


def effective_level(credential: ZoomCredential) -> Level:
    """Return `spec.level`, but Account only if Zoom granted an admin scope.

    A tenant writes the spec. Without an admin scope, the consent is that of one user and covers only that user's
    meetings.
    """
    if credential.spec.level is Level.ACCOUNT and has_admin_scope(credential.status.granted_scopes):
        return Level.ACCOUNT
    return Level.USER
