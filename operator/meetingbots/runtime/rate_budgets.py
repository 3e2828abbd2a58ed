"""What the credentials grant of their Zoom accounts' rate limits: the lowest plan and share of all of an account's."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from meetingbots.models.credential import RateLimit
from meetingbots.runtime.object_cache import Key, Object, ObjectCache
from meetingbots.zoom.limits.plans import AccountAllowance, RatePlan, lowest

_PLANS: Final = {plan.name: plan for plan in RatePlan}
_DEFAULT: Final = RateLimit()


class RateBudgets:
    """Answers for an account; `credentials` is the cache of ZoomCredentials, indexed by their status's account."""

    def __init__(self, *, credentials: ObjectCache) -> None:
        self._credentials = credentials
        self._noted: defaultdict[str, set[Key]] = defaultdict(set)

    def note(self, key: Key, *, account: str) -> None:
        """A credential is about to call for this account, which its status does not tell (yet)."""
        self._noted[account].add(key)

    def allowance(self, account: str) -> AccountAllowance:
        """What may be used of the account's limits. One that no credential is known for has a new credential's."""
        keys = {*self._credentials.indexed(account), *self._still_there(account)}
        items = (self._credentials.get(key) for key in keys)
        return lowest(allowance_of(item) for item in items if item is not None) or allowance_of({})

    def _still_there(self, account: str) -> set[Key]:
        """Forgets what was noted of credentials that are gone, or whose status tells the same meanwhile."""
        noted = self._noted.get(account)
        if noted is None:
            return set()
        for key in list(noted):
            item = self._credentials.get(key)
            if item is None or account_of(item) == account:
                noted.discard(key)
        if not noted:
            del self._noted[account]
        return noted


def account_of(credential: Object) -> str | None:
    """The Zoom account of a ZoomCredential, as its status tells it."""
    found: str | None = (credential.get("status") or {}).get("accountId")
    return found or None


def allowance_of(credential: Object) -> AccountAllowance:
    """What one ZoomCredential, as the API server sends it, grants; what it does not say is the default."""
    granted = (credential.get("spec") or {}).get("rateLimit") or {}
    plan = _PLANS.get(str(granted.get("plan", _DEFAULT.plan)).upper(), RatePlan.FREE)
    percent = granted.get("sharePercent", _DEFAULT.share_percent)
    return AccountAllowance(plan=plan, share=percent / 100)
