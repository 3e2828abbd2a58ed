"""The end user's way in Chromium: by mouse, by keyboard, without scripts, on a phone, and with every wrong turn."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.visit import Visitor
from tests.stack.connecting import invite
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.world import User

CONNECTED = "Your Zoom account is connected"
WIDER_THAN_THE_WINDOW = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
POOR_CONTRASTS = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (element) => {
    for (let place = element; place; place = place.parentElement) {
      const colour = numbers(getComputedStyle(place).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.body.querySelectorAll("*")) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!text) continue;
    const pair = [light(numbers(getComputedStyle(element).color)), light(behind(element))];
    const [bright, dim] = pair.sort((a, b) => b - a);
    const ratio = (bright + 0.05) / (dim + 0.05);
    if (ratio < 4.5) poor.push(`${element.tagName} ${ratio.toFixed(2)}: ${element.textContent.slice(0, 40)}`);
  }
  return poor;
}"""


def test_connecting(visitor: Visitor, customer: Tenant, zoom: SimClient) -> None:
    url = invite(customer, returnURL="https://app.example.com/settings")
    visitor.open(url)
    visitor.sees("Connect your Zoom account")
    visitor.go_on()
    assert visitor.page.url.startswith(zoom.base_url)
    visitor.answer(customer.user.id)
    visitor.sees(CONNECTED)
    expect(visitor.page.get_by_text(customer.user.email)).to_be_visible()
    back = visitor.page.get_by_role("link", name="Back to app.example.com")
    assert back.get_attribute("href") == "https://app.example.com/settings"
    customer.wait_ready("zoomcredentials", "alice")
    assert visitor.complaints == [], "nothing is against the Content-Security-Policy"
    hosts = {urlsplit(request.url).hostname for request in visitor.requests} - {None}
    assert hosts == {"bots.example.com", "127.0.0.1"}, "nobody else is asked for anything"
    authorize = next(request for request in visitor.requests if "/oauth/authorize?" in request.url)
    assert "referer" not in authorize.headers
    assert "code=" not in visitor.page.url
    visitor.open(url)
    visitor.sees("This link has already been used")


def test_the_page_waits_and_then_tells(visitor: Visitor, customer: Tenant, zoom: SimClient) -> None:
    visitor.open(invite(customer))
    visitor.go_on()
    zoom.fault("oauth.token", "html", status=503, count=1, client_id=customer.app.client_id)
    visitor.answer(customer.user.id)
    visitor.sees("Zoom does not answer just now")
    expect(visitor.page.get_by_role("status")).to_be_visible()
    visitor.sees(CONNECTED)
    assert visitor.complaints == []


def test_without_scripts(browser: Browser, customer: Tenant, zoom: SimClient) -> None:
    with Visitor(browser, script=False) as visitor:
        visitor.open(invite(customer))
        visitor.go_on()
        zoom.fault("oauth.token", "html", status=503, count=1, client_id=customer.app.client_id)
        visitor.answer(customer.user.id)
        visitor.sees(CONNECTED)


def test_with_the_keyboard_alone(visitor: Visitor, customer: Tenant) -> None:
    visitor.open(invite(customer))
    visitor.page.keyboard.press("Tab")
    expect(visitor.page.get_by_role("link", name="Continue to Zoom")).to_be_focused()
    outline = visitor.measure("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "one sees where one is"
    visitor.page.keyboard.press("Enter")
    visitor.page.get_by_label("Signed in as").select_option(customer.user.id)
    visitor.page.get_by_role("button", name="Allow").focus()
    visitor.page.keyboard.press("Enter")
    visitor.sees(CONNECTED)


def test_declining_and_thinking_it_over(visitor: Visitor, customer: Tenant) -> None:
    visitor.open(invite(customer))
    visitor.go_on()
    visitor.answer(customer.user.id, accept=False)
    visitor.sees("You have not given access")
    visitor.go_on()
    visitor.go_on()
    visitor.answer(customer.user.id)
    visitor.sees(CONNECTED)


def test_another_user_than_expected(visitor: Visitor, customer: Tenant, zoom: SimClient) -> None:
    stranger = zoom.add_user(User(account_id=customer.account.id, email=f"stranger@{customer.namespace}.example"))
    visitor.open(invite(customer, expectedEmail=customer.user.email))
    expect(visitor.page.get_by_text(f"Please sign in to Zoom as {customer.user.email}.")).to_be_visible()
    visitor.go_on()
    visitor.answer(stranger.id)
    visitor.sees("That is another Zoom account than the expected one")
    zoom.remove_user(stranger.id, emit=False)


def test_going_back_and_forth_uses_nothing_twice(visitor: Visitor, customer: Tenant) -> None:
    visitor.open(invite(customer))
    visitor.go_on()
    visitor.answer(customer.user.id)
    visitor.sees(CONNECTED)
    callback = next(request.url for request in visitor.requests if "/oauth/callback?" in request.url)
    visitor.open(callback)
    visitor.sees("This answer from Zoom has already been used")
    visitor.page.get_by_role("link", name="See what became of it").click()
    visitor.sees(CONNECTED)


def test_an_answer_that_was_sent_to_someone_else(browser: Browser, visitor: Visitor, customer: Tenant) -> None:
    visitor.open(invite(customer))
    visitor.go_on()
    callback = visitor.answer_elsewhere(customer.user.id)
    with Visitor(browser) as other:
        other.open(callback)
        other.sees("Please start in this browser")
    assert "receivedConsents" not in customer.status("zoomcredentials", "alice"), "nothing was connected"
    visitor.open(callback)
    visitor.sees(CONNECTED)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_it_can_be_read_everywhere(browser: Browser, customer: Tenant, phone: bool, dark: bool) -> None:
    url = invite(customer, expectedEmail=f"{'a-rather-long-name' * 3}@example.com")
    with Visitor(browser, phone=phone, dark=dark) as visitor:
        for place in (url, url + "x", "http://bots.example.com/oauth/callback?state=x"):
            visitor.open(place)
            assert not visitor.measure(WIDER_THAN_THE_WINDOW), "nothing has to be scrolled sideways"
            assert visitor.measure(POOR_CONTRASTS) == []
            assert visitor.measure("document.documentElement.lang") == "en"
            expect(visitor.page.get_by_role("main")).to_be_visible()
            expect(visitor.page.get_by_role("banner")).to_be_visible()
        visitor.open(url)
        height = visitor.measure("document.querySelector('a.button').getBoundingClientRect().height")
        assert height >= 44, "a thumb can press it"
        ground = visitor.measure("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(17, 22, 28)") is dark


def test_another_site_cannot_show_it_in_a_frame(visitor: Visitor, customer: Tenant, zoom: SimClient) -> None:
    url = invite(customer)
    visitor.open(f"{zoom.base_url}/oauth/authorize")
    visitor.page.set_content(f'<iframe src="{url}"></iframe>')
    visitor.page.wait_for_timeout(500)
    frame = visitor.page.frames[-1]
    assert frame != visitor.page.main_frame
    assert frame.locator("a.button").count() == 0
    assert any("frame" in complaint.lower() for complaint in visitor.complaints)
