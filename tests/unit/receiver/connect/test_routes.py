from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from meetingbots.credentials.manifests.connect import consent_name
from meetingbots.kube.errors import ForbiddenError, UnavailableError
from meetingbots.kube.resources import CREDENTIALS, SECRETS
from meetingbots.receiver.connect.pages import allowed_host

from tests.unit.fake_kube import Call
from tests.unit.receiver.connect.connect_harness import KEY, NEWER, NOW, ConnectHarness, Page, serve_pages

HOSTILE = "\"'><script>alert(1)</script>&amp;"


@pytest.fixture
async def harness() -> AsyncIterator[ConnectHarness]:
    async with serve_pages() as harness:
        yield harness


async def handed_over(harness: ConnectHarness) -> tuple[Page, dict[str, str], str]:
    """A person agreed and came back; gives the page they are on, their cookies, and the consent's name."""
    page, cookies = await harness.begin()
    seen = await harness.open(harness.back(page), cookies=cookies)
    assert seen.status == 303, seen.text
    harness.watch()
    place = "/" + seen.headers["Location"].removeprefix("../")
    return await harness.open(place, cookies=cookies), cookies, consent_name(page.query["state"])


def outcome_place(harness: ConnectHarness, seen: Page) -> str:
    found = re.search(r'data-poll="([^"]*)"', seen.text)
    assert found is not None
    return f"/connect/team/alice/{found[1]}"


# The invitation.


async def test_the_invitation_says_who_asks_for_what_and_leads_to_zoom(harness: ConnectHarness) -> None:
    page, cookies = await harness.begin()
    assert "bots.example" in page.text
    assert "Added Apps" in page.text, "how to take it back"
    assert "1 December 2026, 12:00 UTC" in page.text
    assert page.button.startswith("https://zoom.test/oauth/authorize?")
    query = page.query
    assert query["client_id"] == "client-one"
    assert query["response_type"] == "code"
    assert query["redirect_uri"] == "https://bots.example/oauth/callback"
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == 43
    (browser,) = cookies.values()
    assert browser not in page.text
    assert len(query["state"]) < 1024


async def test_the_page_names_the_customer_the_connection_and_the_service(harness: ConnectHarness) -> None:
    page, _ = await harness.begin()
    named = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", page.text))
    assert named == {"Service": "bots.example", "Customer": "team", "Connection": "alice"}
    assert "did not expect this link" in page.text


async def test_the_cookie_is_for_this_host_and_no_script(harness: ConnectHarness) -> None:
    page, _ = await harness.begin()
    assert page.set_cookie.startswith("__Host-meetingbots-connect=")
    attributes = {part.strip().lower() for part in page.set_cookie.split(";")[1:]}
    assert {"httponly", "secure", "path=/", "samesite=lax"} <= attributes
    assert not any(part.startswith("domain") for part in attributes)
    async with serve_pages(public_url="http://127.0.0.1:8080") as plain:
        page, _ = await plain.begin()
        assert page.set_cookie.startswith("meetingbots-connect=")
        assert "secure" not in page.set_cookie.lower()


async def test_two_tabs_are_one_browser_with_two_states(harness: ConnectHarness) -> None:
    first, cookies = await harness.begin()
    second = await harness.open(harness.link(), cookies=cookies)
    assert second.cookies == cookies
    assert second.query["state"] != first.query["state"]
    odd = await harness.open(harness.link(), cookies=dict.fromkeys(cookies, "chosen by someone else"))
    assert odd.cookies != cookies
    assert "chosen" not in odd.set_cookie


async def test_the_expected_person_is_named(harness: ConnectHarness) -> None:
    harness.has_credential(connect={"expectedEmail": "alice@example.com"})
    assert "alice@example.com" in (await harness.open(harness.link())).text
    harness.has_credential(connect={"expectedAccountId": "acc-9"})
    assert "acc-9" in (await harness.open(harness.link())).text


async def test_an_account_is_asked_for_as_such(harness: ConnectHarness) -> None:
    harness.has_credential(spec={"level": "Account"})
    assert "organisation" in (await harness.open(harness.link())).text


@pytest.mark.parametrize(
    ("changes", "status", "outcome"),
    [
        ({"epoch": "f" * 16}, 410, "used"),
        ({"days": -0.001}, 410, "expired"),
        ({"uid": "uid-of-an-earlier-alice"}, 410, "gone"),
        ({"key": NEWER}, 403, "invalid"),
    ],
)
async def test_links_that_do_not_work(harness: ConnectHarness, changes: Any, status: int, outcome: str) -> None:
    seen = await harness.open(harness.link(**changes))
    assert (seen.status, seen.outcome) == (status, outcome)
    assert not seen.set_cookie
    assert "zoom.test" not in seen.text


async def test_forged_links(harness: ConnectHarness) -> None:
    link = harness.link()
    for forged in (link + "x", link.partition("?")[0], f"{link}&t=x", link.replace("/alice?", "/bob?"), link[:-5]):
        seen = await harness.open(forged)
        assert (seen.status, seen.outcome) == (403, "invalid")
    assert harness.kube.count("list") == 0, "a forged link costs no look at the API server"


async def test_a_link_is_dead_once_a_consent_was_taken(harness: ConnectHarness) -> None:
    harness.has_credential(epoch="")
    seen = await harness.open(harness.link())
    assert (seen.status, seen.outcome) == (410, "used")


async def test_a_link_of_a_credential_that_changed_its_grant_or_went(harness: ConnectHarness) -> None:
    harness.has_credential(spec={"grant": {"serverToServer": {"accountId": "acc"}}})
    assert (await harness.open(harness.link())).outcome == "gone"
    harness.kube.remove(CREDENTIALS, namespace="team", name="alice")
    harness.watch()
    assert (await harness.open(harness.link())).outcome == "gone"


async def test_a_link_works_before_the_watch_shows_it(harness: ConnectHarness) -> None:
    harness.has_credential(epoch="f" * 16, watched=False)
    assert (await harness.open(harness.link(epoch="f" * 16))).status == 200


async def test_keys_are_read_when_a_link_names_one_that_is_not_known(harness: ConnectHarness) -> None:
    harness.keys = [NEWER, KEY]
    harness.project(watched=False)
    assert (await harness.open(harness.link(key=NEWER))).status == 200
    reads = harness.kube.count("get", SECRETS)
    harness.seconds[0] += 0.5
    for _ in range(5):
        assert (await harness.open(harness.link(key=NEWER)[:-1] + "_")).status == 403
    assert harness.kube.count("get", SECRETS) == reads, "not more than once a second"
    assert (await harness.open(harness.link(key=KEY))).status == 200, "links of the older key go on working"


async def test_a_link_works_before_the_watch_shows_its_app(harness: ConnectHarness) -> None:
    apps = dict(harness.apps)
    harness.apps.clear()
    harness.project()
    harness.apps.update(apps)
    harness.project(watched=False)
    assert (await harness.open(harness.link())).status == 200


async def test_what_is_missing_on_our_side_is_shown(harness: ConnectHarness) -> None:
    harness.apps.clear()
    harness.project()
    seen = await harness.open(harness.link())
    assert (seen.status, seen.outcome) == (503, "not-set-up")
    async with serve_pages(public_url="") as addressless:
        assert (await addressless.open(addressless.link())).outcome == "not-set-up"


@pytest.mark.parametrize(
    ("environment", "host"), [("", "zoom.us"), ("zoom.us", "zoom.us"), ("zoomgov.com", "zoomgov.com")]
)
@pytest.mark.parametrize("readable", [True, False])
async def test_the_consent_is_asked_for_where_the_app_is_registered(
    environment: str, host: str, readable: bool
) -> None:
    async with serve_pages(oauth_url="https://zoom.us/oauth") as harness:
        harness.apps["team.zoom-app"]["environment"] = environment
        if not readable:
            harness.apps["team.zoom-app"]["unreadable"] = "no webhook_secret_token"
        harness.project()
        page = await harness.open(harness.link())
        assert page.button.startswith(f"https://{host}/oauth/authorize?")


async def test_an_app_without_a_webhook_secret_can_be_consented_to(harness: ConnectHarness) -> None:
    harness.apps["team.zoom-app"] = {"unreadable": "no webhook_secret_token", "client_id": "client-one"}
    harness.project()
    assert (await harness.open(harness.link())).status == 200


async def test_suspended(harness: ConnectHarness) -> None:
    harness.has_credential(spec={"suspend": True})
    assert (await harness.open(harness.link())).outcome == "paused"


async def test_before_the_caches_are_filled_it_waits(harness: ConnectHarness) -> None:
    harness.ready[0] = False
    seen = await harness.open(harness.link())
    assert (seen.status, seen.outcome) == (503, "later")
    assert '<meta http-equiv="refresh" content="3">' in seen.text


# Zoom's answer.


async def test_an_answer_becomes_a_secret_that_the_status_names(harness: ConnectHarness) -> None:
    seen, _, name = await handed_over(harness)
    assert harness.consents == [name]
    content = harness.consent(name)
    assert content["code"] == "the-code"
    assert content["redirect_uri"] == "https://bots.example/oauth/callback"
    item = harness.kube.peek(SECRETS, namespace="team", name=name)
    assert item is not None
    assert item["metadata"]["ownerReferences"][0]["uid"] == "uid-1"
    assert seen.outcome == "waiting"
    assert "the-code" not in seen.text


async def test_the_verifier_fits_the_challenge_and_never_leaves(harness: ConnectHarness) -> None:
    page, cookies = await harness.begin()
    await harness.open(harness.back(page), cookies=cookies)
    verifier = harness.consent(consent_name(page.query["state"]))["code_verifier"]
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert digest == page.query["code_challenge"]
    assert verifier not in page.text
    assert verifier not in str(page.headers)


async def test_the_other_replica_finishes_it(harness: ConnectHarness) -> None:
    page, cookies = await harness.begin()
    async with serve_pages() as other:
        seen = await other.open(other.back(page), cookies=cookies)
        assert seen.status == 303
        assert other.consent(consent_name(page.query["state"]))["code"] == "the-code"


async def test_an_answer_in_another_browser_is_refused(harness: ConnectHarness) -> None:
    page, cookies = await harness.begin()
    _, others = await harness.begin()
    assert others != cookies
    for brought in ({}, others, dict.fromkeys(cookies, "x"), {"another": next(iter(cookies.values()))}):
        seen = await harness.open(harness.back(page), cookies=brought)
        assert (seen.status, seen.outcome) == (403, "other-browser")
    assert harness.kube.count("create", SECRETS) == 0


async def test_forged_states_are_refused(harness: ConnectHarness) -> None:
    page, cookies = await harness.begin()
    state = page.query["state"]
    for forged in ("", "x", state[:-1], state + "x", f"{state}&state={state}"):
        seen = await harness.open(f"/oauth/callback?code=c&state={forged}", cookies=cookies)
        assert (seen.status, seen.outcome) == (400, "not-ours")
    assert harness.kube.count("create") == 0


async def test_an_answer_after_ten_minutes_is_too_late(harness: ConnectHarness) -> None:
    page, cookies = await harness.begin()
    harness.clock[0] = NOW + timedelta(minutes=10)
    seen = await harness.open(harness.back(page), cookies=cookies)
    assert (seen.status, seen.outcome) == (410, "too-slow")
    assert seen.button == harness.link(), "and another try is offered"
    assert harness.kube.count("create", SECRETS) == 0
    harness.clock[0] = NOW + timedelta(minutes=9, seconds=59)
    assert (await harness.open(harness.back(page), cookies=cookies)).status == 303


async def test_an_answer_counts_once(harness: ConnectHarness) -> None:
    page, cookies = await harness.begin()
    assert (await harness.open(harness.back(page), cookies=cookies)).status == 303
    harness.watch()
    again = await harness.open(harness.back(page), cookies=cookies)
    assert (again.status, again.outcome) == (409, "used-twice")
    other_code = await harness.open(harness.back(page, code="another"), cookies=cookies)
    assert other_code.status == 409
    assert len(harness.consents) == 1
    assert harness.consent(harness.consents[0])["code"] == "the-code"
    # Also after the operator has used and deleted it.
    harness.kube.remove(SECRETS, namespace="team", name=harness.consents[0])
    harness.change_status(connectURL="")
    assert (await harness.open(harness.back(page), cookies=cookies)).status == 409
    assert harness.kube.count("create", SECRETS) == 1


@pytest.mark.parametrize(("error", "outcome"), [("access_denied", "refused"), ("server_error", "zoom-refused")])
async def test_a_refusal_is_shown_with_another_attempt(harness: ConnectHarness, error: str, outcome: str) -> None:
    page, cookies = await harness.begin()
    seen = await harness.open(harness.back(page, code="", error=error), cookies=cookies)
    assert seen.outcome == outcome
    assert seen.button == harness.link()
    assert harness.kube.count("create", SECRETS) == 0


def declined(harness: ConnectHarness) -> str | None:
    item = harness.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert item is not None
    found: str | None = item["status"].get("consentDeclinedTime")
    return found


async def decline(harness: ConnectHarness, **cookies: Any) -> Page:
    page, browser = await harness.begin()
    return await harness.open(harness.back(page, code="", error="access_denied"), cookies=browser | cookies)


async def test_declining_is_recorded_in_the_status(harness: ConnectHarness) -> None:
    assert (await decline(harness)).outcome == "refused"
    assert declined(harness) == "2026-11-24T12:00:00Z"
    harness.watch()
    harness.clock[0] += timedelta(seconds=59)
    await decline(harness)
    assert harness.kube.count("apply") == 1, "not more than once a minute"
    harness.clock[0] += timedelta(seconds=2)
    await decline(harness)
    assert declined(harness) == "2026-11-24T12:01:01Z"


async def test_a_consent_ends_the_record_of_a_decline(harness: ConnectHarness) -> None:
    await decline(harness)
    _, _, name = await handed_over(harness)
    assert declined(harness) is None
    assert harness.consents == [name]


async def test_declining_leaves_consents_that_wait(harness: ConnectHarness) -> None:
    _, _, name = await handed_over(harness)
    await decline(harness)
    assert harness.consents == [name]


async def test_declining_in_another_browser_is_not_recorded(harness: ConnectHarness) -> None:
    page, _ = await harness.begin()
    seen = await harness.open(harness.back(page, code="", error="access_denied"), cookies={})
    assert seen.outcome == "other-browser"
    assert declined(harness) is None


async def test_a_decline_that_kubernetes_does_not_record_is_shown(harness: ConnectHarness) -> None:
    async def refuse(call: Call) -> None:
        if call.verb == "apply":
            raise UnavailableError("away", status=503)

    harness.kube.hook = refuse
    assert (await decline(harness)).outcome == "refused"


async def test_what_zoom_would_say_is_not_repeated(harness: ConnectHarness) -> None:
    page, cookies = await harness.begin()
    seen = await harness.open(harness.back(page, code="", error="%3Cscript%3Eboo"), cookies=cookies)
    assert "boo" not in seen.text


@pytest.mark.parametrize("code", ["", "a%20b", "a%0Ab", "x" * 2049, "one&code=two", "%C3%A9"])
async def test_what_is_no_code_is_refused(harness: ConnectHarness, code: str) -> None:
    page, cookies = await harness.begin()
    seen = await harness.open(harness.back(page, code=code), cookies=cookies)
    assert (seen.status, seen.outcome) == (400, "not-ours")


async def test_an_answer_by_a_link_that_died_meanwhile(harness: ConnectHarness) -> None:
    page, cookies = await harness.begin()
    harness.has_credential(epoch="f" * 16, watched=False)
    seen = await harness.open(harness.back(page), cookies=cookies)
    assert (seen.status, seen.outcome) == (410, "used")
    harness.kube.remove(CREDENTIALS, namespace="team", name="alice")
    assert (await harness.open(harness.back(page), cookies=cookies)).outcome == "gone"
    assert harness.kube.count("create", SECRETS) == 0


async def test_an_answer_that_was_half_written_is_finished_by_asking_again(harness: ConnectHarness) -> None:
    page, cookies = await harness.begin()

    async def no_status(call: Call) -> None:
        if call.verb == "apply":
            raise UnavailableError("away", status=503)

    harness.kube.hook = no_status
    seen = await harness.open(harness.back(page), cookies=cookies)
    assert (seen.status, seen.outcome) == (503, "later")
    assert "refresh" in seen.text
    harness.kube.hook = _fine
    assert (await harness.open(harness.back(page), cookies=cookies)).status == 303
    assert harness.consents == [consent_name(page.query["state"])]


async def test_what_the_api_server_says_is_not_repeated(harness: ConnectHarness) -> None:
    page, cookies = await harness.begin()

    async def forbidden(call: Call) -> None:
        if call.verb == "create":
            raise ForbiddenError("exceeded quota: confidential", status=403)

    harness.kube.hook = forbidden
    seen = await harness.open(harness.back(page), cookies=cookies)
    assert seen.status == 503
    assert "confidential" not in seen.text


async def test_somebody_else_writing_the_status_costs_nothing(harness: ConnectHarness) -> None:
    page, cookies = await harness.begin()
    writes = 0

    async def meddle(call: Call) -> None:
        nonlocal writes
        if call.verb == "apply" and call.moment == "before" and writes < 2:
            writes += 1
            harness.change_status(email=f"alice-{writes}@example.com")

    harness.kube.hook = meddle
    assert (await harness.open(harness.back(page), cookies=cookies)).status == 303
    assert len(harness.consents) == 1


async def test_there_is_room_for_several_consents_that_wait_and_no_more(harness: ConnectHarness) -> None:
    browser: dict[str, str] = {}
    for _ in range(8):
        page, browser = await harness.begin()
        assert (await harness.open(harness.back(page), cookies=browser)).status == 303
    page, browser = await harness.begin()
    seen = await harness.open(harness.back(page), cookies=browser)
    assert (seen.status, seen.outcome) == (503, "busy")
    handled = [{"secretName": name, "time": "2026-11-24T12:00:00Z", "reason": "X"} for name in harness.consents[:1]]
    harness.change_status(handledConsents=handled)
    assert (await harness.open(harness.back(page), cookies=browser)).status == 303
    assert len(harness.consents) == 8
    assert handled[0]["secretName"] not in harness.consents


async def test_consents_that_were_dealt_with_an_hour_ago_are_forgotten(harness: ConnectHarness) -> None:
    old = {"secretName": consent_name("old"), "time": "2026-11-24T11:00:00Z"}
    waits = {"secretName": consent_name("waits"), "time": "2026-11-24T11:00:00Z"}
    harness.change_status(receivedConsents=[old, waits], handledConsents=[{**old, "reason": "UserMismatch"}])
    _, _, name = await handed_over(harness)
    assert harness.consents == [waits["secretName"], name]


# What became of it.


@pytest.mark.parametrize(
    ("reason", "code", "message", "outcome"),
    [
        ("LinkUsed", "", "", "used"),
        ("UserMismatch", "", "", "other-user"),
        ("AppInvalid", "4702", "", "misconfigured"),
        ("AppSecretMissing", "", "", "misconfigured"),
        ("ReauthorizationRequired", "4709", "", "misconfigured"),
        ("ReauthorizationRequired", "", "The redirect URI is not the one.", "misconfigured"),
        ("ReauthorizationRequired", "4734", "", "not-accepted"),
        ("ReauthorizationRequired", "4733", "", "too-late"),
        ("ZoomUnavailable", "503", "", "zoom-away"),
        ("DisabledByAdmin", "4738", "", "disabled-by-admin"),
        ("UserInactive", "", "", "user-inactive"),
        ("RotationInterrupted", "", "", "interrupted"),
        ("GrantSecretMissing", "", "", "interrupted"),
        ("SomethingNew", "", "", "interrupted"),
    ],
)
async def test_every_outcome_is_shown(
    harness: ConnectHarness, reason: str, code: str, message: str, outcome: str
) -> None:
    waiting, cookies, name = await handed_over(harness)
    handled = {"secretName": name, "time": "2026-11-24T12:00:01Z", "reason": reason, "code": code, "message": message}
    harness.change_status(handledConsents=[handled])
    place = outcome_place(harness, waiting)
    seen = await harness.open(place.replace("outcome.json", "outcome"), cookies=cookies)
    assert seen.outcome == outcome
    assert 'data-poll=""' in seen.text, "there is nothing to wait for"
    assert "refresh" not in seen.text
    data = await harness.open(place, cookies=cookies)
    assert json.loads(data.text) == {"outcome": outcome}


async def test_a_mismatch_says_who_was_expected(harness: ConnectHarness) -> None:
    harness.has_credential(connect={"expectedEmail": "alice@example.com"})
    waiting, cookies, name = await handed_over(harness)
    handled = {"secretName": name, "time": "2026-11-24T12:00:01Z", "reason": "UserMismatch"}
    harness.change_status(handledConsents=[handled])
    seen = await harness.open(outcome_place(harness, waiting).replace("outcome.json", "outcome"), cookies=cookies)
    assert "alice@example.com" in seen.text


async def test_success_names_the_user_and_leads_back(harness: ConnectHarness) -> None:
    harness.has_credential(connect={"returnURL": "https://app.example/done?x=1&y=2"})
    waiting, cookies, name = await handed_over(harness)
    assert "app.example" not in waiting.text
    accepted = {"secretName": name, "time": "2026-11-24T12:00:01Z", "reason": "Accepted"}
    harness.change_status(handledConsents=[accepted], email="alice@example.com")
    place = outcome_place(harness, waiting).replace("outcome.json", "outcome")
    seen = await harness.open(place, cookies=cookies)
    assert seen.outcome == "connected"
    assert "alice@example.com" in seen.text
    assert 'href="https://app.example/done?x=1&amp;y=2"' in seen.text
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "ScopesMissing",
        "lastTransitionTime": "2026-11-24T12:00:00Z",
    }
    harness.change_status(conditions=[condition])
    assert (await harness.open(place, cookies=cookies)).outcome == "connected-partly"


@pytest.mark.parametrize(
    ("reason", "failures", "outcome"),
    [
        ("ZoomUnavailable", 0, "waiting"),
        ("ZoomUnavailable", 1, "waiting-for-zoom"),
        ("AppInvalid", 1, "waiting-for-app"),
        ("AppSecretMissing", 0, "waiting-for-app"),
        ("WaitingForConsent", 0, "waiting"),
    ],
)
async def test_the_page_waits_while_it_is_open(
    harness: ConnectHarness, reason: str, failures: int, outcome: str
) -> None:
    waiting, cookies, _ = await handed_over(harness)
    condition = {"type": "Ready", "status": "False", "reason": reason, "lastTransitionTime": "2026-11-24T12:00:00Z"}
    harness.change_status(conditions=[condition], consecutiveFailures=failures)
    seen = await harness.open(outcome_place(harness, waiting).replace("outcome.json", "outcome"), cookies=cookies)
    assert seen.outcome == outcome
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in seen.text
    assert '<script src="../../../connect/_/connect.js" defer></script>' in seen.text
    assert "<script>" not in seen.text


async def test_an_outcome_is_shown_to_its_browser_only(harness: ConnectHarness) -> None:
    waiting, cookies, _ = await handed_over(harness)
    place = outcome_place(harness, waiting)
    _, others = await harness.begin()
    for path in (place, place.replace("outcome.json", "outcome")):
        assert (await harness.open(path, cookies=cookies)).status == 200
        for brought in ({}, others):
            assert (await harness.open(path, cookies=brought)).outcome == "not-ours"
        assert (await harness.open(path + "x", cookies=cookies)).outcome == "not-ours"
        assert (await harness.open(path.replace("/alice/", "/bob/"), cookies=cookies)).outcome == "not-ours"
    harness.kube.remove(CREDENTIALS, namespace="team", name="alice")
    harness.watch()
    assert (await harness.open(place, cookies=cookies)).outcome == "gone"


async def test_asking_for_the_outcome_costs_the_api_server_nothing(harness: ConnectHarness) -> None:
    waiting, cookies, _ = await handed_over(harness)
    calls = len(harness.kube.calls)
    for _ in range(5):
        await harness.open(outcome_place(harness, waiting), cookies=cookies)
    assert len(harness.kube.calls) == calls


# What every answer has in common.


async def test_every_page_has_the_strict_headers(harness: ConnectHarness) -> None:
    page, cookies = await harness.begin()
    ways = ["/connect/team/alice?t=x", "/oauth/callback", harness.back(page), "/connect/team/alice/outcome?c=x"]
    ways += ["/connect/team/alice/outcome.json?c=x", "/connect/_/nothing", "/connect/_/connect.css"]
    for seen in [page, *[await harness.open(way, cookies=cookies) for way in ways]]:
        policy = dict(part.strip().split(" ", 1) for part in seen.headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["frame-ancestors"] == "'none'"
        assert policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert "unsafe" not in str(policy)
        assert seen.headers["Referrer-Policy"] == "no-referrer"
        assert seen.headers["X-Frame-Options"] == "DENY"
        assert seen.headers["X-Content-Type-Options"] == "nosniff"
        assert seen.headers["Cache-Control"] == "no-store" or seen.headers["Content-Type"].startswith("text/css")


async def test_pages_have_a_language_a_landmark_and_one_heading(harness: ConnectHarness) -> None:
    page, _ = await harness.begin()
    refused = await harness.open("/connect/team/alice?t=x")
    for seen in (page, refused):
        assert '<html lang="en">' in seen.text
        assert seen.text.count("<h1>") == seen.text.count("<main") == 1
        assert 'name="viewport"' in seen.text
        assert not re.search(r"<[^>]*\s(style|on\w+)=", seen.text), "no inline style or script"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_only_reading_is_allowed(harness: ConnectHarness, method: str) -> None:
    assert (await harness.open(harness.link(), method=method)).status == 405
    assert (await harness.open("/oauth/callback", method=method)).status == 405


async def test_assets_are_two(harness: ConnectHarness) -> None:
    style = await harness.open("/connect/_/connect.css")
    assert style.headers["Content-Type"].startswith("text/css")
    assert "prefers-color-scheme: dark" in style.text
    assert (await harness.open("/connect/_/connect.js")).headers["Content-Type"].startswith("text/javascript")
    for odd in ("page.html", "..%2Fconnect.py", "connect.css%00"):
        assert (await harness.open(f"/connect/_/{odd}")).status == 404


async def test_hostile_values_stay_text(harness: ConnectHarness) -> None:
    harness.has_credential(
        connect={"expectedEmail": HOSTILE, "returnURL": f"https://app.example/{HOSTILE}"}, status={"email": HOSTILE}
    )
    harness.apps["team.zoom-app"]["client_id"] = HOSTILE
    harness.project()
    page, cookies = await harness.begin()
    assert page.query["client_id"] == HOSTILE
    waiting = await harness.open(harness.back(page), cookies=cookies)
    harness.watch()
    name = consent_name(page.query["state"])
    handled = {"secretName": name, "time": "2026-11-24T12:00:01Z", "reason": "Accepted", "message": HOSTILE}
    harness.change_status(handledConsents=[handled])
    place = "/" + waiting.headers["Location"].removeprefix("../")
    done = await harness.open(place, cookies=cookies)
    for seen in (page, done):
        assert "<script>alert" not in seen.text
        assert "&lt;script&gt;alert" in seen.text
    assert done.outcome == "connected"


async def test_nothing_of_a_query_is_logged(harness: ConnectHarness, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    page, cookies = await harness.begin()
    quoting = f"confidential {page.query['state']}"

    async def broken(call: Call) -> None:
        if call.verb == "create":
            raise ValueError(quoting)

    harness.kube.hook = broken
    seen = await harness.open(harness.back(page), cookies=cookies)
    assert (seen.status, seen.outcome) == (503, "later")
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("meetingbots"))
    assert "defect ValueError" in ours
    for secret in ("the-code", "confidential", page.query["state"], next(iter(cookies.values()))):
        assert secret not in ours


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://app.example/done", "app.example"),
        ("https://APP.example", "app.example"),
        ("https://app.example:443/done", "app.example"),
        ("https://app.example:8443/done", ""),
        ("https://other.example:8443/done", "other.example:8443"),
        ("https://other.example/done", ""),
        ("http://app.example/done", ""),
        ("https://app.example.evil.example/", ""),
        ("https://evil.example/?https://app.example/", ""),
        ("https://app.example@evil.example/", ""),
        ("https://user@app.example/", ""),
        ("https://evil.example\\@app.example/", ""),
        ("https:///app.example", ""),
        ("https://app.example\t.evil.example", ""),
        ("https://app.example /", ""),
        ("javascript:alert(1)//https://app.example", ""),
        ("https://[app.example/", ""),
        ("//app.example/", ""),
        ("", ""),
    ],
)
def test_only_allowed_hosts_are_led_back_to(url: str, host: str) -> None:
    assert allowed_host(url, hosts=("app.example", "other.example:8443")) == host


async def _fine(_: Call) -> None: ...
