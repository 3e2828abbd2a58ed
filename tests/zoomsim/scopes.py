"""The scopes that each REST call needs, in Zoom's classic and granular families (Zoom API reference, "Scopes")."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

Level = Literal["user", "account"]


@dataclass(frozen=True, kw_only=True)
class Need:
    """Scopes of one call: each tuple holds alternatives, one is enough. `*_account` are the `:admin` forms."""

    classic_user: tuple[str, ...] = ()
    granular_user: tuple[str, ...] = ()
    classic_account: tuple[str, ...]
    granular_account: tuple[str, ...]


def _join_token(thing: str, kind: str, *, account_only: bool = False) -> Need:
    return Need(
        classic_user=() if account_only else (f"{thing}_token:read:{kind}",),
        granular_user=() if account_only else (f"{thing}:read:{kind}_token",),
        classic_account=(f"{thing}_token:read:admin:{kind}",),
        granular_account=(f"{thing}:read:{kind}_token:admin",),
    )


def _read(classic: str, granular: str) -> Need:
    return Need(
        classic_user=(classic,),
        granular_user=(granular,),
        classic_account=(f"{classic}:admin",),
        granular_account=(f"{granular}:admin",),
    )


@cache
def needs() -> dict[str, Need]:
    """Map every REST call's name to what it needs."""
    table = {
        "users.get": _read("user:read", "user:read:user"),
        "users.list": Need(classic_account=("user:read:admin",), granular_account=("user:read:list_users:admin",)),
        "users.token.onbehalf": _read("user:read", "user:read:token"),
        "users.token.zak": Need(
            classic_user=("user:read", "user_zak:read"),
            granular_user=("user:read:token", "user:read:zak"),
            classic_account=("user:read:admin", "user_zak:read:admin"),
            granular_account=("user:read:token:admin", "user:read:zak:admin"),
        ),
        "users.zak": _read("user_zak:read", "user:read:zak"),
        "meetings.list": _read("meeting:read", "meeting:read:list_meetings"),
        "meetings.get": _read("meeting:read", "meeting:read:meeting"),
        "webinars.list": _read("webinar:read", "webinar:read:list_webinars"),
        "webinars.get": _read("webinar:read", "webinar:read:webinar"),
    }
    for thing in ("meeting", "webinar"):
        table[f"{thing}s.jointoken.local_recording"] = _join_token(thing, "local_recording")
        table[f"{thing}s.jointoken.live_streaming"] = _join_token(thing, "live_streaming")
        table[f"{thing}s.jointoken.local_archiving"] = _join_token(thing, "local_archiving", account_only=True)
    return table


def all_granular(level: Level) -> tuple[str, ...]:
    """Every granular scope that an app of this level can ask for, sorted: the default of a simulated app."""
    found: set[str] = set()
    for need in needs().values():
        found |= set(need.granular_account if level == "account" else need.granular_user)
    return tuple(sorted(found))


def missing(*, call: str, granted: frozenset[str], level: Level) -> tuple[str, ...]:
    """List the scopes of which the token needs one for this call; empty when it has one.

    Account-level tokens need the `:admin` forms; user-level tokens may have either. The names are those of the
    family that the token's app uses (granular when it has none of either), as Zoom lists them.
    """
    table = needs()
    need = table[call]
    user = level == "user"
    classic = (need.classic_user if user else ()) + need.classic_account
    granular = (need.granular_user if user else ()) + need.granular_account
    if granted & {*classic, *granular}:
        return ()
    known_classic = {name for each in table.values() for name in (*each.classic_user, *each.classic_account)}
    known_granular = {name for each in table.values() for name in (*each.granular_user, *each.granular_account)}
    return classic if granted & known_classic and not granted & known_granular else granular
