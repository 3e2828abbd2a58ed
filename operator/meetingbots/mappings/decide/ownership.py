"""Whose meeting is it: which credentials of a namespace an event of Zoom's may touch.

Asked after the signature was verified: only credentials of the apps that verified it, and of the event's account, come
in here. Out come the names that the mapping may list, so that a bot finds a credential for its join token.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from meetingbots.credentials.decide.revocation import ended_at
from meetingbots.mappings.decide.event_times import milliseconds
from meetingbots.models.credential import Level
from meetingbots.models.mapping import MAX_FOUND_CREDENTIALS


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCredential:
    """What has to be known of a ZoomCredential to tell whose it is. Empty ids: nobody has consented yet."""

    namespace: str
    name: str
    uid: str
    app: str
    """Name of its app's Secret."""
    level: Level
    user_id: str
    account_id: str
    pmi: str
    email: str = field(default="", repr=False)
    """In lower case."""
    renewed: datetime | None = None
    """When tokens were last had from Zoom."""
    deauthorized: datetime | None = None
    """When its user took a consent back."""
    removed: datetime | None = None
    """When its user was deactivated, or left."""

    def heeds(self, event_ts: int) -> bool:
        """Whether an event of that time (milliseconds since 1970) may be its user's: not one from before a good-bye."""
        if self.deauthorized is None and self.removed is None:
            return True  # nearly everybody, at each event of an account
        end = ended_at(renewed=self.renewed, deauthorized=self.deauthorized, removed=self.removed)
        # The status has whole seconds.
        return end is None or event_ts >= milliseconds(end) + 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """The people whom an event names: Zoom users by id (None or empty: not named), alternative hosts by e-mail."""

    host_id: str | None = None
    former_host_id: str | None = None
    operator_id: str | None = None
    participant_id: str | None = None
    alternative_hosts: Collection[str] = field(default=(), repr=False)

    @property
    def user_ids(self) -> frozenset[str | None]:
        """All that are named by their id."""
        return frozenset((self.host_id, self.former_host_id, self.operator_id, self.participant_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """The credentials of one app in one namespace that an event is about, by name.

    `scope` is who the event can speak of at all: every credential of the app and the account; entries of others in a
    mapping are none of its business. `uids` are for ownerReferences.
    """

    namespace: str
    app: str
    """Name of the app's Secret."""
    scope: frozenset[str]
    hosts: tuple[str, ...]
    alternatives: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    """The participant's own credentials."""
    personal_ids: frozenset[str] = frozenset()
    """Personal meeting IDs of the hosts, as the credentials' statuses tell them."""
    claims: bool = True
    """Whether the event itself makes the meeting ours; else it is only if a mapping says so already."""
    uids: Mapping[str, str] = field(default_factory=dict)


def concern(
    people: Iterable[KnownCredential], *, namespace: str, app: str, who: Who, event_ts: int = 0
) -> Concern | None:
    """Who of `people` (all of one namespace, one verified app and the event's account) the event is about.

    The host's own credentials, those that speak for the whole account, those of alternative hosts, and, when a meeting
    changes hands, those of the former host. The operator (an assistant, say) is named only beside them: alone, that
    user does not make the meeting ours, and neither does a participant. None: there is nobody.
    """
    known = [one for one in people if one.heeds(event_ts)]
    if not known:
        return None
    scope = frozenset(one.name for one in known)
    ids, addresses = who.user_ids, who.alternative_hosts
    # Of a thousand users of an account an event mostly names one: only that one is looked at closely.
    known = [
        one
        for one in known
        if one.user_id in ids or one.level is Level.ACCOUNT or (addresses and one.email in addresses)
    ]
    hosts = _names(one for one in known if _is(one, who.host_id))
    accounts = _names(one for one in known if one.level is Level.ACCOUNT)
    former = _names(one for one in known if _is(one, who.former_host_id))
    # Somebody has to be the host for an account to speak for; without one named there is nothing to say of roles.
    speaking = tuple(dict.fromkeys((*hosts, *(accounts if who.host_id else ()))))[:MAX_FOUND_CREDENTIALS]
    alternatives = _others(known, speaking, lambda one: bool(one.email) and one.email in who.alternative_hosts)
    operators = _others(known, speaking, lambda one: who.operator_id != who.host_id and _is(one, who.operator_id))
    told = {*speaking, *alternatives, *operators, *former}
    return Concern(
        namespace=namespace,
        app=app,
        scope=scope,
        hosts=speaking,
        alternatives=alternatives,
        operators=operators,
        present=_names(one for one in known if who.participant_id and one.user_id == who.participant_id),
        personal_ids=frozenset(one.pmi for one in known if one.pmi and one.name in hosts),
        claims=bool(speaking or former or alternatives),
        uids={one.name: one.uid for one in known if one.name in told},
    )


def _is(one: KnownCredential, user_id: str | None) -> bool:
    return bool(user_id) and one.level is Level.USER and one.user_id == user_id


def _others(
    known: Iterable[KnownCredential], hosts: Collection[str], fits: Callable[[KnownCredential], bool]
) -> tuple[str, ...]:
    found = _names(one for one in known if one.level is Level.USER and one.name not in hosts and fits(one))
    return found[:MAX_FOUND_CREDENTIALS]


def _names(people: Iterable[KnownCredential]) -> tuple[str, ...]:
    return tuple(sorted(one.name for one in people))
