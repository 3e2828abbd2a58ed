"""The record of presented refresh tokens: replaced ones, and answers that were lost."""

from __future__ import annotations

import httpx
import pytest

from tests.unit.zoomsim.simulator_harness import SimulatorHarness
from tests.zoomsim.faults import Fault


async def test_a_replaced_token_is_recorded_as_such(zoom: SimulatorHarness) -> None:
    token = zoom.consent().refresh_token
    await zoom.refresh(token)
    await zoom.refresh(token)
    uses = zoom.sim.recorder.presentations
    assert [(use.user_id, use.rotated, use.lost) for use in uses] == [
        (zoom.alice.id, False, False),
        (zoom.alice.id, True, False),
    ]


async def test_an_answer_that_is_broken_after_the_work_is_lost(zoom: SimulatorHarness) -> None:
    token = zoom.consent().refresh_token
    zoom.sim.faults.add(Fault(call="oauth.token", kind="close", after_work=True))
    with pytest.raises(httpx.TransportError):
        await zoom.refresh(token)
    (use,) = zoom.sim.recorder.presentations
    assert use.lost


async def test_a_call_that_fails_before_the_work_presents_nothing(zoom: SimulatorHarness) -> None:
    token = zoom.consent().refresh_token
    await zoom.refresh(token)
    zoom.sim.faults.add(Fault(call="oauth.token", kind="html"))
    await zoom.refresh(token)
    (use,) = zoom.sim.recorder.presentations
    assert not use.lost


async def test_a_delayed_answer_is_not_lost(zoom: SimulatorHarness) -> None:
    token = zoom.consent().refresh_token
    zoom.sim.faults.add(Fault(call="oauth.token", kind="delay", seconds=0.01))
    await zoom.refresh(token)
    (use,) = zoom.sim.recorder.presentations
    assert not use.lost
