"""A tenant edits the token Secret: the user, the account and the scopes still come from Zoom."""

from __future__ import annotations

import base64

import pytest
from meetingbots.credentials.decide.granted import effective_level
from meetingbots.credentials.sessions.access_tokens import AccessToken
from meetingbots.kube.resources import CREDENTIALS, SECRETS
from meetingbots.models.credential import Level, ZoomCredential

from tests.unit.credentials.reconcile.credential_harness import ALL_SCOPES, KEY, SECRET_NAME, Bench, ready

USER = "meetingbots.dev/user-id"
ACCOUNT = "meetingbots.dev/account-id"
ADMIN = f"{ALL_SCOPES} meeting:read:local_recording_token:admin meeting:read:list_meetings:admin"

pytestmark = pytest.mark.usefixtures("consented")


def edit(bench: Bench, *, annotations: dict[str, str] | None = None, **values: str) -> None:
    item = bench.kube.peek(SECRETS, namespace=KEY.namespace, name=SECRET_NAME)
    assert item is not None
    item["metadata"]["annotations"] |= annotations or {}
    item["data"] |= {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    bench.kube.put(SECRETS, item)


def level(bench: Bench) -> Level:
    item = bench.kube.peek(CREDENTIALS, namespace=KEY.namespace, name=KEY.name)
    assert item is not None
    return effective_level(ZoomCredential.from_object(item))


@pytest.mark.parametrize("restart", [False, True], ids=["same process", "after a restart"])
@pytest.mark.parametrize(
    "edited", [{ACCOUNT: "victim"}, {USER: "u-victim"}, {USER: "u-victim", ACCOUNT: "victim"}], ids=str
)
async def test_edited_annotations_lead_to_a_question_and_change_nothing(
    bench: Bench, edited: dict[str, str], restart: bool
) -> None:
    operator = await ready(bench)
    questions = bench.zoom.asked.count("/v2/users/me")
    edit(bench, annotations=edited)
    if restart:
        operator = bench.operator()
    await operator.look()
    assert bench.zoom.asked.count("/v2/users/me") == questions + 1
    assert (bench.status["userId"], bench.status["accountId"]) == ("u-alice", "acc")
    assert (bench.state.user_id, bench.state.account_id) == ("u-alice", "acc")
    access = await operator.tokens.get(KEY)
    assert isinstance(access, AccessToken)
    assert (access.user_id, access.account_id, access.rate_account) == ("u-alice", "acc", "acc")


async def test_an_edit_counts_for_nothing_while_zoom_is_away(bench: Bench) -> None:
    operator = await ready(bench)
    edit(bench, annotations={ACCOUNT: "victim"})
    bench.zoom.access.clear()
    await operator.look()
    assert bench.status["accountId"] == "acc"
    restarted = bench.operator()
    await restarted.look()
    assert bench.status.get("accountId") != "victim"


async def test_a_forged_token_secret_names_nobody(bench: Bench) -> None:
    await ready(bench)
    edit(bench, annotations={ACCOUNT: "victim"})
    bench.kube.remove(CREDENTIALS, namespace=KEY.namespace, name=KEY.name)
    bench.put_credential()
    await bench.operator().look()
    assert (bench.status["userId"], bench.status["accountId"]) == ("u-alice", "acc")


async def test_another_users_tokens_in_the_secret_are_not_used(bench: Bench) -> None:
    operator = await ready(bench)
    edit(bench, access_token=bench.zoom.access_token("u-mallory"), refresh_token=bench.zoom.consent("u-mallory"))
    for _ in range(3):
        await operator.look()
        bench.clock.forward(1)
    assert bench.reason == "UserMismatch"
    assert "u-mallory" not in str(bench.status)
    await bench.operator().look()
    assert bench.reason == "UserMismatch"


@pytest.mark.parametrize("restart", [False, True], ids=["same process", "after a restart"])
async def test_an_admin_scope_in_the_secret_gives_no_level(bench: Bench, restart: bool) -> None:
    bench.put_credential(level="Account")
    operator = bench.operator()
    await operator.look()
    assert level(bench) is Level.USER
    edit(bench, scope=ADMIN)
    for _ in range(4):
        if restart:
            operator = bench.operator()
        await operator.look()
        assert level(bench) is Level.USER
        bench.clock.forward(5)
    assert bench.zoom.asked.count("/oauth/token") <= 2


async def test_an_admin_scope_that_zoom_grants_gives_the_level(bench: Bench) -> None:
    bench.zoom.scopes = ADMIN
    bench.put_credential(level="Account")
    await ready(bench)
    assert level(bench) is Level.ACCOUNT
    await bench.operator().look()
    assert level(bench) is Level.ACCOUNT, "after a restart, too"
    bench.kube.remove(CREDENTIALS, namespace=KEY.namespace, name=KEY.name)
    bench.put_credential(level="Account")
    operator = bench.operator()
    await operator.look()
    assert level(bench) is Level.USER, "the Secret alone proves nothing"
    bench.clock.forward(10)
    await operator.look()
    assert level(bench) is Level.ACCOUNT
