"""Whose credential may make a meeting's tokens, in the order of trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meetingbots.bots.decide.meeting import Problem
from meetingbots.models.bot import BotReason, MeetingBot
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MeetingMapping, Role

_ORDER = (Role.HOST, Role.ALTERNATIVE_HOST, Role.OPERATOR)


@dataclass(frozen=True)
class Candidates:
    """Names of credentials to try one after another, and how each was found."""

    names: tuple[str, ...]
    origins: Mapping[str, str]


def candidates(
    bot: MeetingBot, *, mapping: MeetingMapping | None, credentials: Sequence[ZoomCredential]
) -> Candidates | Problem:
    """The order of trial: the bot's own reference, people's entries, Host, AlternativeHost, Operator.

    The bot's selector filters all of them. A meeting that no mapping knows is tried with the named or the selected
    credentials only, never with anybody else's. `credentials` are those of the bot's namespace.
    """
    known = {credential.name: credential for credential in credentials}
    found = _found(bot, mapping, credentials)
    selector = bot.spec.credential_selector
    allowed = {
        name: origin
        for name, origin in found.items()
        if selector is None or (name in known and selector.matches(known[name].metadata.labels))
    }
    if allowed:
        return Candidates(names=tuple(allowed), origins=allowed)
    if found:
        return Problem(
            BotReason.NO_MAPPING,
            f"The credentials of this meeting ({', '.join(found)}) are not among those that credentialSelector allows.",
            mendable=True,
        )
    if selector is not None:
        return Problem(BotReason.NO_MAPPING, "No ZoomCredential matches credentialSelector.", mendable=True)
    return Problem(
        BotReason.NO_MAPPING,
        "No ZoomCredential in this namespace is known to belong to this meeting (no MeetingMapping of its ID).",
        mendable=True,
    )


def _found(bot: MeetingBot, mapping: MeetingMapping | None, credentials: Sequence[ZoomCredential]) -> dict[str, str]:
    found: dict[str, str] = {}
    if bot.spec.credential_ref is not None:
        found[bot.spec.credential_ref.name] = "credentialRef"
    if mapping is not None:
        for entry in mapping.spec.credentials:
            found.setdefault(entry.name, "mapping")
        for role in _ORDER:
            for known in mapping.status.credentials:
                if known.role is role:
                    found.setdefault(known.name, role.value)
    if not found and bot.spec.credential_selector is not None:
        selector = bot.spec.credential_selector
        found = {item.name: "credentialSelector" for item in credentials if selector.matches(item.metadata.labels)}
    return found
