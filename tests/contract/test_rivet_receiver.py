"""The HTTP receiver of Zoom's SDK, unmodified, gets the simulator's webhooks, and its users install the app."""

import html
import re
from urllib.parse import urlsplit

import httpx

from tests.contract.events import SENT, send_everything, subscribe
from tests.contract.rivet import Rivet
from tests.contract.zoom import ContractZoom


async def test_it_accepts_every_webhook(zoom: ContractZoom, rivet: Rivet) -> None:
    async with rivet.receiver(app=zoom.server_app, events=sorted(SENT)) as receiver:
        zoom.sim.actions.update_app(zoom.server_app.client_id, {"webhook_url": receiver.url})
        secret = zoom.server_app.webhook_secret_token
        subscribe_user_app = {"webhook_url": receiver.url, "webhook_secret_token": secret}
        zoom.sim.actions.update_app(zoom.user_app.client_id, subscribe_user_app)
        send_everything(zoom)
        assert await zoom.sim.webhooks.settled(seconds=60)
        deliveries = zoom.sim.webhooks.deliveries
        assert [each.event for each in deliveries if each.state != "delivered"] == []
        assert {each.event for each in deliveries} == SENT
        accepted = {(await receiver.line())["event"]["event"] for _ in deliveries}
        assert accepted == SENT


async def test_it_answers_the_validation_of_its_url(zoom: ContractZoom, rivet: Rivet) -> None:
    async with rivet.receiver(app=zoom.server_app, events=["meeting.started"]) as receiver:
        subscribe(zoom, url=receiver.url)
        assert await zoom.sim.webhooks.validate(zoom.server_app.client_id)
        assert not await zoom.sim.webhooks.validate(zoom.user_app.client_id)  # another secret


async def test_a_user_installs_the_app(zoom: ContractZoom, rivet: Rivet) -> None:
    app = zoom.user_app
    async with rivet.receiver(app=app, events=["meeting.started"]) as receiver:
        site = f"http://127.0.0.1:{receiver.port}"
        callback = f"{site}/zoom/oauth/callback"
        zoom.sim.actions.update_app(app.client_id, {"redirect_uris": (callback,)})
        async with httpx.AsyncClient(trust_env=False) as browser:
            page = await browser.get(f"{site}/zoom/oauth/install")
            link = re.search(r'href="(https://zoom\.us/oauth/authorize[^"]*)"', page.text)
            assert link is not None
            address = urlsplit(html.unescape(link.group(1)))
            consent = await browser.get(f"{zoom.sim.base_url}{address.path}?{address.query}")
            action = re.search(r'action="([^"]+)"', consent.text)
            assert action is not None
            form = {"decision": "accept", "user": zoom.alice.id}
            decided = await browser.post(f"{zoom.sim.base_url}{action.group(1)}", data=form)
            cookie = page.headers["set-cookie"].partition(";")[0]
            done = await browser.get(decided.headers["location"], headers={"Cookie": cookie})
        assert done.status_code == 200, done.text
        token = (await receiver.line())["token"]
        assert zoom.sim.consents.check(token["accessToken"]).user_id == zoom.alice.id
