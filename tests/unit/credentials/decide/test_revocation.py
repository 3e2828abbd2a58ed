from __future__ import annotations

from datetime import datetime

import pytest
from meetingbots.credentials.decide.revocation import ended_at

from tests.unit.mappings.decide.meeting_events import moment


@pytest.mark.parametrize(
    ("renewed", "deauthorized", "removed", "end"),
    [
        (None, None, None, None),
        (moment(5), None, None, None),
        (moment(5), moment(6), None, moment(6)),
        (moment(5), moment(5), None, moment(5)),
        (moment(300), moment(0), None, moment(0)),
        (moment(301), moment(0), None, None),
        (moment(5), None, moment(6), moment(6)),
        (moment(5), moment(4), moment(6), moment(6)),
        (None, moment(4), None, moment(4)),
    ],
)
def test_a_report_ends_a_consent_that_zoom_refuses(
    renewed: datetime | None, deauthorized: datetime | None, removed: datetime | None, end: datetime | None
) -> None:
    assert ended_at(renewed=renewed, deauthorized=deauthorized, removed=removed, refused=True) == end
    assert ended_at(renewed=renewed, deauthorized=deauthorized, removed=removed) == removed, (
        "a report alone ends nothing"
    )
