"""The simulator's answers have exactly the fields and types that Zoom publishes."""

from typing import Any

import httpx
import pytest
from jsonschema import Draft7Validator

from tests.contract.schemas import zoom_types
from tests.contract.zoom import ContractZoom

ANSWERS = {
    "MeetingsGetMeetingResponse": "/meetings/{meeting}",
    "MeetingsListMeetingsResponse": "/users/{alice}/meetings",
    "MeetingsGetMeetingsJoinTokenForLocalRecordingResponse": "/meetings/{meeting}/jointoken/local_recording",
    "MeetingsGetMeetingsJoinTokenForLiveStreamingResponse": "/meetings/{meeting}/jointoken/live_streaming",
    "MeetingsGetMeetingsArchiveTokenForLocalArchivingResponse": "/meetings/{meeting}/jointoken/local_archiving",
    "WebinarsGetWebinarResponse": "/webinars/{webinar}",
    "WebinarsListWebinarsResponse": "/users/{alice}/webinars",
    "WebinarsGetWebinarsJoinTokenForLocalRecordingResponse": "/webinars/{webinar}/jointoken/local_recording",
    "UsersGetUserResponse": "/users/{alice}",
    "UsersListUsersResponse": "/users",
    "UsersGetUsersTokenResponse": "/users/{alice}/token?type=zak",
    "UsersGetUsersZAKResponse": "/users/me/zak",
}


@pytest.mark.parametrize("name", sorted(ANSWERS))
async def test_every_answer_matches_its_type(zoom: ContractZoom, name: str) -> None:
    path = ANSWERS[name].format(meeting=zoom.meeting.id, webinar=zoom.webinar.id, alice=zoom.alice.id)
    issued = zoom.sim.consents.server_to_server(app=zoom.server_app, account_id=zoom.server_app.owner_account_id)
    content = await _get(f"{zoom.sim.api_url}{path}", issued.access.value)
    errors = Draft7Validator(zoom_types().answers[name]).iter_errors(content)
    assert [(error.json_path, error.message) for error in errors] == []


def test_every_type_is_used() -> None:
    assert set(ANSWERS) == set(zoom_types().answers)


async def _get(url: str, token: str) -> Any:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(url, headers={"Authorization": f"Bearer {token}"})
    answer.raise_for_status()
    return answer.json()
