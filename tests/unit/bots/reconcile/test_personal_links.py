"""Personal links: whose user is asked for the meeting ID behind them, and how often."""

from typing import Any

import httpx
import pytest
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS

from tests.unit.bots.reconcile.bot_harness import Bench, Operator

PERSONAL = 5551234567


def user(name: str, *, vanity: str = "", pmi: int = PERSONAL) -> httpx.Response:
    return httpx.Response(200, json={"id": name, "account_id": "a", "pmi": pmi, "vanity_url": vanity})


def start(link: str = "https://zoom.us/my/alice?pwd=open", **spec: Any) -> tuple[Bench, Operator]:
    bench = Bench()
    bench.put_bot(meeting={"url": link}, tokens=[], **spec)
    for name in ("alice", "bob", "whole"):
        metadata = {"namespace": "team", "name": name, "labels": {"customer": name}}
        grant = {"refreshToken": {"secretKeyRef": {"name": name, "key": "t"}}}
        level = "Account" if name == "whole" else "User"
        full = {"appSecretRef": {"name": "app"}, "grant": grant, "level": level}
        bench.cluster.put(CREDENTIALS, {"metadata": metadata, "spec": full})
    bench.zoom.tokens.always = {
        "alice": user("alice", vanity="https://acme.zoom.us/my/Alice"),
        "bob": user("bob", vanity="https://acme.zoom.us/my/bob", pmi=5559876543),
    }
    return bench, bench.operator()


def asked(bench: Bench) -> list[tuple[str, str]]:
    return [(who, path) for _, who, path in bench.zoom.tokens.asked]


@pytest.mark.parametrize("link", ["https://zoom.us/my/alice?pwd=open", "https://acme.zoom.us/my/alice"])
async def test_the_user_of_the_link_names_the_meeting(link: str) -> None:
    bench, operator = start(link)
    await bench.live(operator)
    assert bench.bot().status.meeting_id == str(PERSONAL)
    assert bench.heard("ZOOM_MEETING_PASSCODE") == ["open" if "pwd" in link else ""]
    # Their own users, and nothing of a meeting, is what Zoom was asked about.
    assert asked(bench) == [("alice", "users/me"), ("bob", "users/me")]


async def test_the_named_and_the_selected_credentials_are_asked_only() -> None:
    for spec in ({"credentialRef": {"name": "alice"}}, {"credentialSelector": {"matchLabels": {"customer": "alice"}}}):
        bench, operator = start(**spec)
        await bench.live(operator)
        assert asked(bench) == [("alice", "users/me")]


@pytest.mark.parametrize(
    "link", ["https://zoom.us/my/carol", "https://other.zoom.us/my/alice", "https://zoomgov.com/my/alice"]
)
async def test_nobodys_link_is_told_and_looked_at_again(link: str) -> None:
    bench, operator = start(link, startDeadlineSeconds=3600)
    await bench.live(operator, until=bench.troubled)
    assert bench.condition()[:2] == ("False", "VanityLink")
    assert bench.condition("Reconciling")[0] == "True"
    assert bench.pods() == []
    before = len(asked(bench))
    bench.clock.forward(31)
    await operator.look()
    assert len(asked(bench)) == before  # what was said is remembered for a while
    bench.zoom.tokens.always["alice"] = user("alice", vanity=link)
    bench.clock.forward(565)
    await bench.live(operator, until=lambda: bench.bot().status.meeting_id is not None)
    assert bench.bot().status.meeting_id == str(PERSONAL)


async def test_a_link_that_two_users_could_mean_is_nobodys() -> None:
    bench, operator = start()
    bench.zoom.tokens.always["bob"] = user("bob", vanity="https://brown.zoom.us/my/alice", pmi=5559876543)
    await bench.live(operator, until=bench.troubled)
    assert bench.condition()[1] == "VanityLink"


async def test_a_user_who_cannot_be_asked_now_is_asked_again() -> None:
    bench, operator = start()
    bench.zoom.tokens.once = [httpx.Response(502, html="<html>"), httpx.Response(502, html="<html>")]
    await bench.live(operator, until=bench.troubled)
    assert bench.condition()[1] == "VanityLink"
    await bench.live(operator)
    assert bench.condition()[1] == "Succeeded"


async def test_the_tokens_are_those_of_the_personal_meeting() -> None:
    bench, operator = start(credentialRef={"name": "alice"})
    bench.put_bot(meeting={"url": "https://zoom.us/my/alice"}, generation=2, credentialRef={"name": "alice"})
    bench.zoom.tokens.always = {"users/me": bench.zoom.tokens.always["alice"]}
    await bench.live(operator)
    assert bench.heard() == ["join-token-1"]
    assert asked(bench)[1][1].startswith(f"meetings/{PERSONAL}/jointoken/")
    assert bench.cluster.peek(MAPPINGS, namespace="team", name=str(PERSONAL)) is not None


async def test_a_revoked_access_token_is_replaced_and_the_user_asked_again() -> None:
    bench, operator = start(credentialRef={"name": "alice"})
    bench.zoom.tokens.once = [httpx.Response(401, json={"code": 124, "message": "Invalid access token."})]
    await bench.live(operator)
    assert operator.tokens.thrown_away == ["alice"]
    assert asked(bench) == [("alice", "users/me")] * 2
    assert bench.bot().status.meeting_id == str(PERSONAL)
