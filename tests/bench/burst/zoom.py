"""The simulated Zoom of the bench: a process of its own, with accounts, consents and meetings for all bots."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.burst.size import LATENCY_SECONDS
from tests.cluster.service import Service
from tests.cluster.warden import Warden
from tests.stack.processes import free_port
from tests.zoomsim.client import SimClient
from tests.zoomsim.scenario import Consented, ConsentWanted, MeetingWanted, Scenario
from tests.zoomsim.world import Account, App, User


@contextmanager
def zoom_process(folder: Path, warden: Warden) -> Iterator[SimClient]:
    """Run the simulator with its latency; its calls cost the bench's process nothing."""
    port, seed = free_port(), folder / "zoom.json"
    seed.write_text(json.dumps({"settings": {"latency_seconds": LATENCY_SECONDS}}))
    command = [sys.executable, "-m", "tests.zoomsim", "--port", str(port), "--seed", str(seed)]
    service = Service(command, log=folder / "zoom.log", warden=warden)
    service.start()
    try:
        with SimClient(f"http://127.0.0.1:{port}") as client:
            service.wait_ready(lambda: "http://" in service.log.read_text())
            yield client
    finally:
        service.terminate()
        service.wait_stopped()


@dataclass(frozen=True)
class Customer:
    """One consent with the meetings of its user; the limit of the Zoom account `account` applies."""

    credential: str
    account: str
    consent: Consented
    meetings: tuple[str, ...]


@dataclass(frozen=True)
class Customers:
    """All of them, with the app that they consented to."""

    app: App
    each: tuple[Customer, ...]

    @property
    def meetings(self) -> list[tuple[str, Customer]]:
        """Every meeting with its customer."""
        return [(meeting, customer) for customer in self.each for meeting in customer.meetings]


def make_customers(sim: SimClient, *, mark: str, credentials: int, bots: int) -> Customers:
    """Accounts with the Business plan, each with one user who consented, and `bots` meetings spread over them."""
    accounts = tuple(Account() for _ in range(credentials))
    users = tuple(
        User(account_id=account.id, email=f"{mark}-{number}@bench.example") for number, account in enumerate(accounts)
    )
    app = App(owner_account_id=accounts[0].id, client_id=f"bench-{mark}")
    meetings = tuple(MeetingWanted(host_id=users[number % credentials].id, start_in=600.0) for number in range(bots))
    consents = tuple(ConsentWanted(client_id=app.client_id, user=user.id) for user in users)
    given = sim.load(Scenario(accounts=accounts, users=users, apps=(app,), consents=consents, meetings=meetings))
    return Customers(
        app,
        tuple(
            Customer(
                credential=f"customer-{number}",
                account=account.id,
                consent=given[number],
                meetings=tuple(str(meeting.id) for meeting in meetings[number::credentials]),
            )
            for number, account in enumerate(accounts)
        ),
    )
