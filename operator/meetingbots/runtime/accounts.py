"""What the operator knows of Zoom accounts: the owners of apps, and the granted part of each account's rate limits."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from meetingbots.kube.client import Kube
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import SECRETS
from meetingbots.kube.secrets import SecretValueError, value_of
from meetingbots.models.credential import RateLimit
from meetingbots.runtime.object_cache import Key, Object, ObjectCache, key_of
from meetingbots.zoom.limits.account_rate import AccountAllowance, RatePlan, highest, lowest
from meetingbots.zoom.oauth import Environment

_ACCOUNT_KEY: Final = "account_id"
_ENVIRONMENT_KEY: Final = "environment"
_PLANS: Final = {plan.name: plan for plan in RatePlan}
_DEFAULT: Final = RateLimit()


@dataclass(frozen=True, kw_only=True)
class AppOrigin:
    """Where an app is registered. `account` is empty and `environment` None where the Secret names none."""

    account: str
    environment: Environment | None


_NO_ORIGIN: Final = AppOrigin(account="", environment=None)


def environment_of(app_secret: Object) -> Environment | None:
    """The Zoom environment of an app Secret; None for an unknown one."""
    if _ENVIRONMENT_KEY not in (app_secret.get("data") or {}):
        return Environment.ZOOM
    try:
        return Environment.named(value_of(app_secret, key=_ENVIRONMENT_KEY).get_secret_value())
    except SecretValueError:
        return None


class AppOwners:
    """Owner accounts and environments by app Secret."""

    def __init__(self) -> None:
        self._known: dict[Key, AppOrigin] = {}

    def note(self, secret: Object) -> None:
        """Cache the origin of an app Secret that was just read."""
        try:
            account = value_of(secret, key=_ACCOUNT_KEY).get_secret_value()
        except SecretValueError:
            account = ""
        self._known[key_of(secret)] = AppOrigin(account=account, environment=environment_of(secret))

    def known(self, key: Key) -> str | None:
        """The account; empty if the Secret names none, None if it was not read yet."""
        found = self._known.get(key)
        return found.account if found is not None else None

    async def of(self, kube: Kube, key: Key) -> AppOrigin:
        """The origin of the app. Reads its Secret at most once; a missing one names none. Raises `KubeError`."""
        known = self._known.get(key)
        if known is not None:
            return known
        try:
            self.note(await kube.get(SECRETS, namespace=key.namespace, name=key.name))
        except NotFoundError:
            return _NO_ORIGIN
        return self._known[key]


class RateBudgets:
    """Returns allowances. `credentials` is the cache of ZoomCredentials, indexed by `account_of`.

    Within a namespace the lowest plan and the smallest share hold. A namespace is a tenant: where several share an
    account, the one that grants most decides, so that no tenant slows another down.

    `min_share` is the platform's lower bound for `rateLimit.sharePercent`, as a fraction.
    """

    def __init__(self, *, credentials: ObjectCache, min_share: float = 0.0) -> None:
        self._credentials = credentials
        self._min_share = min_share
        self._noted: defaultdict[str, set[Key]] = defaultdict(set)

    def note(self, key: Key, *, account: str) -> None:
        """A credential is about to call for this account, which its status does not name yet."""
        self._noted[account].add(key)

    def allowance(self, account: str) -> AccountAllowance:
        """Return the granted part of the account's limits; without credentials that of a new credential."""
        by_namespace: defaultdict[str, list[AccountAllowance]] = defaultdict(list)
        for key in {*self._credentials.indexed(account), *self._still_noted(account)}:
            item = self._credentials.get(key)
            if item is not None:
                by_namespace[key.namespace].append(allowance_of(item))
        tenants = (lowest(allowances) for allowances in by_namespace.values())
        granted = highest(one for one in tenants if one is not None) or allowance_of({})
        return AccountAllowance(plan=granted.plan, share=max(granted.share, self._min_share))

    def _still_noted(self, account: str) -> set[Key]:
        """Forget notes about credentials that are gone, or that name the account in their status now."""
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
    """Return the Zoom account in a ZoomCredential's status."""
    found: str | None = (credential.get("status") or {}).get("accountId")
    return found or None


def allowance_of(credential: Object) -> AccountAllowance:
    """Return what one ZoomCredential grants, as the API server sends it; the rest is the default."""
    granted = (credential.get("spec") or {}).get("rateLimit") or {}
    plan = _PLANS.get(str(granted.get("plan", _DEFAULT.plan)).upper(), RatePlan.FREE)
    percent = granted.get("sharePercent", _DEFAULT.share_percent)
    return AccountAllowance(plan=plan, share=percent / 100)
