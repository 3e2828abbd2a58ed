"""Personal links: which users are asked for the meeting ID behind them, and how often."""

from typing import Any

import httpx
import pytest
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS

from tests.unit.bots.reconcile.bot_harness import BotHarness, Operator

PERSONAL = 5551234567


def user(name: str, *, vanity: str = "", pmi: int = PERSONAL) -> httpx.Response:
    return httpx.Response(200, json={"id": name, "account_id": "a", "pmi": pmi, "vanity_url": vanity})


def start(link: str = "https://zoom.us/my/alice?pwd=open", **spec: Any) -> tuple[BotHarness, Operator]:
    harness = BotHarness()
    harness.put_bot(meeting={"url": link}, tokens=[], **spec)
    for name in ("alice", "bob", "whole"):
        metadata = {"namespace": "team", "name": name, "labels": {"customer": name}}
        grant = {"refreshToken": {"secretKeyRef": {"name": name, "key": "t"}}}
        level = "Account" if name == "whole" else "User"
        full = {"appSecretRef": {"name": "app"}, "grant": grant, "level": level}
        harness.cluster.put(CREDENTIALS, {"metadata": metadata, "spec": full})
    harness.zoom.tokens.always = {
        "alice": user("alice", vanity="https://acme.zoom.us/my/Alice"),
        "bob": user("bob", vanity="https://acme.zoom.us/my/bob", pmi=5559876543),
    }
    return harness, harness.operator()


def asked(harness: BotHarness) -> list[tuple[str, str]]:
    return [(who, path) for _, who, path in harness.zoom.tokens.asked]


@pytest.mark.parametrize("link", ["https://zoom.us/my/alice?pwd=open", "https://acme.zoom.us/my/alice"])
async def test_the_user_of_the_link_names_the_meeting(link: str) -> None:
    harness, operator = start(link)
    await harness.live(operator)
    assert harness.bot().status.meeting_id == str(PERSONAL)
    assert harness.heard("ZOOM_MEETING_PASSCODE") == ["open" if "pwd" in link else ""]
    # Their own users, and nothing of a meeting, is what Zoom was asked about.
    assert asked(harness) == [("alice", "users/me"), ("bob", "users/me")]


async def test_only_named_or_selected_credentials_are_asked() -> None:
    for spec in ({"credentialRef": {"name": "alice"}}, {"credentialSelector": {"matchLabels": {"customer": "alice"}}}):
        harness, operator = start(**spec)
        await harness.live(operator)
        assert asked(harness) == [("alice", "users/me")]


@pytest.mark.parametrize(
    "link", ["https://zoom.us/my/carol", "https://other.zoom.us/my/alice", "https://zoomgov.com/my/alice"]
)
async def test_an_unknown_link_is_reported_and_tried_again(link: str) -> None:
    harness, operator = start(link, startDeadlineSeconds=3600)
    await harness.live(operator, until=harness.troubled)
    assert harness.condition()[:2] == ("False", "VanityLink")
    assert harness.condition("Reconciling")[0] == "True"
    assert harness.pods() == []
    before = len(asked(harness))
    harness.clock.forward(31)
    await operator.look()
    assert len(asked(harness)) == before  # what was said is remembered for a while
    harness.zoom.tokens.always["alice"] = user("alice", vanity=link)
    harness.clock.forward(565)
    await harness.live(operator, until=lambda: harness.bot().status.meeting_id is not None)
    assert harness.bot().status.meeting_id == str(PERSONAL)


async def test_an_ambiguous_link_is_unknown() -> None:
    harness, operator = start()
    harness.zoom.tokens.always["bob"] = user("bob", vanity="https://brown.zoom.us/my/alice", pmi=5559876543)
    await harness.live(operator, until=harness.troubled)
    assert harness.condition()[1] == "VanityLink"


async def test_a_user_who_cannot_be_asked_now_is_asked_again() -> None:
    harness, operator = start()
    harness.zoom.tokens.once = [httpx.Response(502, html="<html>"), httpx.Response(502, html="<html>")]
    await harness.live(operator, until=harness.troubled)
    assert harness.condition()[1] == "VanityLink"
    await harness.live(operator)
    assert harness.condition()[1] == "Succeeded"


async def test_the_tokens_are_those_of_the_personal_meeting() -> None:
    harness, operator = start(credentialRef={"name": "alice"})
    harness.put_bot(meeting={"url": "https://zoom.us/my/alice"}, generation=2, credentialRef={"name": "alice"})
    harness.zoom.tokens.always = {"users/me": harness.zoom.tokens.always["alice"]}
    await harness.live(operator)
    assert harness.heard() == ["join-token-1"]
    assert asked(harness)[1][1].startswith(f"meetings/{PERSONAL}/jointoken/")
    assert harness.cluster.peek(MAPPINGS, namespace="team", name=str(PERSONAL)) is not None


async def test_a_revoked_access_token_is_replaced_and_the_user_asked_again() -> None:
    harness, operator = start(credentialRef={"name": "alice"})
    harness.zoom.tokens.once = [httpx.Response(401, json={"code": 124, "message": "Invalid access token."})]
    await harness.live(operator)
    assert operator.tokens.thrown_away == ["alice"]
    assert asked(harness) == [("alice", "users/me")] * 2
    assert harness.bot().status.meeting_id == str(PERSONAL)


@pytest.mark.parametrize(
    ("link", "vanity"),
    [
        ("https://us02web.zoom.us/my/Alice", "https://acme.zoom.us/my/alice"),
        ("https://www.zoom.us/my/ALICE", "https://us04web.zoom.us/my/alice"),
    ],
)
async def test_zooms_own_hosts_and_letter_case_do_not_matter(link: str, vanity: str) -> None:
    harness, operator = start(link)
    harness.zoom.tokens.always["alice"] = user("alice", vanity=vanity)
    await harness.live(operator)
    assert harness.bot().status.meeting_id == str(PERSONAL)


async def test_a_personal_link_that_another_user_has_taken_leads_to_that_user() -> None:
    later, link = "2099-01-01T00:00:00Z", {"url": "https://zoom.us/my/alice"}
    harness, operator = start(link["url"], joinAt=later)
    await operator.look()
    assert harness.bot().status.meeting_id == str(PERSONAL)
    harness.zoom.tokens.always["alice"] = user("alice", vanity="https://acme.zoom.us/my/former")
    harness.zoom.tokens.always["bob"] = user("bob", vanity="https://acme.zoom.us/my/alice", pmi=5559876543)
    harness.clock.forward(60)
    harness.put_bot(meeting=link, tokens=[], joinAt=later, generation=2)
    await operator.look()
    assert harness.bot().status.meeting_id == "5559876543"
    harness.zoom.tokens.always = dict.fromkeys(("alice", "bob"), httpx.Response(502, html="<html>"))
    harness.clock.forward(60)
    harness.put_bot(meeting=link, tokens=[], joinAt=later, generation=3)
    await operator.look()
    assert harness.bot().status.meeting_id == "5559876543", "the earlier answer counts"


async def test_a_changed_personal_link_is_known_within_a_minute() -> None:
    harness, operator = start("https://acme.zoom.us/my/new-name", startDeadlineSeconds=3600)
    await harness.live(operator, until=harness.troubled)
    harness.zoom.tokens.always["alice"] = user("alice", vanity="https://acme.zoom.us/my/new-name")
    for _ in range(3):
        harness.clock.forward(20)
        await operator.look()
    assert harness.bot().status.meeting_id == str(PERSONAL)
