"""A rejoin of a bot that names no tokens."""

from __future__ import annotations

import pytest
from meetingbots.bots.rejoin.service import Granted

from tests.unit.bots.reconcile.bot_harness import BotHarness
from tests.unit.bots.reconcile.test_on_behalf import credential
from tests.unit.bots.rejoin.test_service import PRESENTED, start_rejoins


@pytest.mark.parametrize(("owner", "needed"), [("vendor", True), ("a", False)])
async def test_the_on_behalf_token_comes_again_where_the_first_join_needed_it(
    monkeypatch: pytest.MonkeyPatch, owner: str, needed: bool
) -> None:
    def prepare(harness: BotHarness) -> None:
        credential(harness, "alice", account="a")
        harness.put_secret("zoom-app", account_id=owner)

    here = await start_rejoins(monkeypatch, prepare=prepare)
    outcome = await here.services.tokens.token(PRESENTED, peer="p", with_extras=True)
    assert isinstance(outcome, Granted)
    assert (outcome.extras.on_behalf is not None) == needed
