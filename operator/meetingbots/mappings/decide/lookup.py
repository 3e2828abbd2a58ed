"""What a look-up at Zoom changes in a mapping: a credential that has been given a token may be given one again."""

from __future__ import annotations

from meetingbots.mappings.decide.events import ordered
from meetingbots.models.mapping import FoundCredential, MappingPhase, MappingStatus, MeetingMapping, Role, Source


def knows(mapping: MeetingMapping | None, credential: str) -> bool:
    """Whether the mapping has this credential already, by people or by what was found."""
    if mapping is None:
        return False
    people, found = mapping.spec.credentials, mapping.status.credentials
    return any(one.name == credential for one in people) or any(one.name == credential for one in found)


def looked_up(mapping: MeetingMapping | None, *, credential: str) -> MappingStatus | None:
    """The status once Zoom made a token for the meeting with this credential; None: that is known already."""
    if knows(mapping, credential):
        return None
    before = mapping.status if mapping is not None else MappingStatus()
    entry = FoundCredential(name=credential, role=Role.HOST, source=Source.LOOKUP)
    return before.model_copy(
        update={
            "credentials": ordered([*before.credentials, entry]),
            "phase": before.phase or MappingPhase.SCHEDULED,
        }
    )
