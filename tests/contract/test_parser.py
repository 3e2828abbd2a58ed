"""The parser of the receiver reads every event that Zoom's types allow."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from meetingbots.zoom.webhooks.parser import parse_event

from tests.contract.events import SENT
from tests.contract.instances import event_names, events
from tests.zoomsim.zoom_json import compact

# Generation only: to make a failing body smaller takes minutes for the larger types.
QUICK = settings(deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", sorted(SENT | {"user.activated", "user.created"}))
@settings(QUICK, max_examples=30)
@given(data=st.data())
def test_it_reads_the_events_that_it_acts_on(name: str, data: st.DataObject) -> None:
    body = data.draw(events(name))
    event = parse_event(compact(body))
    assert event.name == name
    if "event_ts" in body:
        assert event.event_ts == body["event_ts"]


@pytest.mark.parametrize("name", sorted(set(event_names()) - SENT))
@settings(QUICK, max_examples=3)
@given(data=st.data())
def test_it_reads_events_of_no_interest(name: str, data: st.DataObject) -> None:
    assert parse_event(compact(data.draw(events(name)))).name == name
