"""Reads a meeting's mapping: one GET by the meeting ID."""

from __future__ import annotations

import logging

from meetingbots.kube.client import Kube
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import MAPPINGS
from meetingbots.models.base import ModelError
from meetingbots.models.mapping import MeetingMapping

_log = logging.getLogger(__name__)


async def read_mapping(kube: Kube, *, namespace: str, meeting_id: str) -> MeetingMapping | None:
    """Return the mapping from the API server; None when it does not exist or is unreadable. Raises `KubeError`."""
    try:
        found = await kube.get(MAPPINGS, namespace=namespace, name=meeting_id)
    except NotFoundError:
        return None
    try:
        return MeetingMapping.from_object(found)
    except ModelError as error:
        _log.warning("MeetingMapping %s/%s is skipped: %s", namespace, meeting_id, error)
        return None
