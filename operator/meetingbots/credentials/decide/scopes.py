"""What missing scopes switch off, in words that name the feature and the scopes to add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from meetingbots.credentials.decide.token_state import Tokens
from meetingbots.models.credential import ZoomCredential
from meetingbots.zoom import scopes
from meetingbots.zoom.scopes import Feature, ScopeLevel

_WORDS: Final[Mapping[Feature, str]] = MappingProxyType(
    {
        Feature.JOIN_TOKEN: "join tokens for recording",
        Feature.MEETING_LIST: "the list of meetings",
        Feature.MEETING: "the look-up of a meeting",
        Feature.USER: "the user and the personal meeting ID",
        Feature.ZAK: "joining as the user (ZAK)",
        Feature.ON_BEHALF: "joining on the user's behalf",
        Feature.USERS_LIST: "the list of the account's users",
    }
)
_BOT_FEATURES: Final = (
    Feature.JOIN_TOKEN,
    Feature.ON_BEHALF,
    Feature.ZAK,
    Feature.LIVE_STREAMING,
    Feature.LOCAL_ARCHIVING,
    Feature.WEBINAR_JOIN_TOKEN,
)


@dataclass(frozen=True)
class ScopeReport:
    """Granted and missing scopes, and one sentence about what does not work without them (empty: everything works)."""

    granted: tuple[str, ...]
    missing: tuple[str, ...]
    sentence: str


def scope_report(credential: ZoomCredential, scope: str) -> ScopeReport:
    """Compare granted scopes with what the credential's level needs; without any scope, nothing is known."""
    granted = tuple(sorted(scope.split()))
    if not granted:
        return ScopeReport(granted=(), missing=(), sentence="")
    missing = scopes.missing(granted, level=_level(credential))
    named = "; ".join(
        f"{_WORDS.get(feature, feature.value)} ({', '.join(needed)})" for feature, needed in missing.items()
    )
    return ScopeReport(
        granted=granted,
        missing=tuple(dict.fromkeys(scope for needed in missing.values() for scope in needed)),
        sentence=f"Scopes are missing for: {named}." if named else "",
    )


def lacks_all_tokens(credential: ZoomCredential, tokens: Tokens | None) -> bool:
    """Return whether the granted scopes, as far as they are known, allow no kind of token for a bot."""
    granted = (tokens.scope if tokens else "").split()
    if not granted:
        return False
    return len(scopes.missing(granted, level=_level(credential), features=_BOT_FEATURES)) == len(_BOT_FEATURES)


def _level(credential: ZoomCredential) -> ScopeLevel:
    return ScopeLevel(credential.spec.level.value)
