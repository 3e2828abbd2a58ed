"""Whose meeting is it: which credentials of a namespace an event of Zoom's may touch.

Asked after the signature was verified: only credentials of the apps that verified it, and of the event's account, come
in here. Out come the names that the mapping may list, so that a bot finds a credential for its join token.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """The credentials of one namespace that an event is about, by name.

    `scope` is who the event can speak of at all: every credential of the verified apps and the account; entries of
    others in a mapping are none of its business. `uids` are for ownerReferences.
    """

    namespace: str
    scope: frozenset[str]
    hosts: tuple[str, ...]
    operators: tuple[str, ...] = ()
    personal_ids: frozenset[str] = frozenset()
    """Personal meeting IDs of the hosts, as the credentials' statuses tell them."""
    uids: Mapping[str, str] = field(default_factory=dict)


def concern(
    people: Iterable[KnownCredential],
    *,
    namespace: str,
    host_id: str | None,
    former_host_id: str | None = None,
    operator_id: str | None = None,
) -> Concern | None:
    """Who of `people` (all of one namespace, the verified apps and the event's account) the event is about.

    The host's own credentials, those that speak for the whole account, and, when a meeting changes hands, those of the
    former host. None: nobody's meeting here. The operator (an assistant, say) is named only beside them: alone, that
    user does not make the meeting ours.
    """
    known = list(people)
    hosts = _names(one for one in known if _is(one, host_id))
    accounts = _names(one for one in known if one.level is Level.ACCOUNT)
    former = _names(one for one in known if _is(one, former_host_id))
    if not hosts and not accounts and not former:
        return None
    # Somebody has to be the host for an account to speak for; without one named there is nothing to say of roles.
    speaking = tuple(dict.fromkeys((*hosts, *(accounts if host_id else ()))))[:MAX_FOUND_CREDENTIALS]
    operators = () if operator_id == host_id else _names(one for one in known if _is(one, operator_id))
    told = {*speaking, *operators, *former}
    return Concern(
        namespace=namespace,
        scope=frozenset(one.name for one in known),
        hosts=speaking,
        operators=tuple(name for name in operators if name not in speaking),
        personal_ids=frozenset(one.pmi for one in known if one.pmi and one.name in hosts),
        uids={one.name: one.uid for one in known if one.name in told},
    )


def _is(one: KnownCredential, user_id: str | None) -> bool:
    return bool(user_id) and one.level is Level.USER and one.user_id == user_id


def _names(people: Iterable[KnownCredential]) -> tuple[str, ...]:
    return tuple(sorted(one.name for one in people))
