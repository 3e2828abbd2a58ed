"""The MeetingBot that `kubectl meetingbots send` creates from a pasted link."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from meetingbots.models.base import format_time
from meetingbots.models.names import API_VERSION
from meetingbots.zoom.links import MeetingLink, parse_meeting


@dataclass(frozen=True, kw_only=True)
class BotRequest:
    """What to send: a link or meeting ID, when (None: now), with which credential (empty: by the mapping)."""

    link: str
    at: datetime | None = None
    credential: str = ""
    name: str = ""


def manifest(request: BotRequest, *, namespace: str, now: datetime) -> dict[str, object]:
    """The MeetingBot. Raises `InvalidLink`."""
    meeting = parse_meeting(request.link)
    at = request.at or now
    spec: dict[str, object] = {"meeting": {"url": request.link}, "joinAt": format_time(at)}
    if request.credential:
        spec["credentialRef"] = {"name": request.credential}
    return {
        "apiVersion": API_VERSION,
        "kind": "MeetingBot",
        "metadata": {"name": request.name or _name(meeting, at), "namespace": namespace},
        "spec": spec,
    }


def _name(meeting: MeetingLink, at: datetime) -> str:
    """A name that the same request has again, so that a repeated command makes no second bot."""
    stem = meeting.meeting_id or "personal"
    return f"meeting-{stem}-{hashlib.sha256(format_time(at).encode()).hexdigest()[:6]}"
