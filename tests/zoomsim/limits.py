"""Zoom's rate limits: per account, shared by all its apps, by plan and category (Zoom API reference, "Rate limits")."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from .clock import SimClock, iso
from .errors import ZoomError
from .world import Account, Plan

Category = Literal["light", "medium", "heavy"]

FREE_DAILY_LIGHT = 6000
DAY = 86400


def per_second(*, plan: Plan, category: Category) -> int:
    """Calls a second that an account with this plan may make."""
    table: dict[Category, dict[Plan, int]] = {
        "light": {"Free": 4, "Pro": 30, "Business": 80},
        "medium": {"Free": 2, "Pro": 20, "Business": 60},
        "heavy": {"Free": 1, "Pro": 10, "Business": 40},
    }
    return table[category][plan]


@dataclass
class _Use:
    recent: deque[float] = field(default_factory=deque)
    day: int = 0
    today: int = 0


class Limits:
    """Counts every account's calls. The window is the last second, whichever second that is (the strictest reading).

    Refused calls do not count. Days are those of UTC.
    """

    def __init__(self, *, clock: SimClock) -> None:
        self._clock = clock
        self._uses: dict[tuple[str, Category], _Use] = {}

    def take(self, *, account: Account, category: Category) -> dict[str, str]:
        """Count one call and give the X-RateLimit-* headers of its answer; ZoomError 429 when it is one too many."""
        now = self._clock.now()
        use = self._uses.setdefault((account.id, category), _Use())
        if use.day != int(now // DAY):
            use.day, use.today = int(now // DAY), 0
        self._check_day(account=account, category=category, use=use, now=now)
        while use.recent and now - use.recent[0] >= 1:
            use.recent.popleft()
        limit = per_second(plan=account.plan, category=category)
        if len(use.recent) >= limit:
            message = "You have reached the maximum per-second rate limit for this API. Try again later."
            raise too_many(message=message, headers=_headers(category, "QPS", limit, 0))
        use.recent.append(now)
        use.today += 1
        return _headers(category, "QPS", limit, limit - len(use.recent))

    def _check_day(self, *, account: Account, category: Category, use: _Use, now: float) -> None:
        if account.plan != "Free" or category != "light" or use.today < FREE_DAILY_LIGHT:
            return
        midnight = (now // DAY + 1) * DAY
        headers = _headers(category, "Daily-limit", FREE_DAILY_LIGHT, 0) | {"Retry-After": iso(midnight)}
        message = "You have reached the maximum daily rate limit for this API. Try again tomorrow."
        raise too_many(message=message, headers=headers)


def too_many(*, message: str, headers: dict[str, str]) -> ZoomError:
    """Make Zoom's 429."""
    return ZoomError(status=429, code=429, message=message, headers=headers)


def _headers(category: str, kind: str, limit: int, remaining: int) -> dict[str, str]:
    return {
        "X-RateLimit-Category": category.capitalize(),
        "X-RateLimit-Type": kind,
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
    }
