"""Credentials as they are after a long life: tokens at Zoom, token Secrets with planned renewals, statuses written.

The operator made the plans over time: credentials come one after another, so their renewals are all over the cycle.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from meetingbots.credentials.decide.token_state import Tokens, TokenState, mark_of
from meetingbots.credentials.manifests.token_secret import new_secret
from meetingbots.models.base import format_time
from meetingbots.models.credential import GrantKind, ZoomCredential
from pydantic import SecretStr

from tests.bench.burst.objects import secret
from tests.bench.burst.wire import MERGE, Object
from tests.bench.load.harness import CREDENTIALS, NAMESPACE, Harness
from tests.bench.load.population import USERS_PER_ACCOUNT, in_parallel
from tests.cluster.api import core_path
from tests.zoomsim.scenario import Consented, ConsentWanted, Scenario
from tests.zoomsim.world import Account, App, User

_SHORTEST_SHARE, _LONGEST_SHARE = 0.6, 2 / 3
"""Between these shares of a token's life it is renewed."""


@dataclass(frozen=True)
class Population:
    """The app, and for when the renewal of each refresh token is planned."""

    app: App
    planned: dict[str, datetime]


async def populate(harness: Harness, *, count: int, life: int) -> Population:
    """Make all of it while no operator runs."""
    accounts = tuple(Account() for _ in range(-(-count // USERS_PER_ACCOUNT)))
    users = tuple(
        User(account_id=accounts[number // USERS_PER_ACCOUNT].id, email=f"user-{number}@load.example")
        for number in range(count)
    )
    app = App(owner_account_id=accounts[0].id, client_id="credentials-app", access_token_seconds=life)
    consents = tuple(ConsentWanted(client_id=app.client_id, user=user.id) for user in users)
    given: list[Consented] = []
    await asyncio.to_thread(harness.zoom.load, Scenario(accounts=accounts, users=users, apps=(app,)))
    for start in range(0, count, 1000):
        part = Scenario(consents=consents[start : start + 1000])
        given += await asyncio.to_thread(harness.zoom.load, part)
    values = {"client_id": app.client_id, "client_secret": app.client_secret, "webhook_secret_token": "unused"}
    secrets = core_path("secrets", namespace=NAMESPACE)
    await harness.wire.send("POST", secrets, secret("zoom-app", **values))
    first = datetime.now(UTC) + timedelta(seconds=count / 50)
    planned: dict[str, datetime] = {}

    async def one(number: int) -> None:
        name, user = f"user-{number}", users[number]
        # The grant is spent and gone, as it may be: what counts is in the token Secret.
        body = await harness.wire.ask("POST", CREDENTIALS, _credential(name))
        state = _state(given[number], user=user, first=first, life=life)
        assert state.tokens is not None
        assert state.tokens.next_refresh is not None
        planned[given[number].refresh_token] = state.tokens.next_refresh
        credential = ZoomCredential.from_object(body)
        await harness.wire.send("POST", secrets, new_secret(state, credential=credential))
        status = {"status": _status(state, user=user, credential=credential)}
        await harness.wire.send("PATCH", f"{CREDENTIALS}/{name}/status", status, media=MERGE)

    await in_parallel(count, one)
    return Population(app, planned)


def _state(given: Consented, *, user: User, first: datetime, life: int) -> TokenState:
    renewal = first + timedelta(seconds=random.random() * life * _LONGEST_SHARE)
    begun = renewal - timedelta(seconds=life * random.uniform(_SHORTEST_SHARE, _LONGEST_SHARE))
    return TokenState(
        tokens=Tokens(
            access_token=SecretStr(given.access_token),
            refresh_token=SecretStr(given.refresh_token),
            expires_at=begun + timedelta(seconds=life),
            scope=given.scope,
            api_url="https://api.zoom.us",
            last_refresh=begun,
            next_refresh=renewal,
        ),
        fingerprint=f"{GrantKind.REFRESH_TOKEN}-{mark_of(SecretStr(user.id))}",
        user_id=user.id,
        account_id=user.account_id,
    )


def _status(state: TokenState, *, user: User, credential: ZoomCredential) -> Object:
    assert state.tokens is not None
    assert state.tokens.expires_at is not None
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "TokenValid",
        "message": "Made by the bench.",
        "lastTransitionTime": format_time(datetime.now(UTC)),
        "observedGeneration": credential.metadata.generation,
    }
    return {
        "userId": user.id,
        "accountId": user.account_id,
        "email": user.email,
        "expiresAt": format_time(state.tokens.expires_at),
        "conditions": [ready],
    }


def _credential(name: str) -> Object:
    return {
        "apiVersion": "meetingbots.dev/v1alpha1",
        "kind": "ZoomCredential",
        "metadata": {"name": name},
        "spec": {
            "appSecretRef": {"name": "zoom-app"},
            "grant": {"refreshToken": {"secretKeyRef": {"name": name, "key": "refresh_token"}}},
            "meetingSync": {"enabled": False},
        },
    }
