"""Adds a credential to a mapping after Zoom issued a token with it."""

from __future__ import annotations

from meetingbots.mappings.decide.events import ordered
from meetingbots.models.mapping import FoundCredential, MappingPhase, MappingStatus, MeetingMapping, Role, Source


def lists(mapping: MeetingMapping | None, credential: str) -> bool:
    """Return whether the mapping lists the credential, in its manual or its found entries."""
    if mapping is None:
        return False
    manual, found = mapping.spec.credentials, mapping.status.credentials
    return any(one.name == credential for one in manual) or any(one.name == credential for one in found)


def with_lookup(mapping: MeetingMapping | None, *, credential: str) -> MappingStatus | None:
    """Return the status with a Lookup entry for the credential; None when the mapping lists it already."""
    if lists(mapping, credential):
        return None
    before = mapping.status if mapping is not None else MappingStatus()
    entry = FoundCredential(name=credential, role=Role.HOST, source=Source.LOOKUP)
    return before.model_copy(
        update={
            "credentials": ordered([*before.credentials, entry]),
            "phase": before.phase or MappingPhase.SCHEDULED,
        }
    )
