"""The bots' side of Zoom: who is let into a meeting, with which rights, and what becomes of each bot there."""

from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import ConfigDict

from tests.zoomsim.clock import SimClock
from tests.zoomsim.errors import NoSuchObject
from tests.zoomsim.tokens import JoinKind, JoinToken, OnBehalfToken, Refused, Tokens, Zak
from tests.zoomsim.world import HostAnswer, Meeting, World

# The Meeting SDK's fail codes.
WRONG_PASSCODE = 4
MEETING_OVER = 6
NO_SUCH_MEETING = 8
USER_NOT_IN_MEETING = 501
NEEDS_ZAK_OR_OBF = 503
NOT_ANONYMOUS = 504

State = Literal["recording", "waiting_room", "asks_host", "denied", "timed_out", "ended", "removed", "left", "refused"]


@dataclass(frozen=True, kw_only=True)
class JoinRequest:
    """What a bot presents. `sdk_account_id`: the account of the bot's Meeting SDK app; None: the meeting's own."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    meeting_id: str
    passcode: str = field(default="", repr=False)
    display_name: str = ""
    join_token: str = field(default="", repr=False)
    obf_token: str = field(default="", repr=False)
    zak: str = field(default="", repr=False)
    live_streaming_token: str = field(default="", repr=False)
    local_archiving_token: str = field(default="", repr=False)
    sdk_account_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Participant:
    """A bot's visit, from its try to join on. `id` "" and `state` refused: it never got in.

    `sdk_code` is the fail code where there is one; `meeting_ended_too`: the SDK also says, wrongly, that the meeting
    ended (after 501); `host_mailed`: the host got an e-mail about the failed on-behalf join. `presented` names the
    kinds of tokens that it came with, `token_age_seconds` how old its recording token was.
    """

    id: str
    meeting_id: str
    display_name: str
    state: State
    reason: str
    time: float
    sdk_code: int | None = None
    recording: bool = False
    live_streaming: bool = False
    local_archiving: bool = False
    meeting_ended_too: bool = False
    host_mailed: bool = False
    presented: tuple[str, ...] = ()
    token_age_seconds: float | None = None
    on_behalf_of: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Keys:
    """What the presented tokens turned out to be worth."""

    recording: JoinToken | None
    streaming: JoinToken | None
    archiving: JoinToken | None
    obf: OnBehalfToken | None
    zak: Zak | None


class Joins:
    """Lets bots in or not. `attempts` has every try, as it was answered at the time."""

    def __init__(self, *, clock: SimClock, world: World, tokens: Tokens) -> None:
        self._clock = clock
        self._world = world
        self._tokens = tokens
        self.attempts: list[Participant] = []
        self._inside: dict[str, Participant] = {}

    def join(self, request: JoinRequest) -> Participant:
        """Answer a bot as Zoom would; a refusal is an answer too."""
        visit = Participant(
            id="",
            meeting_id=request.meeting_id,
            display_name=request.display_name,
            state="refused",
            reason="",
            time=self._clock.now(),
            presented=_presented(request),
            token_age_seconds=self._age(request.join_token),
        )
        try:
            visit = self._admit(request, visit)
        except Refused as refusal:
            not_there = refusal.code == USER_NOT_IN_MEETING
            visit = replace(
                visit,
                sdk_code=refusal.code,
                reason=refusal.why,
                meeting_ended_too=not_there,
                host_mailed=bool(request.obf_token) and refusal.code in (501, 505, 506),
            )
        self.attempts.append(visit)
        return visit

    def participant(self, participant_id: str) -> Participant:
        """Say what has become of a bot; NoSuchObject for one that never got in."""
        if participant_id not in self._inside:
            raise NoSuchObject(f"no participant {participant_id}")
        return self._now(self._inside[participant_id])

    def participants(self) -> list[Participant]:
        """Say what has become of everyone who ever got in (or to the door)."""
        return [self._now(visit) for visit in self._inside.values()]

    def leave(self, participant_id: str) -> Participant:
        """Let a bot go; one that is gone already stays what it is."""
        visit = self.participant(participant_id)
        if visit.state in ("recording", "waiting_room", "asks_host"):
            visit = replace(visit, state="left", reason="the bot left", recording=False)
            self._inside[participant_id] = visit
        return visit

    def put_out(self, participant_id: str) -> Participant:
        """Let the host remove a bot; to come again it needs a new token."""
        visit = replace(self.participant(participant_id), state="removed", reason="removed by the host")
        self._inside[participant_id] = replace(visit, recording=False)
        return self._inside[participant_id]

    def meeting_ended(self, meeting_id: int) -> None:
        """Send everyone home."""
        self._end(meeting_id, state="ended", reason="the meeting has ended", on_behalf_of=None)

    def user_left(self, *, meeting_id: int, user_id: str) -> None:
        """Put out the bots that were there on this user's behalf."""
        self._end(meeting_id, state="removed", reason="the user it came for has left", on_behalf_of=user_id)

    def _end(self, meeting_id: int, *, state: State, reason: str, on_behalf_of: str | None) -> None:
        for key, visit in self._inside.items():
            now = self._now(visit)
            gone = now.state not in ("recording", "waiting_room", "asks_host")
            if now.meeting_id != str(meeting_id) or gone:
                continue
            if on_behalf_of in (None, now.on_behalf_of):
                self._inside[key] = replace(now, state=state, reason=reason, recording=False)

    def _admit(self, request: JoinRequest, visit: Participant) -> Participant:
        number = request.meeting_id
        meeting = self._world.existing_meeting(int(number)) if number.isascii() and number.isdigit() else None
        keys = self._take_keys(request, meeting)
        if meeting is None:
            raise Refused(NO_SUCH_MEETING, "the meeting does not exist")
        _check_meeting(request, meeting)
        self._check_right_to_come(request, meeting, keys)
        visit = replace(
            visit,
            id=f"bot-{len(self._inside) + 1}",
            live_streaming=keys.streaming is not None,
            local_archiving=keys.archiving is not None,
            on_behalf_of=keys.obf.user_id if keys.obf else None,
        )
        visit = _at_the_door(visit, meeting, keys.recording)
        self._inside[visit.id] = visit
        return visit

    def _take_keys(self, request: JoinRequest, meeting: Meeting | None) -> _Keys:
        """Spend every presented token, also those after one that is refused: what was shown is used."""
        number = meeting.id if meeting else 0
        refusals: list[Refused] = []

        def join_token(value: str, what: JoinKind) -> JoinToken | None:
            try:
                kind = meeting.kind if meeting else "meeting"
                return self._tokens.use_join(value, what=what, kind=kind, meeting_id=number) if value else None
            except Refused as refusal:
                refusals.append(refusal)
                return None

        keys = _Keys(
            recording=join_token(request.join_token, "local_recording"),
            streaming=join_token(request.live_streaming_token, "live_streaming"),
            archiving=join_token(request.local_archiving_token, "local_archiving"),
            obf=self._tokens.use_obf(request.obf_token, meeting_id=number) if request.obf_token else None,
            zak=self._tokens.use_zak(request.zak) if request.zak else None,
        )
        if refusals and meeting is not None:
            raise refusals[0]
        return keys

    def _check_right_to_come(self, request: JoinRequest, meeting: Meeting, keys: _Keys) -> None:
        if keys.obf and keys.zak:
            raise Refused(None, "an on-behalf token and a ZAK exclude each other")
        if keys.obf and keys.obf.user_id not in meeting.present:
            raise Refused(USER_NOT_IN_MEETING, "the user on whose behalf the bot comes is not in the meeting")
        outside = request.sdk_account_id not in (None, self._world.account_of(meeting).id)
        if outside and not keys.obf and not keys.zak:
            if keys.recording and keys.recording.level == "user":
                raise Refused(NEEDS_ZAK_OR_OBF, "a user-level token without the host, a ZAK or an on-behalf token")
            raise Refused(NOT_ANONYMOUS, "an app from another account cannot join anonymously")

    def _age(self, join_token: str) -> float | None:
        token = self._tokens.look_up_join(join_token)
        return None if token is None else self._clock.now() - token.issued_at

    def _now(self, visit: Participant) -> Participant:
        """Apply what the host has said meanwhile."""
        if visit.state not in ("asks_host", "waiting_room"):
            return visit
        meeting = self._world.existing_meeting(int(visit.meeting_id))
        answer = meeting.host_answer if meeting else None
        states: dict[HostAnswer, tuple[State, str]] = {
            "granted": ("recording", "the host allowed it"),
            "denied": ("denied", "the host refused it"),
            "timeout": ("timed_out", "the host did not answer in time"),
        }
        if answer is None:
            return visit
        state, reason = states[answer]
        self._inside[visit.id] = replace(visit, state=state, reason=reason, recording=state == "recording")
        return self._inside[visit.id]


def _check_meeting(request: JoinRequest, meeting: Meeting) -> None:
    if meeting.end_to_end_encrypted:
        raise Refused(None, "the meeting is end-to-end encrypted and admits no SDK bot")
    if meeting.passcode and request.passcode != meeting.passcode:
        raise Refused(WRONG_PASSCODE, "the passcode is wrong")
    if meeting.ended and not meeting.started and meeting.type == 1:
        raise Refused(MEETING_OVER, "the meeting is over")


def _at_the_door(visit: Participant, meeting: Meeting, token: JoinToken | None) -> Participant:
    if token is None:
        return replace(visit, state="asks_host", reason="no recording token: waiting for the host's permission")
    if meeting.waiting_room and not token.bypass_waiting_room:
        return replace(visit, state="waiting_room", reason="in the waiting room: the token does not bypass it")
    return replace(visit, state="recording", reason="admitted at once by its recording token", recording=True)


def _presented(request: JoinRequest) -> tuple[str, ...]:
    found = {
        "LocalRecording": request.join_token,
        "OnBehalf": request.obf_token,
        "ZAK": request.zak,
        "LiveStreaming": request.live_streaming_token,
        "LocalArchiving": request.local_archiving_token,
    }
    return tuple(name for name, value in found.items() if value)
