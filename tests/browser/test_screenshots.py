"""Screenshots for the docs. They go to a temporary folder, or to the one that MEETINGBOTS_SCREENSHOTS names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.visit import Visitor
from tests.cluster.api import core_path
from tests.cluster.controlplane import ControlPlane
from tests.stack.connecting import invite, prepare
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.world import User

LOOKS = [(phone, dark) for phone in (False, True) for dark in (False, True)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where they go."""
    return Path(os.environ.get("MEETINGBOTS_SCREENSHOTS") or tmp_path)


@pytest.fixture
def acme(cluster: ControlPlane, zoom: SimClient, stack: Stack) -> Iterator[Tenant]:
    """A customer with names that are good to look at."""
    cluster.api.create(core_path("namespaces"), {"metadata": {"name": "acme"}})
    tenant = Tenant(cluster, zoom, "acme")
    prepare(tenant, public_url="http://bots.example.com")
    tenant.user = zoom.change_user(tenant.user.id, emit=False, email="alice@acme.example")
    yield tenant
    cluster.api.delete(core_path("namespaces", name="acme"))


def test_screenshots(browser: Browser, acme: Tenant, zoom: SimClient, folder: Path) -> None:
    stranger = zoom.add_user(User(account_id=acme.account.id, email="mallory@other.example"))
    made = []

    def shoot(visitor: Visitor, page: str, look: str) -> None:
        path = folder / f"connect-{page}-{look}.png"
        visitor.page.screenshot(path=path, full_page=True)
        made.append(path)

    for number, (phone, dark) in enumerate(LOOKS):
        look = f"{'phone' if phone else 'desktop'}-{'dark' if dark else 'light'}"
        url = invite(acme, f"alice-{number}", expectedEmail=acme.user.email, returnURL="https://app.example.com/")
        with Visitor(browser, phone=phone, dark=dark) as visitor:
            visitor.open(url)
            shoot(visitor, "invitation", look)  # in each look; the others in two of them
            visitor.go_on()
            visitor.answer(stranger.id)
            visitor.sees("That is another Zoom account than the expected one")
            if phone is dark:
                shoot(visitor, "other-user", look)
            visitor.go_on()
            visitor.go_on()
            visitor.answer(acme.user.id)
            visitor.sees("Your Zoom account is connected")
            if phone is not dark:
                shoot(visitor, "connected", look)
    assert len(made) == len(set(made)) == 8
    assert all(path.stat().st_size < 150_000 for path in made)
