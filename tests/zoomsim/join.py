"""The bots' side of Zoom: which bot enters a meeting, with which rights, and its state there."""

from dataclasses import dataclass, field, replace

from pydantic import ConfigDict

from .clock import SimClock
from .tokens import JoinKind, JoinToken, OnBehalfToken, Refused, Tokens, Zak
from .visits import Participant, Visits
from .world import Meeting, World

# The Meeting SDK's fail codes.
WRONG_PASSCODE = 4
MEETING_OVER = 6
NO_SUCH_MEETING = 8
USER_NOT_IN_MEETING = 501
NEEDS_ZAK_OR_OBF = 503
NOT_ANONYMOUS = 504

LONGEST_CUSTOMER_KEY = 35


@dataclass(frozen=True, kw_only=True)
class JoinRequest:
    """The input of a bot's join. `sdk_account_id`: the account of the bot's SDK app; None: that of the meeting."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    meeting_id: str
    passcode: str = field(default="", repr=False)
    display_name: str = ""
    join_token: str = field(default="", repr=False)
    obf_token: str = field(default="", repr=False)
    zak: str = field(default="", repr=False)
    live_streaming_token: str = field(default="", repr=False)
    local_archiving_token: str = field(default="", repr=False)
    customer_key: str = ""
    sdk_account_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Keys:
    """The presented tokens that are valid."""

    recording: JoinToken | None
    streaming: JoinToken | None
    archiving: JoinToken | None
    obf: OnBehalfToken | None
    zak: Zak | None


class Joins:
    """Admits and refuses bots. `attempts` has every try with its answer at that time."""

    def __init__(self, *, clock: SimClock, world: World, tokens: Tokens, visits: Visits) -> None:
        self._clock = clock
        self._world = world
        self._tokens = tokens
        self._visits = visits
        self.attempts: list[Participant] = []

    def join(self, request: JoinRequest) -> Participant:
        """Answer a bot as Zoom does; a refusal is an answer. ValueError for a customer key that is too long."""
        if len(request.customer_key) > LONGEST_CUSTOMER_KEY:
            raise ValueError(f"a customer key has at most {LONGEST_CUSTOMER_KEY} characters")
        visit = Participant(
            id="",
            meeting_id=request.meeting_id,
            display_name=request.display_name,
            state="refused",
            reason="",
            time=self._clock.now(),
            presented=_presented(request),
            customer_key=request.customer_key,
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
            live_streaming=keys.streaming is not None,
            local_archiving=keys.archiving is not None,
            on_behalf_of=keys.obf.user_id if keys.obf else None,
            user_id=keys.zak.user_id if keys.zak else None,
        )
        return self._visits.begin(visit, meeting=meeting, token=keys.recording)

    def _take_keys(self, request: JoinRequest, meeting: Meeting | None) -> _Keys:
        """Spend every presented token, also those after one that is refused."""
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
            raise Refused(USER_NOT_IN_MEETING, "the user of the on-behalf token is not in the meeting")
        outside = request.sdk_account_id not in (None, self._world.account_of(meeting).id)
        if outside and not keys.obf and not keys.zak:
            if keys.recording and keys.recording.level == "user":
                raise Refused(NEEDS_ZAK_OR_OBF, "a user-level token without the host, a ZAK or an on-behalf token")
            raise Refused(NOT_ANONYMOUS, "an app from another account cannot join anonymously")

    def _age(self, join_token: str) -> float | None:
        token = self._tokens.look_up_join(join_token)
        return None if token is None else self._clock.now() - token.issued_at


def _check_meeting(request: JoinRequest, meeting: Meeting) -> None:
    if meeting.end_to_end_encrypted:
        raise Refused(None, "the meeting is end-to-end encrypted and admits no SDK bot")
    if meeting.passcode and request.passcode != meeting.passcode:
        raise Refused(WRONG_PASSCODE, "the passcode is wrong")
    if meeting.ended and not meeting.started and meeting.type == 1:
        raise Refused(MEETING_OVER, "the meeting is over")


def _presented(request: JoinRequest) -> tuple[str, ...]:
    found = {
        "LocalRecording": request.join_token,
        "OnBehalf": request.obf_token,
        "ZAK": request.zak,
        "LiveStreaming": request.live_streaming_token,
        "LocalArchiving": request.local_archiving_token,
    }
    return tuple(name for name, value in found.items() if value)
