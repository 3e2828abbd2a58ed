"""The calls to Zoom: each with its rate limit category, its priority, and its rows of the error table.

A call's name labels metrics.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class Family(enum.Flag):
    """Calls with the same errors. A row of the error table names one or several families."""

    REFRESH = enum.auto()
    CODE = enum.auto()
    ACCOUNT_TOKEN = enum.auto()
    APP_CHECK = enum.auto()
    RECORDING_TOKEN = enum.auto()
    OTHER_JOIN_TOKEN = enum.auto()
    MEETING = enum.auto()
    LISTS = enum.auto()
    USER = enum.auto()
    ON_BEHALF = enum.auto()
    ZAK = enum.auto()

    OAUTH = REFRESH | CODE | ACCOUNT_TOKEN | APP_CHECK
    JOIN_TOKEN = RECORDING_TOKEN | OTHER_JOIN_TOKEN
    REST = JOIN_TOKEN | MEETING | LISTS | USER | ON_BEHALF | ZAK
    ANY = OAUTH | REST


class Category(enum.StrEnum):
    """Zoom's rate limit categories (Zoom API, Rate limits). OAuth calls have none."""

    LIGHT = "Light"
    MEDIUM = "Medium"
    HEAVY = "Heavy"
    NONE = "None"


class Priority(enum.IntEnum):
    """Which calls go first within an account's limit: the smaller number."""

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
USER = Call("user", Family.USER, Category.LIGHT, Priority.CREDENTIAL)
USERS = Call("users", Family.LISTS, Category.MEDIUM, Priority.SYNC)
MEETINGS = Call("meetings", Family.LISTS, Category.MEDIUM, Priority.SYNC)
WEBINARS = Call("webinars", Family.LISTS, Category.MEDIUM, Priority.SYNC)
MEETING = Call("meeting", Family.MEETING, Category.LIGHT, Priority.BOT)
RECORDING_TOKEN = Call("jointoken_local_recording", Family.RECORDING_TOKEN, Category.LIGHT, Priority.BOT)
STREAMING_TOKEN = Call("jointoken_live_streaming", Family.OTHER_JOIN_TOKEN, Category.LIGHT, Priority.BOT)
ARCHIVING_TOKEN = Call("jointoken_local_archiving", Family.OTHER_JOIN_TOKEN, Category.LIGHT, Priority.BOT)
ON_BEHALF_TOKEN = Call("onbehalf_token", Family.ON_BEHALF, Category.LIGHT, Priority.BOT)
ZAK = Call("zak", Family.ZAK, Category.LIGHT, Priority.BOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateReport:
    """What an answer says about the account's limit; None where Zoom says nothing."""

    category: Category
    limited: bool = False
    daily: bool = False
    """It is about the limit of a day, not of a second."""
    limit: int | None = None
    remaining: int | None = None
    retry_after: float | datetime | None = None


class Permit(Protocol):
    """The right to send one request."""

    def end(self, rate: RateReport | None) -> None:
        """The request is over. `rate` comes from its answer; None without an answer."""


class Limiter(Protocol):
    """Keeps calls within the rate limits of Zoom accounts, which all apps of an account share."""

    async def acquire(self, *, account: str, category: Category, priority: Priority) -> Permit:
        """Wait until one request may be sent. May raise a :class:`meetingbots.zoom.errors.TransientError` instead."""


class CallObserver(Protocol):
    """Observes every request, for metrics."""

    def __call__(self, *, call: str, code: str, seconds: float) -> None:
        """`code` is the HTTP status, or ``unreachable``, ``broken``, ``timeout``, ``cancelled``."""
