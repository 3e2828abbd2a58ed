"""Zoom's rate limits by plan, and the granted part of an account's limits (Zoom API, Rate limits).

All apps of an account share its limits, so a customer grants a share of them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from meetingbots.zoom.http.calls import Category


class RatePlan(enum.IntEnum):
    """Zoom's plans; a plan with lower limits is a smaller number."""

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
    """The granted part of an account's limits: its plan, and the share (over 0, up to 1) of the plan's limits."""

    plan: RatePlan = RatePlan.PRO
    share: float = 0.5

    def per_second(self, category: Category) -> int:
        """Return the account's limit in calls a second."""
        return _PER_SECOND[category][self.plan]

    def per_day(self, category: Category) -> int | None:
        """Return the granted calls of a day (UTC); None: unlimited."""
        if self.plan is not RatePlan.FREE or category is not Category.LIGHT:
            return None
        return max(1, _share_of(_LIGHT_A_DAY_FREE, self.share))


@dataclass(frozen=True, slots=True)
class Pace:
    """At most `calls` in any window of `seconds`."""

    calls: int
    seconds: float


def pace(*, limit: int, share: float) -> Pace:
    """Return the pace that stays within a share of `limit` calls a second.

    A share of less than one call a second becomes one call in a longer window.
    """
    calls = _share_of(limit, share)
    return Pace(calls, 1.0) if calls >= 1 else Pace(1, 1.0 / (limit * share))


def lowest(allowances: Iterable[AccountAllowance]) -> AccountAllowance | None:
    """Return the lowest plan and the smallest share among the allowances; None without any."""
    known = list(allowances)
    if not known:
        return None
    return AccountAllowance(plan=min(one.plan for one in known), share=min(one.share for one in known))


def highest(allowances: Iterable[AccountAllowance]) -> AccountAllowance | None:
    """Return the highest plan and the largest share among the allowances; None without any."""
    known = list(allowances)
    if not known:
        return None
    return AccountAllowance(plan=max(one.plan for one in known), share=max(one.share for one in known))


def _share_of(limit: int, share: float) -> int:
    return int(limit * share + 1e-9)  # 30 * 0.7 is a little less than 21
