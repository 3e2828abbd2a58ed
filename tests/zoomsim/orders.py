"""Bodies of the control routes under /sim, shared by the routes and their client."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import ConfigDict

from .actions import Removal
from .scenario import MeetingWanted
from .world import HostAnswer


@dataclass(frozen=True, kw_only=True)
class MeetingOrder:
    """Create a meeting."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    meeting: MeetingWanted
    operator: str | None = None
    emit: bool = True


@dataclass(frozen=True, kw_only=True)
class ChangeOrder:
    """Change fields of an account, user, app or meeting."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    changes: dict[str, Any]
    operator: str | None = None
    emit: bool = True


@dataclass(frozen=True, kw_only=True)
class MeetingActOrder:
    """Start, end, delete, recover or convert a meeting, or let a user join or leave; fields as in Actions."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    user: str | None = None
    name: str = "Guest"
    device: str = ""
    occurrence_id: str | None = None
    permanently: bool = False
    emit: bool = True


@dataclass(frozen=True, kw_only=True)
class RemovalOrder:
    """Remove a user."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    how: Removal = "deleted"
    emit: bool = True


@dataclass(frozen=True, kw_only=True)
class CodeOrder:
    """Make an authorization code without a browser."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    client_id: str
    user: str
    redirect_uri: str
    code_challenge: str | None = None
    scopes: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class WithdrawalOrder:
    """Withdraw a consent: revoke its tokens, or (`deauthorize`) remove the app with its event."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    client_id: str
    user: str
    deauthorize: bool = False
    user_data_retention: str | None = "false"
    emit: bool = True


@dataclass(frozen=True, kw_only=True)
class EventOrder:
    """Send any event to these apps; `event_ts` in milliseconds, `delay_seconds` simulated."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    event: str
    payload: dict[str, Any]
    client_ids: tuple[str, ...]
    event_ts: int | None = None
    copies: int = 1
    delay_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class AnswerOrder:
    """The host's answer to one bot."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    answer: HostAnswer


@dataclass(frozen=True, kw_only=True)
class ClockOrder:
    """Move the clock; None changes nothing."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    advance: float = 0.0
    factor: float | None = None
    skew: float | None = None


@dataclass(frozen=True, kw_only=True)
class ClockState:
    """The clock's state."""

    now: float
    shown: float
    factor: float
    skew: float


@dataclass(frozen=True, kw_only=True)
class Records:
    """Secrets ever issued (value to kind) and how often each refresh token was presented."""

    secrets: dict[str, str] = field(repr=False)
    refresh_uses: dict[str, int] = field(repr=False)
