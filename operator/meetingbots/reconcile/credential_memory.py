"""What the process remembers of each credential between two looks. All of it may be lost, but for unsaved tokens."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from meetingbots.build.token_state import Claim, Unsaved
from meetingbots.decide.credential_facts import Step, Trouble
from meetingbots.models.credential import CredentialError, ZoomCredential
from meetingbots.reconcile.cache import Key
from meetingbots.zoom.people_and_meetings import User


@dataclass
class Recollection:
    """What is remembered of one credential.

    `unsaved` is the only copy of tokens that Zoom gave, with the credential they belong to; `claim_id` and
    `claim_seen` are the claim that was last seen and since when; `recalled` says that the troubles which the status
    tells of were taken over after a start.
    """

    unsaved: Unsaved | None = None
    unsaved_problem: str = ""
    credential: ZoomCredential | None = None
    troubles: dict[Step, Trouble] = field(default_factory=dict)
    last_error: CredentialError | None = None
    claim_id: str = ""
    claim_seen: datetime | None = None
    user: User | None = field(default=None, repr=False)
    tried_request: str = ""
    app_secret: str = ""
    recalled: bool = False

    def see_claim(self, claim: Claim | None, *, now: datetime) -> datetime | None:
        """Since when this very claim has been seen here."""
        if claim is None:
            self.claim_id, self.claim_seen = "", None
        elif claim.id != self.claim_id:
            self.claim_id, self.claim_seen = claim.id, now
        return self.claim_seen


class CredentialMemory:
    """The recollections of all credentials."""

    def __init__(self) -> None:
        self._of: defaultdict[Key, Recollection] = defaultdict(Recollection)

    def of(self, key: Key) -> Recollection:
        """What is remembered of this one; empty at first."""
        return self._of[key]

    def forget(self, key: Key) -> None:
        """The credential is gone."""
        self._of.pop(key, None)

    def unsaved(self) -> list[Key]:
        """The credentials whose tokens are only in memory."""
        return [key for key, recollection in self._of.items() if recollection.unsaved is not None]
