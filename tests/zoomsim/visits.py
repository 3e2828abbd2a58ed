"""The bots' visits to meetings: waiting room, host's answer, removal, and the end."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from .errors import NoSuchObject
from .tokens import JoinToken
from .world import HostAnswer, Meeting, World

State = Literal["recording", "waiting_room", "asks_host", "denied", "timed_out", "ended", "removed", "left", "refused"]
Place = Literal["outside", "waiting_room", "meeting"]

_LIVE: tuple[State, ...] = ("recording", "waiting_room", "asks_host")


@dataclass(frozen=True, kw_only=True)
class Participant:
    """A bot's visit. A refused bot has no `id`; the others are in the meeting, in its waiting room, or outside again.

    `sdk_code` is the SDK's fail code; `meeting_ended_too`: the SDK also reports, wrongly, that the meeting ended
    (after 501); `host_mailed`: Zoom sent the host an e-mail about the failed on-behalf join. `presented` has the kinds
    of the presented tokens, `token_age_seconds` is the age of the recording token. `user_id` is the user of the
    presented ZAK.
    """

    id: str
    meeting_id: str
    display_name: str
    state: State
    reason: str
    time: float
    place: Place = "outside"
    customer_key: str = ""
    user_id: str | None = None
    sdk_code: int | None = None
    recording: bool = False
    live_streaming: bool = False
    local_archiving: bool = False
    meeting_ended_too: bool = False
    host_mailed: bool = False
    presented: tuple[str, ...] = ()
    token_age_seconds: float | None = None
    on_behalf_of: str | None = None


Watcher = Callable[[Participant | None, Participant], None]


class Visits:
    """All bots that ever got into a meeting or its waiting room. The host's answer acts when a bot is looked at."""

    def __init__(self, *, world: World) -> None:
        self._world = world
        self._visits: dict[str, Participant] = {}
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher` with each change of a bot that got in: before (None: it was outside) and after."""
        self._watchers.append(watcher)

    def begin(self, visit: Participant, *, meeting: Meeting, token: JoinToken | None) -> Participant:
        """Let a bot into the meeting or its waiting room; `token`: its recording token."""
        visit = replace(visit, id=f"bot-{len(self._visits) + 1}")
        return self._change(_entered(visit, meeting, token))

    def participant(self, participant_id: str) -> Participant:
        """Get a bot as it is now; NoSuchObject for one that never got in."""
        if participant_id not in self._visits:
            raise NoSuchObject(f"no participant {participant_id}")
        return self._now(self._visits[participant_id])

    def participants(self) -> list[Participant]:
        """Get all bots that ever got into a meeting or its waiting room, as they are now."""
        return [self._now(visit) for visit in list(self._visits.values())]

    def leave(self, participant_id: str) -> Participant:
        """Let a bot leave; the state of a bot whose visit is over does not change."""
        visit = self.participant(participant_id)
        if visit.state in _LIVE:
            visit = replace(visit, state="left", reason="the bot left", recording=False)
        return self._change(replace(visit, place="outside"))

    def put_out(self, participant_id: str) -> Participant:
        """Let the host remove a bot; to join again it needs a new token."""
        visit = replace(self.participant(participant_id), state="removed", reason="removed by the host")
        return self._change(replace(visit, recording=False, place="outside"))

    def put_in_waiting_room(self, participant_id: str) -> Participant:
        """Let the host put a bot back into the waiting room; ValueError for one that is not in the meeting."""
        visit = self.participant(participant_id)
        if visit.place != "meeting":
            raise ValueError(f"{participant_id} is not in the meeting")
        waiting = replace(visit, state="waiting_room", reason="put in the waiting room by the host", recording=False)
        return self._change(replace(waiting, place="waiting_room"))

    def answer(self, participant_id: str, answer: HostAnswer) -> Participant:
        """Let the host answer one bot that waits or asks; ValueError for one that does neither."""
        visit = self.participant(participant_id)
        if visit.state not in ("asks_host", "waiting_room"):
            raise ValueError(f"{participant_id} does not wait for the host")
        return self._answered(visit, answer)

    def refresh(self, meeting_id: int) -> None:
        """Apply the meeting's `host_answer` to its bots now, not when they ask next."""
        for visit in list(self._visits.values()):
            if visit.meeting_id == str(meeting_id):
                self._now(visit)

    def meeting_ended(self, meeting_id: int) -> None:
        """End the visits of all bots in the meeting."""
        self._end(meeting_id, state="ended", reason="the meeting has ended", on_behalf_of=None)

    def user_left(self, *, meeting_id: int, user_id: str) -> None:
        """Remove the bots that were there on this user's behalf."""
        self._end(meeting_id, state="removed", reason="the user it came for has left", on_behalf_of=user_id)

    def _end(self, meeting_id: int, *, state: State, reason: str, on_behalf_of: str | None) -> None:
        for visit in list(self._visits.values()):
            now = self._now(visit)
            if now.meeting_id != str(meeting_id) or on_behalf_of not in (None, now.on_behalf_of):
                continue
            if now.state in _LIVE:
                now = replace(now, state=state, reason=reason, recording=False)
            self._change(replace(now, place="outside"))

    def _now(self, visit: Participant) -> Participant:
        """Apply the host's answer, if there is one by now."""
        if visit.state not in ("asks_host", "waiting_room"):
            return visit
        meeting = self._world.existing_meeting(int(visit.meeting_id))
        if meeting is None or meeting.host_answer is None:
            return visit
        return self._answered(visit, meeting.host_answer)

    def _answered(self, visit: Participant, answer: HostAnswer) -> Participant:
        states: dict[HostAnswer, tuple[State, str]] = {
            "granted": ("recording", "the host allowed it"),
            "denied": ("denied", "the host refused it"),
            "timeout": ("timed_out", "the host did not answer in time"),
        }
        state, reason = states[answer]
        place: Place = "meeting" if answer == "granted" else "outside"
        if visit.place == "meeting":
            place = "meeting"  # a bot that may not record stays in the meeting until it leaves
        return self._change(replace(visit, state=state, reason=reason, recording=state == "recording", place=place))

    def _change(self, visit: Participant) -> Participant:
        before = self._visits.get(visit.id)
        self._visits[visit.id] = visit
        if before != visit:
            for watcher in self._watchers:
                watcher(before, visit)
        return visit


def _entered(visit: Participant, meeting: Meeting, token: JoinToken | None) -> Participant:
    if token is not None and meeting.waiting_room and not token.bypass_waiting_room:
        reason = "in the waiting room: the token does not bypass it"
        return replace(visit, place="waiting_room", state="waiting_room", reason=reason)
    visit = replace(visit, place="meeting")
    if token is None:
        return replace(visit, state="asks_host", reason="no recording token: waiting for the host's permission")
    return replace(visit, state="recording", reason="admitted at once by its recording token", recording=True)
