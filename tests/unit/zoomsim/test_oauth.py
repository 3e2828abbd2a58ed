import base64
import hashlib
import json
import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.unit.zoomsim.simulator_harness import REDIRECT, START, SimulatorHarness, basic, error_of
from tests.zoomsim.world import App, User

VERIFIER = "a-verifier-that-is-long-enough-for-the-rule-of-43-characters"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


async def open_page(zoom: SimulatorHarness, **changes: str | None) -> httpx.Response:
    query = {
        "response_type": "code",
        "client_id": zoom.app.client_id,
        "redirect_uri": REDIRECT,
        "state": "st&te",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | changes
    return await zoom.http.get("/oauth/authorize", params={k: v for k, v in query.items() if v is not None})


async def decide(
    zoom: SimulatorHarness, page: httpx.Response, decision: str, user: User | None = None
) -> httpx.Response:
    action = re.search(r'action="([^"]+)"', page.text)
    assert action is not None
    form = {"decision": decision, "user": (user or zoom.alice).id}
    return await zoom.http.post(action[1], data=form)


async def code_by_page(zoom: SimulatorHarness, **changes: str | None) -> str:
    answer = await decide(zoom, await open_page(zoom, **changes), "accept")
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


async def redeem(zoom: SimulatorHarness, code: str, **form: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT, "code_verifier": VERIFIER} | form
    return await zoom.token({"code": code} | {key: value for key, value in form.items() if value})


async def test_consent_page_names_app_scopes_and_users(zoom: SimulatorHarness) -> None:
    page = await open_page(zoom)
    assert page.status_code == 200
    for text in (zoom.app.name, "meeting:read:local_recording_token", zoom.alice.email, "Allow", "Decline"):
        assert text in page.text


async def test_accepting_leads_back_with_code_and_state(zoom: SimulatorHarness) -> None:
    answer = await decide(zoom, await open_page(zoom), "accept")
    target = urlsplit(answer.headers["location"])
    assert answer.status_code == 302
    assert f"{target.scheme}://{target.netloc}{target.path}" == REDIRECT
    assert parse_qs(target.query)["state"] == ["st&te"]
    assert (await redeem(zoom, parse_qs(target.query)["code"][0])).status_code == 200


async def test_refusing_leads_back_without_a_code(zoom: SimulatorHarness) -> None:
    answer = await decide(zoom, await open_page(zoom), "refuse")
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query == {"error": ["access_denied"], "state": ["st&te"]}


async def test_a_page_can_be_answered_once(zoom: SimulatorHarness) -> None:
    page = await open_page(zoom)
    await decide(zoom, page, "accept")
    assert (await decide(zoom, page, "accept")).status_code == 400


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": "nobody"}, "4,700"),
        ({"response_type": "token"}, "4,706"),
        ({"redirect_uri": REDIRECT + "/"}, "4,709"),
        ({"redirect_uri": None}, "4,709"),
        ({"code_challenge_method": "plain"}, "4,706"),
    ],
)
async def test_bad_requests_get_a_page_and_no_redirect(
    zoom: SimulatorHarness, changes: dict[str, str | None], code: str
) -> None:
    page = await open_page(zoom, **changes)
    assert page.status_code == 400
    assert code in page.text
    assert "location" not in page.headers


async def test_disabled_and_unpublished_apps_cannot_be_installed(zoom: SimulatorHarness) -> None:
    zoom.sim.actions.update_app(zoom.app.client_id, {"disabled": True})
    assert "4,717" in (await open_page(zoom)).text
    zoom.sim.actions.update_app(zoom.app.client_id, {"disabled": False, "published": False})
    assert (await decide(zoom, await open_page(zoom), "accept", zoom.mallory)).status_code == 400
    assert (await decide(zoom, await open_page(zoom), "accept", zoom.bob)).status_code == 302
    zoom.sim.actions.update_app(zoom.app.client_id, {"disabled_by_accounts": (zoom.account.id,)})
    assert "4,738" in (await decide(zoom, await open_page(zoom), "accept")).text


async def test_answer_of_the_token_endpoint(zoom: SimulatorHarness) -> None:
    content = (await redeem(zoom, await code_by_page(zoom))).json()
    assert content["token_type"] == "bearer"
    assert content["expires_in"] == 3599
    assert content["api_url"] == "https://api.zoom.us"
    assert set(content["scope"].split()) == set(zoom.app.asked_scopes)
    payload = content["access_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (claims["userId"], claims["accountId"]) == (zoom.alice.id, zoom.account.id)
    assert (claims["clientId"], claims["exp"]) == (zoom.app.client_id, START + 3599)


async def test_a_code_works_once_and_zoom_quotes_it_when_it_fails(zoom: SimulatorHarness) -> None:
    code = await code_by_page(zoom)
    await redeem(zoom, code)
    answer = await redeem(zoom, code)
    assert error_of(answer) == (400, "invalid_request")
    assert code in answer.json()["reason"]


async def test_a_code_dies_after_five_minutes(zoom: SimulatorHarness) -> None:
    early, late = await code_by_page(zoom), await code_by_page(zoom)
    zoom.sim.clock.advance(299)
    assert (await redeem(zoom, early)).status_code == 200
    zoom.sim.clock.advance(1)
    answer = await redeem(zoom, late)
    assert (error_of(answer), "4733" in answer.json()["reason"]) == ((400, "invalid_grant"), True)


async def test_redirect_uri_must_be_the_same_at_redemption(zoom: SimulatorHarness) -> None:
    answer = await redeem(zoom, await code_by_page(zoom), redirect_uri=REDIRECT + "/")
    assert (error_of(answer), "4709" in answer.json()["reason"]) == ((400, "invalid_request"), True)


@pytest.mark.parametrize("verifier", ["", "another-verifier-that-is-also-long-enough-for-43-characters"])
async def test_the_verifier_must_fit_the_challenge(zoom: SimulatorHarness, verifier: str) -> None:
    assert error_of(await redeem(zoom, await code_by_page(zoom), code_verifier=verifier)) == (400, "invalid_grant")


async def test_without_a_challenge_no_verifier_is_taken(zoom: SimulatorHarness) -> None:
    plain: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}
    assert (await redeem(zoom, await code_by_page(zoom, **plain))).status_code == 400
    assert (await redeem(zoom, await code_by_page(zoom, **plain), code_verifier="")).status_code == 200


async def test_a_code_belongs_to_its_app(zoom: SimulatorHarness) -> None:
    other = zoom.sim.actions.add_app(App(owner_account_id=zoom.account.id, redirect_uris=(REDIRECT,)))
    form = {"grant_type": "authorization_code", "code": await code_by_page(zoom), "redirect_uri": REDIRECT}
    assert error_of(await zoom.token(form | {"code_verifier": VERIFIER}, app=other)) == (400, "invalid_request")


async def test_the_old_refresh_token_is_dead_at_once_and_the_access_token_lives_on(zoom: SimulatorHarness) -> None:
    first = zoom.consent()
    second = (await zoom.refresh(first.refresh_token)).json()
    assert second["refresh_token"] != first.refresh_token
    answer = await zoom.refresh(first.refresh_token)
    assert answer.status_code == 400
    assert answer.json() == {"reason": "Invalid Token!", "error": "invalid_grant"}
    assert (await zoom.get("/users/me", first.access_token)).status_code == 200
    assert (await zoom.refresh(second["refresh_token"])).status_code == 200
    assert zoom.sim.recorder.refresh_uses[first.refresh_token] == 2


async def test_a_refresh_token_lives_90_days(zoom: SimulatorHarness) -> None:
    first = zoom.consent()
    zoom.sim.clock.advance(90 * 86400 - 1)
    second = (await zoom.refresh(first.refresh_token)).json()
    zoom.sim.clock.advance(90 * 86400)
    assert "4737" in (await zoom.refresh(second["refresh_token"])).json()["reason"]


async def test_a_second_consent_revokes_the_earlier_tokens(zoom: SimulatorHarness) -> None:
    first, of_bob = zoom.consent(), zoom.consent(zoom.bob)
    second = zoom.consent()
    answer = await zoom.refresh(first.refresh_token)
    assert (error_of(answer), "4741" in answer.json()["reason"]) == ((400, "invalid_grant"), True)
    assert error_of(await zoom.get("/users/me", first.access_token)) == (401, 124)
    assert (await zoom.get("/users/me", second.access_token)).status_code == 200
    assert (await zoom.get("/users/me", of_bob.access_token)).status_code == 200


async def test_the_code_alone_revokes_nothing(zoom: SimulatorHarness) -> None:
    first = zoom.consent()
    await code_by_page(zoom)
    assert (await zoom.refresh(first.refresh_token)).status_code == 200


async def test_the_life_of_access_tokens_can_be_set(zoom: SimulatorHarness) -> None:
    zoom.sim.actions.update_app(zoom.app.client_id, {"access_token_seconds": 30})
    token = (await zoom.refresh(zoom.consent().refresh_token)).json()
    assert token["expires_in"] == 30
    zoom.sim.clock.advance(29)
    assert (await zoom.get("/users/me", token["access_token"])).status_code == 200
    zoom.sim.clock.advance(1)
    answer = await zoom.get("/users/me", token["access_token"])
    assert answer.status_code == 401
    assert answer.json() == {"code": 124, "message": "Access token is expired."}


async def test_server_to_server(zoom: SimulatorHarness) -> None:
    app = zoom.sim.actions.add_app(App(owner_account_id=zoom.account.id, server_to_server=True))
    form = {"grant_type": "account_credentials", "account_id": zoom.account.id}
    first, second = (await zoom.token(form, app=app)).json(), (await zoom.token(form, app=app)).json()
    assert "refresh_token" not in first
    for token in (first, second):
        assert (await zoom.get(f"/users/{zoom.bob.id}", token["access_token"])).status_code == 200
    wrong = form | {"account_id": zoom.other_account.id}
    assert error_of(await zoom.token(wrong, app=app)) == (400, "invalid_request")
    assert error_of(await zoom.token(form)) == (400, "unsupported_grant_type")


async def test_client_credentials_show_that_id_and_secret_are_right_and_no_more(zoom: SimulatorHarness) -> None:
    content = (await zoom.token({"grant_type": "client_credentials"})).json()
    assert error_of(await zoom.get("/users/me", content["access_token"])) == (401, 124)


async def test_the_client_must_prove_itself(zoom: SimulatorHarness) -> None:
    form = {"grant_type": "client_credentials"}
    assert error_of(await zoom.token(form, secret=zoom.app.client_secret + "\n")) == (400, "invalid_client")
    assert error_of(await zoom.http.post("/oauth/token", data=form)) == (401, "invalid_client")
    bad = {"Authorization": "Basic !!!"}
    assert error_of(await zoom.http.post("/oauth/token", data=form, headers=bad)) == (401, "invalid_client")
    in_body = form | {"client_id": zoom.app.client_id, "client_secret": zoom.app.client_secret}
    assert error_of(await zoom.http.post("/oauth/token", data=in_body)) == (401, "invalid_client")


async def test_the_body_must_be_form_encoded(zoom: SimulatorHarness) -> None:
    form = {"grant_type": "client_credentials"}
    as_json = await zoom.http.post("/oauth/token", json=form, headers=basic(zoom.app))
    files = {"grant_type": (None, "client_credentials")}
    as_parts = await zoom.http.post("/oauth/token", files=files, headers=basic(zoom.app))
    in_query = await zoom.http.post("/oauth/token", params=form, headers=basic(zoom.app))
    assert error_of(as_json) == error_of(as_parts) == (400, "invalid_request")
    assert in_query.status_code == 400


async def test_missing_parameters_and_unknown_grants(zoom: SimulatorHarness) -> None:
    assert "4706" in (await zoom.token({"grant_type": "refresh_token"})).json()["reason"]
    assert error_of(await zoom.token({"grant_type": "password"})) == (400, "unsupported_grant_type")


async def test_access_tokens_of_disabled_apps_are_dead(zoom: SimulatorHarness) -> None:
    token = zoom.consent().access_token
    for change in ({"disabled": True}, {"disabled": False, "disabled_by_accounts": (zoom.account.id,)}):
        zoom.sim.actions.update_app(zoom.app.client_id, change)
        assert error_of(await zoom.get("/users/me", token)) == (401, 124)


async def test_disabled_apps(zoom: SimulatorHarness) -> None:
    first = zoom.consent()
    zoom.sim.actions.update_app(zoom.app.client_id, {"disabled_by_accounts": (zoom.account.id,)})
    assert "4738" in (await zoom.refresh(first.refresh_token)).json()["reason"]
    zoom.sim.actions.update_app(zoom.app.client_id, {"disabled": True})
    assert "4717" in (await zoom.refresh(first.refresh_token)).json()["reason"]
    zoom.sim.actions.update_app(zoom.app.client_id, {"disabled": False, "disabled_by_accounts": ()})
    assert (await zoom.refresh(first.refresh_token)).status_code == 200


async def test_tokens_of_someone_who_is_gone(zoom: SimulatorHarness) -> None:
    first = zoom.consent(zoom.bob)
    zoom.sim.actions.remove_user(zoom.bob.id, emit=False)
    assert "4735" in (await zoom.refresh(first.refresh_token)).json()["reason"]
    assert error_of(await zoom.get("/users/me", first.access_token)) == (401, 124)


async def test_revoke(zoom: SimulatorHarness) -> None:
    first = zoom.consent()
    form = {"token": first.access_token}
    other = zoom.sim.actions.add_app(App(owner_account_id=zoom.account.id))
    assert (await zoom.http.post("/oauth/revoke", data=form, headers=basic(other))).status_code == 400
    answer = await zoom.http.post("/oauth/revoke", data=form, headers=basic(zoom.app))
    assert answer.json() == {"status": "success"}
    assert error_of(await zoom.get("/users/me", first.access_token)) == (401, 124)
    assert error_of(await zoom.refresh(first.refresh_token)) == (400, "invalid_grant")


async def test_a_refresh_token_belongs_to_its_app(zoom: SimulatorHarness) -> None:
    other = zoom.sim.actions.add_app(App(owner_account_id=zoom.account.id))
    first = zoom.consent()
    assert error_of(await zoom.refresh(first.refresh_token, other)) == (400, "invalid_grant")
    assert (await zoom.refresh(first.refresh_token)).status_code == 200


async def test_skew_shows_in_the_token_and_the_date_but_not_in_its_life(zoom: SimulatorHarness) -> None:
    zoom.sim.clock.set_skew(600)
    answer = await zoom.refresh(zoom.consent().refresh_token)
    payload = answer.json()["access_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["exp"] == START + 600 + 3599
    assert answer.headers["date"] == "Fri, 15 Jan 2027 08:10:00 GMT"
    zoom.sim.clock.advance(3599)
    assert error_of(await zoom.get("/users/me", answer.json()["access_token"])) == (401, 124)
