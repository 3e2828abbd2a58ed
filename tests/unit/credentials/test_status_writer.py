from __future__ import annotations

from typing import Any

import pytest
from meetingbots.credentials.status_writer import OWNERSHIP, StatusManager, differs, owned_part
from meetingbots.models.conditions import ConditionType
from meetingbots.models.credential import CredentialStatus

READY = {
    "type": "Ready",
    "status": "True",
    "reason": "TokenValid",
    "message": "",
    "lastTransitionTime": "2026-11-24T12:00:00Z",
}
FULL: dict[str, Any] = {"userId": "u-1", "expiresAt": "2026-11-24T12:50:00Z", "conditions": [READY]}
OTHERS = {
    "conditions": [READY, {**READY, "type": "WebhookReceiving", "reason": "Receiving"}],
    "meetings": {"count": 3},
    "lastWebhookTime": "2026-11-24T12:00:00Z",
}


def status(**fields: Any) -> CredentialStatus:
    return CredentialStatus.model_validate(fields)


def changed(present: dict[str, Any]) -> bool:
    return differs(status(**FULL), status(**present), manager=StatusManager.TOKENS)


def test_every_field_and_condition_has_exactly_one_owner() -> None:
    fields = [name for owned in OWNERSHIP.values() for name in owned.fields]
    assert sorted(fields) == sorted(
        field.alias or name for name, field in CredentialStatus.model_fields.items() if name != "conditions"
    )
    conditions = [name for owned in OWNERSHIP.values() for name in owned.conditions]
    assert len(conditions) == len(set(conditions))
    assert {ConditionType.READY, ConditionType.MEETINGS_SYNCED, ConditionType.WEBHOOK_RECEIVING} <= set(conditions)


@pytest.mark.parametrize("manager", StatusManager)
def test_owned_part_has_nothing_of_another_manager(manager: StatusManager) -> None:
    part = owned_part(status(**{**FULL, **OTHERS}), manager=manager)
    assert set(part) - {"conditions"} <= OWNERSHIP[manager].fields
    assert {one["type"] for one in part.get("conditions", ())} <= OWNERSHIP[manager].conditions


def test_differs_compares_only_the_owned_part() -> None:
    assert not changed({**FULL, **OTHERS})
    assert changed({**FULL, "lastError": {"reason": "X"}})
    assert changed({**FULL, "expiresAt": "2026-11-24T12:51:00Z"})
    assert changed({**FULL, "conditions": [READY, {**READY, "type": "Stalled"}]})
    assert changed({})
