"""Which scopes a feature needs, in both of Zoom's families of names, classic and granular (Zoom, OAuth scopes)."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


class ScopeLevel(enum.StrEnum):
    """Whose meetings a consent is for."""

    USER = "User"
    ACCOUNT = "Account"


class Feature(enum.StrEnum):
    """What a scope allows."""

    JOIN_TOKEN = "JoinToken"  # noqa: S105 - a feature, not a token
    MEETING_LIST = "MeetingList"
    MEETING = "Meeting"
    USER = "User"
    ZAK = "ZAK"
    ON_BEHALF = "OnBehalf"
    USERS_LIST = "UsersList"
    LIVE_STREAMING = "LiveStreaming"
    LOCAL_ARCHIVING = "LocalArchiving"
    WEBINAR_LIST = "WebinarList"
    WEBINAR_JOIN_TOKEN = "WebinarJoinToken"  # noqa: S105 - a feature, not a token


@dataclass(frozen=True, slots=True)
class Needs:
    """The scope that a feature needs, by family and level of consent."""

    classic: str
    classic_admin: str
    granular: str
    granular_admin: str


def _needs(classic: str, classic_admin: str, granular: str) -> Needs:
    return Needs(classic, classic_admin, granular, f"{granular}:admin")


NEEDS: Final[Mapping[Feature, Needs]] = MappingProxyType(
    {
        Feature.JOIN_TOKEN: _needs(
            "meeting_token:read:local_recording",
            "meeting_token:read:admin:local_recording",
            "meeting:read:local_recording_token",
        ),
        Feature.MEETING_LIST: _needs("meeting:read", "meeting:read:admin", "meeting:read:list_meetings"),
        Feature.MEETING: _needs("meeting:read", "meeting:read:admin", "meeting:read:meeting"),
        Feature.USER: _needs("user:read", "user:read:admin", "user:read:user"),
        Feature.ZAK: _needs("user_zak:read", "user_zak:read:admin", "user:read:zak"),
        Feature.ON_BEHALF: _needs("user:read", "user:read:admin", "user:read:token"),
        Feature.USERS_LIST: Needs(
            "user:read:admin", "user:read:admin", "user:read:list_users:admin", "user:read:list_users:admin"
        ),
        Feature.LIVE_STREAMING: _needs(
            "meeting_token:read:live_streaming",
            "meeting_token:read:admin:live_streaming",
            "meeting:read:live_streaming_token",
        ),
        Feature.LOCAL_ARCHIVING: _needs(
            "meeting_token:read:local_archiving",
            "meeting_token:read:admin:local_archiving",
            "meeting:read:local_archiving_token",
        ),
        Feature.WEBINAR_LIST: _needs("webinar:read", "webinar:read:admin", "webinar:read:list_webinars"),
        Feature.WEBINAR_JOIN_TOKEN: _needs(
            "webinar_token:read:local_recording",
            "webinar_token:read:admin:local_recording",
            "webinar:read:local_recording_token",
        ),
    }
)
"""What each feature needs (Zoom, OAuth scopes and granular scopes of the calls in zoom/api.py)."""

_USUAL: Final = (
    Feature.JOIN_TOKEN,
    Feature.MEETING_LIST,
    Feature.MEETING,
    Feature.USER,
    Feature.ZAK,
    Feature.ON_BEHALF,
)
FEATURES: Final[Mapping[ScopeLevel, tuple[Feature, ...]]] = MappingProxyType(
    {ScopeLevel.USER: _USUAL, ScopeLevel.ACCOUNT: (*_USUAL, Feature.USERS_LIST)}
)
"""The features that a credential of that level is checked for by default."""

_INCLUDED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "meeting:write": "meeting:read",
        "meeting:write:admin": "meeting:read:admin",
        "webinar:write": "webinar:read",
        "webinar:write:admin": "webinar:read:admin",
        "user:write": "user:read",
        "user:write:admin": "user:read:admin",
    }
)
"""Classic scopes to change something include those to see it ("view and manage")."""


def missing(
    granted: Collection[str], *, level: ScopeLevel, features: Collection[Feature] | None = None
) -> dict[Feature, tuple[str, ...]]:
    """Return the features that a consent does not allow, each with the scopes to add in the app.

    Args:
        granted: scopes of the token, of either family or both.
        level: admin scopes allow the features at both levels, user scopes at level User only.
        features: the features to check; default :data:`FEATURES` of the level.

    """
    held = set(granted) | {_INCLUDED[scope] for scope in granted if scope in _INCLUDED}
    return {
        feature: (_to_add(NEEDS[feature], level=level, held=held),)
        for feature in (FEATURES[level] if features is None else features)
        if not _allows(NEEDS[feature], level=level, held=held)
    }


def allows(granted: Collection[str], *, level: ScopeLevel, feature: Feature) -> bool:
    """Return whether a consent allows one feature."""
    return not missing(granted, level=level, features=(feature,))


def _allows(needs: Needs, *, level: ScopeLevel, held: Collection[str]) -> bool:
    admin = needs.classic_admin in held or needs.granular_admin in held
    return admin or (level is ScopeLevel.USER and (needs.classic in held or needs.granular in held))


def _to_add(needs: Needs, *, level: ScopeLevel, held: Collection[str]) -> str:
    classic, granular = (
        (needs.classic, needs.granular) if level is ScopeLevel.USER else (needs.classic_admin, needs.granular_admin)
    )
    return classic if _is_classic(held) else granular


def _is_classic(held: Collection[str]) -> bool:
    """Return whether the app uses classic scopes; an app has one family, new apps the granular one."""
    classic = {scope for needs in NEEDS.values() for scope in (needs.classic, needs.classic_admin)}
    granular = {scope for needs in NEEDS.values() for scope in (needs.granular, needs.granular_admin)}
    return bool((classic - granular) & set(held)) and not (granular - classic) & set(held)
