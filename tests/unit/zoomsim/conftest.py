"""Fixtures: a running simulator with a few people in it."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.unit.zoomsim.simulator_harness import REDIRECT, START, SimulatorHarness
from tests.zoomsim.clock import SimClock
from tests.zoomsim.server import serving
from tests.zoomsim.sim import ZoomSim
from tests.zoomsim.world import Account, App, User


@pytest.fixture
async def zoom() -> AsyncIterator[SimulatorHarness]:
    sim = ZoomSim(clock=SimClock(start=START, factor=0))
    account, other = sim.actions.add_account(Account()), sim.actions.add_account(Account())
    async with serving(sim), httpx.AsyncClient(base_url=sim.base_url, trust_env=False) as http:
        yield SimulatorHarness(
            sim=sim,
            http=http,
            account=account,
            alice=sim.actions.add_user(User(account_id=account.id, email="alice@example.com")),
            bob=sim.actions.add_user(User(account_id=account.id, email="bob@example.com")),
            other_account=other,
            mallory=sim.actions.add_user(User(account_id=other.id, email="mallory@example.org")),
            app=sim.actions.add_app(App(owner_account_id=account.id, redirect_uris=(REDIRECT,))),
        )
