"""What the plugin knows about a bot, a credential or a meeting."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from meetingbots.bots.decide.pod_state import PodState
from meetingbots.models.bot import MeetingBot
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MeetingMapping


@dataclass(frozen=True)
class Occurrence:
    """One Kubernetes Event about an object."""

    time: datetime
    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class BotStory:
    """A MeetingBot and what belongs to it. None or empty: it does not exist or cannot be read (see `unread`)."""

    bot: MeetingBot
    mapping: MeetingMapping | None = None
    credentials: tuple[ZoomCredential, ...] = ()
    pod: PodState | None = None
    events: tuple[Occurrence, ...] = ()
    unread: tuple[str, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class CredentialStory:
    """A ZoomCredential and its Events."""

    credential: ZoomCredential
    events: tuple[Occurrence, ...] = ()
    unread: tuple[str, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class MeetingStory:
    """A meeting: its mapping, the namespace's credentials, and the bots for it."""

    meeting_id: str
    mapping: MeetingMapping | None = None
    credentials: tuple[ZoomCredential, ...] = ()
    bots: tuple[MeetingBot, ...] = ()
    unread: tuple[str, ...] = field(default=())
