from __future__ import annotations

import pytest
from meetingbots.zoom.scopes import FEATURES, Feature, ScopeLevel, allows, missing

CLASSIC_USER = ["meeting:read", "meeting_token:read:local_recording", "user:read", "user_zak:read"]
CLASSIC_ACCOUNT = [
    "meeting:read:admin",
    "meeting_token:read:admin:local_recording",
    "user:read:admin",
    "user_zak:read:admin",
]
GRANULAR_USER = [
    "meeting:read:local_recording_token",
    "meeting:read:list_meetings",
    "meeting:read:meeting",
    "user:read:user",
    "user:read:zak",
    "user:read:token",
]
GRANULAR_ACCOUNT = [f"{scope}:admin" for scope in [*GRANULAR_USER, "user:read:list_users"]]


@pytest.mark.parametrize(
    ("granted", "level", "expected"),
    [
        (GRANULAR_USER, ScopeLevel.USER, {}),
        (GRANULAR_ACCOUNT, ScopeLevel.ACCOUNT, {}),
        (GRANULAR_ACCOUNT, ScopeLevel.USER, {}),
        (CLASSIC_USER, ScopeLevel.USER, {}),
        (CLASSIC_ACCOUNT, ScopeLevel.ACCOUNT, {}),
        (
            ["meeting:read", "user:read"],
            ScopeLevel.USER,
            {
                Feature.JOIN_TOKEN: ("meeting_token:read:local_recording",),
                Feature.ZAK: ("user_zak:read",),
            },
        ),
        (
            ["user:read:user"],
            ScopeLevel.USER,
            {
                Feature.JOIN_TOKEN: ("meeting:read:local_recording_token",),
                Feature.MEETING_LIST: ("meeting:read:list_meetings",),
                Feature.MEETING: ("meeting:read:meeting",),
                Feature.ZAK: ("user:read:zak",),
                Feature.ON_BEHALF: ("user:read:token",),
            },
        ),
    ],
)
def test_missing(granted: list[str], level: ScopeLevel, expected: dict[Feature, tuple[str, ...]]) -> None:
    assert missing(granted, level=level) == expected


def test_a_users_scopes_do_not_serve_an_account() -> None:
    lacking = missing(GRANULAR_USER, level=ScopeLevel.ACCOUNT)
    assert set(lacking) == set(FEATURES[ScopeLevel.ACCOUNT])
    assert all(scope.endswith(":admin") for scopes in lacking.values() for scope in scopes)


def test_nothing_granted_names_granular_scopes() -> None:
    assert missing([], level=ScopeLevel.USER)[Feature.JOIN_TOKEN] == ("meeting:read:local_recording_token",)


def test_to_manage_is_also_to_see() -> None:
    assert allows(["meeting:write"], level=ScopeLevel.USER, feature=Feature.MEETING_LIST)
    assert not allows(["meeting:write"], level=ScopeLevel.ACCOUNT, feature=Feature.MEETING_LIST)
    assert allows(["user:write:admin"], level=ScopeLevel.ACCOUNT, feature=Feature.USERS_LIST)


@pytest.mark.parametrize("feature", list(Feature))
@pytest.mark.parametrize("level", list(ScopeLevel))
def test_adding_what_is_missing_helps(feature: Feature, level: ScopeLevel) -> None:
    lacking = missing([], level=level, features=[feature])
    assert allows(lacking[feature], level=level, feature=feature)
