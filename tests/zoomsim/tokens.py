"""Join tokens, on-behalf tokens and ZAKs: how Zoom makes them, and its answers when a bot presents them."""

from dataclasses import dataclass, field
from typing import Literal

from .clock import SimClock
from .grants import AccessToken
from .identifiers import TokenForge
from .recorder import Recorder
from .scopes import Level
from .world import Kind

JoinKind = Literal["local_recording", "live_streaming", "local_archiving"]

JOIN_TOKEN_SECONDS = 120
ZAK_SECONDS = 7200
# Zoom does not say how long an on-behalf token lives; a guess: as long as a ZAK.
OBF_SECONDS = 7200

BAD_JOIN_TOKEN = 500
BAD_OBF = 505
OBF_FOR_ANOTHER_MEETING = 506


class Refused(Exception):  # noqa: N818 - Zoom refuses; nothing is broken
    """A token is refused: the Meeting SDK's fail code (None if it has none) and the reason in words."""

    def __init__(self, code: int | None, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


@dataclass(frozen=True, kw_only=True)
class JoinToken:
    """A join token as issued; `level` is that of the credential that asked for it."""

    value: str = field(repr=False)
    what: JoinKind
    kind: Kind
    meeting_id: int
    bypass_waiting_room: bool
    level: Level
    issued_at: float


@dataclass(frozen=True, kw_only=True)
class OnBehalfToken:
    """An OBF token as issued: this user's presence admits the bot to this meeting."""

    value: str = field(repr=False)
    user_id: str
    meeting_id: int
    issued_at: float


@dataclass(frozen=True, kw_only=True)
class Zak:
    """A Zoom access key of one user."""

    value: str = field(repr=False)
    user_id: str
    issued_at: float


class Tokens:
    """Makes tokens and accepts them; a presented one-use token is spent in any case."""

    def __init__(self, *, clock: SimClock, recorder: Recorder) -> None:
        self._clock = clock
        self._recorder = recorder
        self._forge = TokenForge()
        self._join: dict[str, JoinToken] = {}
        self._obf: dict[str, OnBehalfToken] = {}
        self._zak: dict[str, Zak] = {}
        self._spent: set[str] = set()

    def make_join(
        self, *, what: JoinKind, kind: Kind, meeting_id: int, bypass_waiting_room: bool, asker: AccessToken
    ) -> JoinToken:
        """Make a join token; the caller has checked that `asker` may have it."""
        token = JoinToken(
            value=self._new(f"{what} join token", {"mn": str(meeting_id), "type": what}, JOIN_TOKEN_SECONDS),
            what=what,
            kind=kind,
            meeting_id=meeting_id,
            bypass_waiting_room=bypass_waiting_room,
            level=asker.level,
            issued_at=self._clock.now(),
        )
        self._join[token.value] = token
        return token

    def make_obf(self, *, user_id: str, meeting_id: int) -> OnBehalfToken:
        """Make an on-behalf token."""
        value = self._new("on-behalf token", {"uid": user_id, "mn": str(meeting_id)}, OBF_SECONDS)
        token = OnBehalfToken(value=value, user_id=user_id, meeting_id=meeting_id, issued_at=self._clock.now())
        self._obf[value] = token
        return token

    def make_zak(self, *, user_id: str) -> Zak:
        """Make a ZAK."""
        value = self._new("ZAK", {"uid": user_id}, ZAK_SECONDS)
        self._zak[value] = Zak(value=value, user_id=user_id, issued_at=self._clock.now())
        return self._zak[value]

    def look_up_join(self, value: str) -> JoinToken | None:
        """Find a join token, spent or not."""
        return self._join.get(value)

    def use_join(self, value: str, *, what: JoinKind, kind: Kind, meeting_id: int) -> JoinToken:
        """Accept a join token; Refused 500 when it is unknown, used, too old, or for something else."""
        token = self._join.get(value)
        spent = self._spend(value)
        if token is None:
            raise Refused(BAD_JOIN_TOKEN, f"the {what} join token is not one of Zoom's")
        if spent:
            raise Refused(BAD_JOIN_TOKEN, f"the {what} join token has been used before")
        if self._clock.now() - token.issued_at >= JOIN_TOKEN_SECONDS:
            raise Refused(BAD_JOIN_TOKEN, f"the {what} join token has expired")
        if token.what != what:
            raise Refused(BAD_JOIN_TOKEN, f"this is not a {what} join token")
        if (token.kind, token.meeting_id) != (kind, meeting_id):
            raise Refused(BAD_JOIN_TOKEN, f"the {what} join token is for another meeting")
        return token

    def use_obf(self, value: str, *, meeting_id: int) -> OnBehalfToken:
        """Accept an on-behalf token; Refused 505 when it is unknown, used or too old, 506 when for another meeting."""
        token = self._obf.get(value)
        spent = self._spend(value)
        if token is None or spent or self._clock.now() - token.issued_at >= OBF_SECONDS:
            raise Refused(BAD_OBF, "the on-behalf token is invalid, used or expired")
        if token.meeting_id != meeting_id:
            raise Refused(OBF_FOR_ANOTHER_MEETING, "the on-behalf token is for another meeting")
        return token

    def use_zak(self, value: str) -> Zak:
        """Accept a ZAK, any number of times within its 2 hours; Refused otherwise."""
        zak = self._zak.get(value)
        if zak is None or self._clock.now() - zak.issued_at >= ZAK_SECONDS:
            raise Refused(None, "the ZAK is invalid or expired")
        return zak

    def _spend(self, value: str) -> bool:
        before = value in self._spent
        self._spent.add(value)
        return before

    def _new(self, kind: str, claims: dict[str, object], seconds: int) -> str:
        shown = int(self._clock.shown())
        claims |= {"iss": "web", "iat": shown, "exp": shown + seconds}
        return self._recorder.secret(self._forge.forge(claims), kind=kind)
