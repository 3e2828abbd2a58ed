"""What this process remembers of a bot between two looks. Losing it at a restart costs a few requests and no harm."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from meetingbots.build.join_secret import Delivery
from meetingbots.decide.bot_facts import Shortfall
from meetingbots.decide.meeting_ref import MeetingRef, Problem
from meetingbots.models.mapping import MeetingMapping


@dataclass
class AttemptMemory:
    """Of the attempt whose Pod has this name."""

    pod_name: str
    fresh: bool = False
    """This process claimed the name just now: its Pod cannot exist yet."""
    pod_seen: bool = False
    delivery: Delivery | None = None
    shortfall: Shortfall | None = None
    touches: int = 0
    secret_gone: bool = False
    started_seen: bool = False


@dataclass
class BotMemory:
    """Of one MeetingBot, by its uid."""

    uid: str
    attempt: AttemptMemory | None = None
    meeting: MeetingRef | Problem | None = None
    meeting_read_at: datetime | None = None
    meeting_generation: int = -1
    mapping: MeetingMapping | None = None
    mapping_read_at: datetime | None = None
    template: Problem | None = None
    template_hash: str = ""
    checked_hash: str = ""
    refused: Problem | None = None
    refused_until: datetime | None = None

    def of_attempt(self, pod_name: str) -> AttemptMemory:
        """The memory of the attempt with this Pod; a new one where the name is new."""
        if self.attempt is None or self.attempt.pod_name != pod_name:
            self.attempt = AttemptMemory(pod_name)
        return self.attempt


@dataclass
class BotMemories:
    """The memories of all bots."""

    _by_key: dict[object, BotMemory] = field(default_factory=dict)

    def of(self, key: object, uid: str) -> BotMemory:
        """The memory of this bot; a namesake that was deleted left none."""
        memory = self._by_key.get(key)
        if memory is None or memory.uid != uid:
            memory = self._by_key[key] = BotMemory(uid)
        return memory

    def forget(self, key: object) -> None:
        """The bot is gone."""
        self._by_key.pop(key, None)
