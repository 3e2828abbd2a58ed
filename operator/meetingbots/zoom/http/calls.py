"""The calls that we make, by name: what each costs, how urgent it is, and which rows of the error table fit it.

A call's name labels metrics; category and priority are for whoever shares out an account's rate limit.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class Family(enum.Flag):
    """Calls whose errors mean the same. A row of the error table names one or several."""

    REFRESH = enum.auto()
    CODE = enum.auto()
    ACCOUNT_TOKEN = enum.auto()
    APP_CHECK = enum.auto()
    REVOKE = enum.auto()
    RECORDING_TOKEN = enum.auto()
    OTHER_JOIN_TOKEN = enum.auto()
    MEETING = enum.auto()
    LISTS = enum.auto()
    USER = enum.auto()
    ON_BEHALF = enum.auto()
    ZAK = enum.auto()

    OAUTH = REFRESH | CODE | ACCOUNT_TOKEN | APP_CHECK | REVOKE
    JOIN_TOKEN = RECORDING_TOKEN | OTHER_JOIN_TOKEN
    REST = JOIN_TOKEN | MEETING | LISTS | USER | ON_BEHALF | ZAK
    ANY = OAUTH | REST


class Category(enum.StrEnum):
    """Zoom's rate limit categories (Zoom API, Rate limits). OAuth calls are in none of them."""

    LIGHT = "Light"
    MEDIUM = "Medium"
    HEAVY = "Heavy"
    NONE = "None"


class Priority(enum.IntEnum):
    """Who goes first when an account's limit is short: the smaller number."""

    BOT = 0
    CREDENTIAL = 1
    SYNC = 2


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of request to Zoom."""

    name: str
    family: Family
    category: Category
    priority: Priority


REFRESH = Call("oauth_refresh", Family.REFRESH, Category.NONE, Priority.CREDENTIAL)
REDEEM_CODE = Call("oauth_code", Family.CODE, Category.NONE, Priority.CREDENTIAL)
ACCOUNT_TOKEN = Call("oauth_account", Family.ACCOUNT_TOKEN, Category.NONE, Priority.CREDENTIAL)
CHECK_APP = Call("oauth_check", Family.APP_CHECK, Category.NONE, Priority.CREDENTIAL)
REVOKE = Call("oauth_revoke", Family.REVOKE, Category.NONE, Priority.CREDENTIAL)
USER = Call("user", Family.USER, Category.LIGHT, Priority.CREDENTIAL)
USERS = Call("users", Family.LISTS, Category.MEDIUM, Priority.SYNC)
MEETINGS = Call("meetings", Family.LISTS, Category.MEDIUM, Priority.SYNC)
MEETING = Call("meeting", Family.MEETING, Category.LIGHT, Priority.BOT)
RECORDING_TOKEN = Call("jointoken_local_recording", Family.RECORDING_TOKEN, Category.LIGHT, Priority.BOT)
STREAMING_TOKEN = Call("jointoken_live_streaming", Family.OTHER_JOIN_TOKEN, Category.LIGHT, Priority.BOT)
ARCHIVING_TOKEN = Call("jointoken_local_archiving", Family.OTHER_JOIN_TOKEN, Category.LIGHT, Priority.BOT)
ON_BEHALF_TOKEN = Call("onbehalf_token", Family.ON_BEHALF, Category.LIGHT, Priority.BOT)
ZAK = Call("zak", Family.ZAK, Category.LIGHT, Priority.BOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateReport:
    """What an answer says about the account's limit; None where Zoom did not say it."""

    category: Category
    limited: bool = False
    daily: bool = False
    """It speaks of the day's calls, not of the second's."""
    limit: int | None = None
    remaining: int | None = None
    retry_after: float | datetime | None = None


class Permit(Protocol):
    """The right to send one request."""

    def end(self, rate: RateReport | None) -> None:
        """The request is over; learn from its answer (None: there was none)."""


class Limiter(Protocol):
    """Shares out the rate limit of Zoom accounts, which all their apps have in common."""

    async def acquire(self, *, account: str, category: Category, priority: Priority) -> Permit:
        """Wait for the turn of one request. May raise a :class:`meetingbots.zoom.errors.Passing` instead of waiting."""


class CallObserver(Protocol):
    """Is told of every request, for metrics."""

    def __call__(self, *, call: str, code: str, seconds: float) -> None:
        """Take the call's name, the HTTP status (or ``unreachable``, ``broken``, ``timeout``) and how long it took."""
