"""What a consent's scopes switch off, in words: so that people see which feature is missing and what to add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from meetingbots.credentials.decide.token_state import Tokens
from meetingbots.models.credential import ZoomCredential
from meetingbots.zoom import scopes
from meetingbots.zoom.scopes import Feature

_WORDS: Final[Mapping[Feature, str]] = MappingProxyType(
    {
        Feature.JOIN_TOKEN: "join tokens for recording",
        Feature.MEETING_LIST: "the list of meetings",
        Feature.MEETING: "looking a meeting up",
        Feature.USER: "the user and the personal meeting ID",
        Feature.ZAK: "joining as the user (ZAK)",
        Feature.ON_BEHALF: "joining on the user's behalf",
        Feature.USERS_LIST: "the list of the account's users",
    }
)
_OF_BOTS: Final = (
    Feature.JOIN_TOKEN,
    Feature.ON_BEHALF,
    Feature.ZAK,
    Feature.LIVE_STREAMING,
    Feature.LOCAL_ARCHIVING,
    Feature.WEBINAR_JOIN_TOKEN,
)


@dataclass(frozen=True)
class ScopeReport:
    """Scopes that were granted, that are missing, and one sentence on what is off for it (empty: nothing)."""

    granted: tuple[str, ...]
    missing: tuple[str, ...]
    sentence: str


def scope_report(credential: ZoomCredential, tokens: Tokens | None) -> ScopeReport:
    """Compare the tokens' scopes with what the credential's level needs. Without any scope named, nothing is known."""
    granted = tuple(sorted((tokens.scope if tokens else "").split()))
    if not granted:
        return ScopeReport(granted=(), missing=(), sentence="")
    off = scopes.missing(granted, level=_level(credential))
    named = "; ".join(f"{_WORDS.get(feature, feature.value)} ({', '.join(needed)})" for feature, needed in off.items())
    return ScopeReport(
        granted=granted,
        missing=tuple(dict.fromkeys(scope for needed in off.values() for scope in needed)),
        sentence=f"Scopes are missing, so that these are off: {named}." if named else "",
    )


def lacks_all_tokens(credential: ZoomCredential, tokens: Tokens | None) -> bool:
    """Whether the scopes, as far as they are known, allow no kind of token for a bot at all."""
    granted = (tokens.scope if tokens else "").split()
    if not granted:
        return False
    return len(scopes.missing(granted, level=_level(credential), features=_OF_BOTS)) == len(_OF_BOTS)


def _level(credential: ZoomCredential) -> scopes.ScopeLevel:
    return scopes.ScopeLevel(credential.spec.level.value)
