"""Asks Zoom whether meetings still exist that no list answers for: a bounded, fair choice of them in each sweep.

These are meetings that only webhooks or lookups reported, when a newer list does not contain them or no event has
arrived for a month.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final, Generic, TypeVar

from meetingbots.credentials.sessions.zoom_session import NoAccessTokenError, ZoomSessions
from meetingbots.mappings.decide.listing import Remove
from meetingbots.mappings.decide.retention import OwnerFacts, after_check, in_doubt
from meetingbots.mappings.store import Decide
from meetingbots.models.mapping import MappingStatus, MeetingMapping
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.errors import Cause, ZoomError

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Doubt:
    """A meeting to ask Zoom about, and the credential that is asked first."""

    credential: Key
    meeting_id: str


class FairSample(Generic[T]):
    """Keeps a random sample of at most `size` candidates of each member of a group."""

    def __init__(self, *, size: int, random: Random) -> None:
        self._size = size
        self._random = random
        self._kept: defaultdict[str, defaultdict[str, list[T]]] = defaultdict(lambda: defaultdict(list))
        self._seen: defaultdict[tuple[str, str], int] = defaultdict(int)

    def add(self, group: str, member: str, candidate: T) -> None:
        """Add a candidate; each of a member has the same chance to be kept (reservoir sampling)."""
        kept = self._kept[group][member]
        self._seen[group, member] += 1
        if len(kept) < self._size:
            kept.append(candidate)
            return
        place = self._random.randrange(self._seen[group, member])
        if place < self._size:
            kept[place] = candidate

    def choose(self, limit: int) -> list[T]:
        """Return up to `limit` candidates: one of each group in turn, and within a group one of each member in turn.

        Groups, members and candidates are in random order.
        """
        groups = [
            _in_turn([self._shuffled(kept) for kept in self._shuffled(members.values())])[:limit]
            for members in self._kept.values()
        ]
        return _in_turn(self._shuffled(groups))[:limit]

    def _shuffled(self, items: Collection[U]) -> list[U]:
        return self._random.sample(list(items), len(items))


def _in_turn(queues: Sequence[Sequence[T]]) -> list[T]:
    """The first of each queue, then the second of each, and so on."""
    turns = max(map(len, queues), default=0)
    return [queue[turn] for turn in range(turns) for queue in queues if turn < len(queue)]


_log = logging.getLogger(__name__)
MAX_QUESTIONS: Final = 100
_MISSING: Final = frozenset({Cause.MEETING_NOT_FOUND, Cause.USER_NOT_FOUND})


class StaleMeetingCheck:
    """Asks Zoom at most `MAX_QUESTIONS` times in a sweep."""

    def __init__(self, *, sessions: ZoomSessions) -> None:
        self._sessions = sessions
        self._questions = 0

    def begin(self) -> None:
        """Begin a sweep."""
        self._questions = 0

    async def check(self, mapping: MeetingMapping, *, owners: OwnerFacts, now: datetime) -> Decide | None:
        """Return the change to a mapping; None when there is no doubt or no answer. Raises `KubeError`."""
        exists, missing = set[str](), set[str]()
        for name in sorted(in_doubt(mapping, owners=owners, now=now)):
            answer = await self._exists(Key(mapping.namespace, name), mapping.name)
            if answer is not None:
                (exists if answer else missing).add(name)
        if not exists and not missing:
            return None

        def decide(found: MeetingMapping | None) -> MappingStatus | Remove | None:
            # An event may have arrived in between.
            doubtful = in_doubt(found, owners=owners, now=now) if found is not None else frozenset()
            if found is None or not doubtful >= exists | missing:
                return None
            return after_check(found, missing=missing, now=now)

        return decide

    async def _exists(self, credential: Key, meeting_id: str) -> bool | None:
        if self._questions >= MAX_QUESTIONS:
            return None
        try:
            session = await self._sessions.session(credential)
        except NoAccessTokenError:
            return None
        self._questions += 1
        try:
            await session.call(lambda api, token: api.meeting(token, meeting_id=meeting_id))
        except ZoomError as error:
            if error.kind is Cause.IS_WEBINAR:
                return True
            if error.kind in _MISSING:
                return False
            _log.info("ZoomCredential %s: Zoom did not answer whether a meeting exists: %s", credential, error)
            return None
        return True
