"""Zoom's rate limits by plan, and how much of an account's limit may be used (Zoom API, Rate limits).

All apps of an account share its limits, so a customer grants a share of them; where several credentials of an account
say different things, the lowest plan and the smallest share hold.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from meetingbots.zoom.http.calls import Category


class RatePlan(enum.IntEnum):
    """Plans by what they allow; a lower one is a smaller number."""

    FREE = 0
    PRO = 1
    BUSINESS = 2


_PER_SECOND: Final[Mapping[Category, Mapping[RatePlan, int]]] = {
    Category.LIGHT: {RatePlan.FREE: 4, RatePlan.PRO: 30, RatePlan.BUSINESS: 80},
    Category.MEDIUM: {RatePlan.FREE: 2, RatePlan.PRO: 20, RatePlan.BUSINESS: 60},
    Category.HEAVY: {RatePlan.FREE: 1, RatePlan.PRO: 10, RatePlan.BUSINESS: 40},
}
_LIGHT_A_DAY_FREE: Final = 6000


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAllowance:
    """What is granted of an account's limits: its plan, and the share (over 0, up to 1) of what the plan allows."""

    plan: RatePlan = RatePlan.PRO
    share: float = 0.5

    def per_second(self, category: Category) -> int:
        """Calls a second that Zoom lets the whole account make."""
        return _PER_SECOND[category][self.plan]

    def per_day(self, category: Category) -> int | None:
        """Calls that we may make from midnight to midnight (UTC); None: as many as one likes."""
        if self.plan is not RatePlan.FREE or category is not Category.LIGHT:
            return None
        return max(1, _share_of(_LIGHT_A_DAY_FREE, self.share))


@dataclass(frozen=True, slots=True)
class Pace:
    """So many calls in any window of so many seconds."""

    calls: int
    seconds: float


def pace(*, limit: int, share: float) -> Pace:
    """The most calls that stay within a share of `limit` calls a second, whichever second one looks at.

    A share of less than one call a second is one call in a longer time.
    """
    calls = _share_of(limit, share)
    return Pace(calls, 1.0) if calls >= 1 else Pace(1, 1.0 / (limit * share))


def lowest(allowances: Iterable[AccountAllowance]) -> AccountAllowance | None:
    """The lowest plan and the smallest share among them, be they of the same one or not; None without any."""
    known = list(allowances)
    if not known:
        return None
    return AccountAllowance(plan=min(one.plan for one in known), share=min(one.share for one in known))


def _share_of(limit: int, share: float) -> int:
    return int(limit * share + 1e-9)  # 30 * 0.7 is a little less than 21
