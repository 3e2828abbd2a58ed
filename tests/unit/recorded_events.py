"""The Events of a recorder that does not run."""

from __future__ import annotations

from meetingbots.kube.client import Object
from meetingbots.kube.event_recorder import EventRecorder


def take_events(recorder: EventRecorder) -> list[Object]:
    """The Events recorded since the last call, by namespace."""
    taken = [event for waiting in recorder._waiting.values() for event in waiting]
    for waiting in recorder._waiting.values():
        waiting.clear()
    return taken
