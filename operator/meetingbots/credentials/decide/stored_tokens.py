"""The token Secret as decisions see it: its content with what a write needs, or the reason to leave it alone."""

from __future__ import annotations

from dataclasses import dataclass

from meetingbots.credentials.decide.token_state import TokenState
from meetingbots.models.credential import TokenDeletionPolicy, ZoomCredential
from meetingbots.models.metadata import OwnerReference


@dataclass(frozen=True, kw_only=True)
class TokenSecret:
    """A token Secret that belongs to the operator."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    state: TokenState
    owners: tuple[OwnerReference, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SecretConflict:
    """A Secret has the token Secret's name but is not the operator's. `message` gives the cause and the remedy."""

    message: str
    uid: str = ""


def wanted_owners(credential: ZoomCredential, *, owners: tuple[OwnerReference, ...]) -> tuple[OwnerReference, ...]:
    """Return the ownerReferences that the Secret should have; those of other kinds stay.

    Under policy Delete the credential owns the Secret. Under Retain it does not: the consent outlives its object, and
    a reference to an earlier uid would have the Secret garbage-collected.
    """
    others = tuple(owner for owner in owners if owner.kind != credential.KIND)
    if credential.spec.token_deletion_policy is TokenDeletionPolicy.RETAIN:
        return others
    return (*others, credential.owner_reference())
