"""What this process remembers of a bot between two looks. Losing it at a restart costs a few requests and no harm."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import datetime

from meetingbots.bots.decide.facts import Delivery, TokenFailure
from meetingbots.bots.decide.meeting import MeetingRef, Problem
from meetingbots.models.base import ModelError
from meetingbots.models.bot import MeetingBot
from meetingbots.models.mapping import MeetingMapping
from meetingbots.runtime.object_cache import Object


@dataclass
class AttemptMemory:
    """Of the attempt whose Pod has this name."""

    pod_name: str
    fresh: bool = False
    """This process claimed the name just now and has not tried to create the Pod: it cannot exist yet."""
    pod_seen: bool = False
    pod_looked_at: datetime | None = None
    """When the Pod was last asked for, not only remembered from a watch."""
    looked_at_gate: bool = False
    """There is no Secret yet: so it was when the Pod was waiting, and no try to create one has been made since."""
    looked_after_start: bool = False
    """There was no Secret when the container was running."""
    delivery: Delivery | None = None
    token_failure: TokenFailure | None = None
    touches: int = 0
    touched_at: datetime | None = None
    secret_gone: bool = False
    prepared: bool = False
    """What the tokens will be asked with has been read ahead."""
    found_credential: str = ""
    """The credential that did, where no mapping says so yet."""
    started_seen: bool = False

    def claimed(self) -> None:
        """Remember that this process has just claimed the name: there is neither Pod nor Secret."""
        self.fresh, self.looked_at_gate = True, True


@dataclass
class BotMemory:
    """Of one MeetingBot, by its uid."""

    uid: str
    model: MeetingBot | None = None
    """The bot as it was last read; `model_of` gives it again while the object is the same."""
    attempt: AttemptMemory | None = None
    meeting: MeetingRef | Problem | None = None
    meeting_read_at: datetime | None = None
    meeting_generation: int = -1
    mapping: MeetingMapping | None = None
    mapping_read_at: datetime | None = None
    mapping_version: str = ""
    template: Problem | None = None
    template_until: datetime | None = None
    """Until when Kubernetes' own refusal of the template is taken for granted; None: as long as the spec stays."""
    template_hash: str = ""
    doubtful: bool = False
    """Kubernetes has refused this template before."""
    checked_hash: str = ""
    done_before: frozenset[datetime] = frozenset()
    """The joinAts of namesakes that were deleted by their time to live."""
    refused: Problem | None = None
    refused_until: datetime | None = None

    def model_of(self, item: Object) -> MeetingBot:
        """The object as a model, read once for each of its states. Raises `ModelError`."""
        version = item["metadata"].get("resourceVersion", "")
        if self.model is None or not version or self.model.metadata.resource_version != version:
            self.model = MeetingBot.from_object(item)
        return self.model

    def mapping_of(self, meeting_id: str) -> MeetingMapping | None:
        """What is known of the mapping of this meeting, which may be another one than before an edit."""
        return self.mapping if self.mapping is not None and self.mapping.name == meeting_id else None

    def watch(self, item: Object) -> None:
        """Take over what the watch told of the meeting's mapping; one that cannot be read changes nothing."""
        version = item["metadata"].get("resourceVersion", "")
        if version == self.mapping_version:
            return
        self.mapping_version = version
        with contextlib.suppress(ModelError):
            self.mapping = MeetingMapping.from_object(item)

    def forget_refusals(self, now: datetime) -> None:
        """Forget what Kubernetes said too long ago: a quota, a policy, a webhook may have changed."""
        if self.refused_until is not None and now >= self.refused_until:
            self.refused = self.refused_until = None
        if self.template_until is not None and now >= self.template_until:
            self.template, self.template_until = None, None
            self.checked_hash, self.doubtful = "", True

    def of_attempt(self, pod_name: str) -> AttemptMemory:
        """The memory of the attempt with this Pod; a new one where the name is new."""
        if self.attempt is None or self.attempt.pod_name != pod_name:
            self.attempt = AttemptMemory(pod_name)
        return self.attempt


@dataclass
class BotMemories:
    """The memories of all bots."""

    _by_key: dict[object, BotMemory] = field(default_factory=dict)
    _done: dict[object, dict[datetime, datetime]] = field(default_factory=dict)
    """Of bots that were deleted by their time to live: until when each joinAt is remembered."""

    def of(self, key: object, uid: str) -> BotMemory:
        """The memory of this bot; a namesake that was deleted left none, but for the times at which it was done."""
        memory = self._by_key.get(key)
        if memory is None or memory.uid != uid:
            memory = self._by_key[key] = BotMemory(uid, done_before=frozenset(self._done.get(key, ())))
        return memory

    def done(self, key: object, *, join_at: datetime, until: datetime, now: datetime) -> None:
        """Remember until then that the bot of this name and joinAt was done and is deleted: Git may create it again."""
        kept = {known: {moment: end for moment, end in ends.items() if end > now} for known, ends in self._done.items()}
        self._done = {known: ends for known, ends in kept.items() if ends}
        self._done.setdefault(key, {})[join_at] = until

    def forget(self, key: object) -> None:
        """The bot is gone."""
        self._by_key.pop(key, None)
