from __future__ import annotations

import pytest
from meetingbots.credentials.decide.granted import effective_level
from meetingbots.models.credential import Level

from tests.unit.credentials.decide.credential_cases import credential


@pytest.mark.parametrize(
    ("level", "scopes", "effective"),
    [
        ("User", [], Level.USER),
        ("User", ["meeting:read:list_meetings:admin"], Level.USER),
        ("Account", [], Level.USER),
        ("Account", ["meeting:read:list_meetings", "user:read:user"], Level.USER),
        ("Account", ["meeting:read:admin_notes", "admin"], Level.USER),
        ("Account", ["user:read:user", "meeting:read:list_meetings:admin"], Level.ACCOUNT),
        ("Account", ["meeting:read:admin"], Level.ACCOUNT),
        ("Account", ["meeting:read:list_meetings:master"], Level.ACCOUNT),
    ],
)
def test_level_account_needs_an_admin_scope(level: str, scopes: list[str], effective: Level) -> None:
    given = credential(level=level, status={"grantedScopes": scopes})
    assert effective_level(given) is effective
