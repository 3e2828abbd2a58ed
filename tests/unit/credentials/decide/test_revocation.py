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
        (moment(5), moment(4), None, None),
        (moment(5), None, moment(6), moment(6)),
        (moment(5), moment(4), moment(6), moment(6)),
        (moment(7), moment(4), moment(6), moment(6)),
        (moment(7), moment(4), None, None),
        (None, moment(4), None, moment(4)),
    ],
)
def test_zooms_word_counts_until_tokens_were_renewed_after_it(
    renewed: datetime | None, deauthorized: datetime | None, removed: datetime | None, end: datetime | None
) -> None:
    assert ended_at(renewed=renewed, deauthorized=deauthorized, removed=removed) == end


@pytest.mark.parametrize(("deauthorized", "counts"), [(moment(0), True), (moment(-1), False)])
def test_by_another_clock_it_may_have_been_before_the_renewal_that_was_the_last(
    deauthorized: datetime, counts: bool
) -> None:
    end = ended_at(renewed=moment(300), deauthorized=deauthorized, removed=None, refused=True)
    assert (end == deauthorized) is counts
    assert ended_at(renewed=moment(300), deauthorized=deauthorized, removed=None) is None
