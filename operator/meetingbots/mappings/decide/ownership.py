"""Decides which credentials of a namespace an event affects.

The caller passes only credentials of apps that verified the signature, and of the event's account. The result holds the
names that the mapping may list, so that a bot finds a credential for its join token.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from meetingbots.credentials.decide.revocation import ended_at
from meetingbots.mappings.decide.instances import milliseconds
from meetingbots.models.credential import Level
from meetingbots.models.mapping import MAX_FOUND_CREDENTIALS


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCredential:
    """What decides whether an event affects a ZoomCredential. IDs are empty before the first consent."""

    namespace: str
    name: str
    uid: str
    app: str
    """Name of the app's Secret."""
    level: Level
    user_id: str
    account_id: str
    pmi: str
    email: str = field(default="", repr=False)
    """Lower case."""
    renewed: datetime | None = None
    """Time of the last token response."""
    deauthorized: datetime | None = None
    """When the user revoked a consent."""
    removed: datetime | None = None
    """When the user was deactivated or left the account."""

    def accepts(self, event_ts: int) -> bool:
        """Return whether an event of that time (milliseconds since 1970) applies: not one from before the consent."""
        if self.deauthorized is None and self.removed is None:
            return True  # shortcut for almost all credentials
        end = ended_at(renewed=self.renewed, deauthorized=self.deauthorized, removed=self.removed)
        # The status has whole seconds.
        return end is None or event_ts >= milliseconds(end) + 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedUsers:
    """The people that an event names: Zoom user IDs (None or empty: not named), alternative hosts by e-mail."""

    host_id: str | None = None
    former_host_id: str | None = None
    operator_id: str | None = None
    participant_id: str | None = None
    alternative_hosts: Collection[str] = field(default=(), repr=False)

    @property
    def user_ids(self) -> frozenset[str | None]:
        """All users that are named by ID."""
        return frozenset((self.host_id, self.former_host_id, self.operator_id, self.participant_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """The credentials of one app in one namespace that an event affects, by name.

    `scope` holds every credential of the app and account: the event can change no other entries of a mapping. `uids`
    are for ownerReferences.
    """

    namespace: str
    app: str
    """Name of the app's Secret."""
    scope: frozenset[str]
    hosts: tuple[str, ...]
    alternatives: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    """Credentials of the participant."""
    personal_ids: frozenset[str] = frozenset()
    """Personal meeting IDs of the hosts, from the credentials' statuses."""
    claims: bool = True
    """Whether the event alone justifies a mapping; else it changes existing ones only."""
    uids: Mapping[str, str] = field(default_factory=dict)


def concern_of(
    people: Iterable[KnownCredential], *, namespace: str, app: str, named: NamedUsers, event_ts: int = 0
) -> Concern | None:
    """Return which of `people` (of one namespace, one verified app and the event's account) the event affects.

    These are the credentials of the host, of the whole account, of alternative hosts and, when the host changes, of the
    former host. The operator (such as an assistant) is named only beside them: an operator or participant alone does
    not justify a mapping. None: nobody is affected.
    """
    known = [one for one in people if one.accepts(event_ts)]
    if not known:
        return None
    scope = frozenset(one.name for one in known)
    ids, addresses = named.user_ids, named.alternative_hosts
    # An account may have thousands of users, and an event names few of them: filter before the closer look.
    known = [
        one
        for one in known
        if one.user_id in ids or one.level is Level.ACCOUNT or (addresses and one.email in addresses)
    ]
    hosts = _names(one for one in known if _is_user(one, named.host_id))
    accounts = _names(one for one in known if one.level is Level.ACCOUNT)
    former = _names(one for one in known if _is_user(one, named.former_host_id))
    # An account's credential acts for the host; an event without a host says nothing about roles.
    speaking = tuple(dict.fromkeys((*hosts, *(accounts if named.host_id else ()))))[:MAX_FOUND_CREDENTIALS]
    alternatives = _others(known, speaking, lambda one: bool(one.email) and one.email in addresses)
    operators = _others(
        known, speaking, lambda one: named.operator_id != named.host_id and _is_user(one, named.operator_id)
    )
    affected = {*speaking, *alternatives, *operators, *former}
    return Concern(
        namespace=namespace,
        app=app,
        scope=scope,
        hosts=speaking,
        alternatives=alternatives,
        operators=operators,
        present=_names(one for one in known if named.participant_id and one.user_id == named.participant_id),
        personal_ids=frozenset(one.pmi for one in known if one.pmi and one.name in hosts),
        claims=bool(speaking or former or alternatives),
        uids={one.name: one.uid for one in known if one.name in affected},
    )


def _is_user(one: KnownCredential, user_id: str | None) -> bool:
    return bool(user_id) and one.level is Level.USER and one.user_id == user_id


def _others(
    known: Iterable[KnownCredential], hosts: Collection[str], fits: Callable[[KnownCredential], bool]
) -> tuple[str, ...]:
    found = _names(one for one in known if one.level is Level.USER and one.name not in hosts and fits(one))
    return found[:MAX_FOUND_CREDENTIALS]


def _names(people: Iterable[KnownCredential]) -> tuple[str, ...]:
    return tuple(sorted(one.name for one in people))
