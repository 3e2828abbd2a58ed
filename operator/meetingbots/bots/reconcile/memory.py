"""What this process remembers of a bot between two reconciliations. A restart costs a few requests."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import SecretStr

from meetingbots.bots.decide.facts import Delivery, MeetingRef, Problem, TokenFailure
from meetingbots.bots.manifests.pod import PodSettings
from meetingbots.models.base import ModelError
from meetingbots.models.bot import MeetingBot
from meetingbots.models.mapping import MeetingMapping
from meetingbots.runtime.object_cache import Key, Object


@dataclass
class AttemptMemory:
    """The attempt with the Pod `pod_name`."""

    pod_name: str
    fresh: bool = False
    """This process has just claimed the name and has not tried to create the Pod, which cannot exist yet."""
    pod_seen: bool = False
    pod_looked_at: datetime | None = None
    """When the Pod was last read, apart from the watch."""
    looked_at_gate: bool = False
    """A read found no Secret while the Pod waited, and no create has been tried since."""
    looked_after_start: bool = False
    """A read found no Secret after the container had started."""
    delivery: Delivery | None = None
    secret_uid: str = ""
    """The uid of the Secret that holds the delivery."""
    secrets: tuple[SecretStr, ...] | None = field(default=None, repr=False)
    """The values that were delivered, for redaction; None while they are not known."""
    token_failure: TokenFailure | None = None
    touches: int = 0
    touched_at: datetime | None = None
    secret_gone: bool = False
    prepared: bool = False
    """What the token requests need was read ahead."""
    found_credential: str = ""
    """The credential that got the tokens, while no mapping lists it."""
    started_seen: bool = False

    claimed_at: datetime | None = None

    def claimed(self, *, now: datetime) -> None:
        """Note that this process has just claimed the name: there is neither Pod nor Secret."""
        self.fresh, self.looked_at_gate, self.claimed_at = True, True, now


@dataclass
class BotMemory:
    """One MeetingBot, identified by its uid."""

    uid: str
    model: MeetingBot | None = None
    attempt: AttemptMemory | None = None
    meeting: MeetingRef | Problem | None = None
    meeting_read_at: datetime | None = None
    meeting_generation: int = -1
    mapping: MeetingMapping | None = None
    mapping_read_at: datetime | None = None
    mapping_version: str = ""
    template: Problem | None = None
    template_until: datetime | None = None
    """When Kubernetes' refusal of the template expires; None: not before the spec changes."""
    template_hash: str = ""
    template_source: tuple[int | None, MeetingRef, PodSettings] | None = None
    """What template_hash was made from: the spec's generation, the meeting, the operator's settings."""
    doubtful: bool = False
    """This template, or the one before the last edit or restart, was invalid."""
    checked_hash: str = ""
    done_before: frozenset[datetime] = frozenset()
    """The joinAt times of bots of this name that were deleted by their time to live."""
    refused: Problem | None = None
    refused_until: datetime | None = None

    def model_of(self, item: Object) -> MeetingBot:
        """The object as a model, parsed once per resourceVersion. Raises `ModelError`."""
        version = item["metadata"].get("resourceVersion", "")
        if self.model is None or not version or self.model.metadata.resource_version != version:
            self.model = MeetingBot.from_object(item)
        return self.model

    def mapping_of(self, meeting_id: str) -> MeetingMapping | None:
        """The known mapping of this meeting; an edit may have changed the meeting."""
        return self.mapping if self.mapping is not None and self.mapping.name == meeting_id else None

    def watch(self, item: Object) -> None:
        """Take the mapping from the watch; an invalid one changes nothing."""
        version = item["metadata"].get("resourceVersion", "")
        if version == self.mapping_version:
            return
        self.mapping_version = version
        with contextlib.suppress(ModelError):
            self.mapping = MeetingMapping.from_object(item)

    def expect_template(self, template_hash: str, *, doubtful: bool) -> None:
        """Start afresh with a new template. `doubtful`: the status still reports an invalid one."""
        self.template_hash, self.template, self.template_until = template_hash, None, None
        self.refused = self.refused_until = None
        self.doubtful = doubtful

    def refuse_template(self, problem: Problem, *, now: datetime, seconds: float) -> None:
        """Remember that Kubernetes refused the template, for so many seconds."""
        self.template, self.template_until = problem, now + timedelta(seconds=seconds)

    def refuse(self, problem: Problem, *, now: datetime, seconds: float) -> None:
        """Remember that Kubernetes refused a Pod or Secret for a cause outside it, for so many seconds."""
        self.refused, self.refused_until = problem, now + timedelta(seconds=seconds)

    def forget_refusals(self, now: datetime) -> None:
        """Forget expired refusals: a quota, a policy or a webhook may have changed."""
        if self.refused_until is not None and now >= self.refused_until:
            self.refused = self.refused_until = None
        if self.template_until is not None and now >= self.template_until:
            self.template, self.template_until = None, None
            self.checked_hash, self.doubtful = "", True

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """The secret values of the meeting and of the current attempt, as far as they are known, for redaction."""
        of_meeting = self.meeting.secrets if isinstance(self.meeting, MeetingRef) else ()
        return (*of_meeting, *((self.attempt.secrets or ()) if self.attempt is not None else ()))

    def of_attempt(self, pod_name: str) -> AttemptMemory:
        """The memory of the attempt with this Pod; empty for a new name."""
        if self.attempt is None or self.attempt.pod_name != pod_name:
            self.attempt = AttemptMemory(pod_name)
        return self.attempt


@dataclass
class BotMemories:
    """The memories of all bots."""

    _by_key: dict[Key, BotMemory] = field(default_factory=dict)
    _done: dict[Key, dict[datetime, datetime]] = field(default_factory=dict)
    """For bots that were deleted by their time to live: each joinAt, and until when it is remembered."""

    def of(self, key: Key, uid: str) -> BotMemory:
        """The memory of this bot; of a deleted bot of the same name, only the times at which it was done remain."""
        memory = self._by_key.get(key)
        if memory is None or memory.uid != uid:
            memory = self._by_key[key] = BotMemory(uid, done_before=frozenset(self._done.get(key, ())))
        return memory

    def done(self, key: Key, *, join_at: datetime, until: datetime, now: datetime) -> None:
        """Remember that the bot with this name and joinAt is done and deleted: Git may create it again."""
        kept = {known: {moment: end for moment, end in ends.items() if end > now} for known, ends in self._done.items()}
        self._done = {known: ends for known, ends in kept.items() if ends}
        self._done.setdefault(key, {})[join_at] = until

    def forget(self, key: Key) -> None:
        """Forget a bot that was deleted or has finished."""
        self._by_key.pop(key, None)
