"""The simulated Zoom of these tests: an account with users, meetings and webinars, and the apps that call it."""

from dataclasses import dataclass
from pathlib import Path

from tests.proxy.forward_proxy import ForwardProxy
from tests.zoomsim.sim import ZoomSim
from tests.zoomsim.world import Account, App, Meeting, Occurrence, User

PASSCODE = "Pass.1"


@dataclass(frozen=True, kw_only=True)
class ContractZoom:
    """Records of the simulated Zoom. The proxy is the only way to its TLS side."""

    sim: ZoomSim
    proxy: ForwardProxy
    ca_file: Path
    alice: User
    bob: User
    meeting: Meeting
    series: Meeting
    webinar: Meeting
    server_app: App
    user_app: App


def populate(sim: ZoomSim, *, proxy: ForwardProxy, ca_file: Path) -> ContractZoom:
    """Create the records."""
    actions, now = sim.actions, sim.clock.now()
    account = actions.add_account(Account(host="example.zoom.us"))
    alice = actions.add_user(User(account_id=account.id, email="alice@example.com", name="Zoë 😀", vanity="alice"))
    bob = actions.add_user(User(account_id=account.id, email="bob@example.com"))
    dates = tuple(Occurrence(occurrence_id=str(n), start_time=now + n * 86400) for n in (1, 2))

    def meeting(**fields: object) -> Meeting:
        planned: dict[str, object] = {"host_id": alice.id, "start_time": now + 3600} | fields
        return actions.add_meeting(Meeting(**planned), emit=False)  # type: ignore[arg-type] # fields of Meeting

    return ContractZoom(
        sim=sim,
        proxy=proxy,
        ca_file=ca_file,
        alice=alice,
        bob=bob,
        meeting=meeting(passcode=PASSCODE, alternative_hosts=("bob@example.com",)),
        series=meeting(type=8, occurrences=dates),
        webinar=meeting(kind="webinar"),
        server_app=actions.add_app(App(owner_account_id=account.id, server_to_server=True)),
        user_app=actions.add_app(App(owner_account_id=account.id)),
    )
