"""What the process remembers of each credential between two looks. All of it may be lost, but for unsaved tokens."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from meetingbots.credentials.decide.facts import Failure, Step
from meetingbots.credentials.decide.token_state import Claim, Unsaved
from meetingbots.models.credential import CredentialError, ZoomCredential
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.resources import User

_BURST = 5
_BURST_TIME = timedelta(seconds=10)


@dataclass
class CredentialMemory:
    """What is remembered of one credential.

    `unsaved` is the only copy of tokens that Zoom gave, with the credential they belong to (`nowhere`: their namespace
    is gone); `claim_id` and `claim_seen` are the claim that was last seen and since when, `ended_claim` one of our own
    whose end is known; `told` are the times of the last few writes of the status.
    """

    unsaved: Unsaved | None = None
    unsaved_problem: str = ""
    unsaved_retry_at: datetime | None = None
    nowhere: bool = False
    credential: ZoomCredential | None = None
    troubles: dict[Step, Failure] = field(default_factory=dict)
    last_error: CredentialError | None = None
    claim_id: str = ""
    claim_seen: datetime | None = None
    ended_claim: str = ""
    user: User | None = field(default=None, repr=False)
    tried_request: str = ""
    app_secret: str = ""
    told: deque[datetime] = field(default_factory=lambda: deque(maxlen=_BURST))

    def see_claim(self, claim: Claim | None, *, now: datetime) -> datetime | None:
        """Since when this very claim has been seen here."""
        if claim is None:
            self.claim_id, self.claim_seen = "", None
        elif claim.id != self.claim_id:
            self.claim_id, self.claim_seen = claim.id, now
        return self.claim_seen

    def saved(self) -> None:
        """The unsaved tokens are stored, or void."""
        self.unsaved, self.credential, self.nowhere = None, None, False
        self.unsaved_problem, self.unsaved_retry_at = "", None

    def may_tell(self, now: datetime) -> bool:
        """Whether the status may be written: two processes that see things differently must not race each other."""
        return len(self.told) < _BURST or now - self.told[0] > _BURST_TIME


class CredentialMemories:
    """The recollections of all credentials."""

    def __init__(self) -> None:
        self._of: defaultdict[Key, CredentialMemory] = defaultdict(CredentialMemory)

    def of(self, key: Key) -> CredentialMemory:
        """What is remembered of this one; empty at first."""
        return self._of[key]

    def forget(self, key: Key) -> None:
        """The credential is gone."""
        self._of.pop(key, None)

    def unsaved(self) -> list[Key]:
        """The credentials whose tokens are only in memory."""
        return [key for key, recollection in self._of.items() if recollection.unsaved is not None]
