"""Zoom's events while everything around the receiver breaks: what was sent, tried again, written and wrong.

Two receivers behind one address. The simulator sends by Zoom's rules, only that its clock runs faster while all is
whole, so that its tries after 5, 25 and 85 minutes come within seconds, and what is broken for seconds is not broken
for an hour by that clock. The times that it writes on its events stay real ones.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from tests.cluster.api import Object, core_path
from tests.cluster.controlplane import ControlPlane
from tests.stack.balancer import balancing
from tests.stack.processes import Program
from tests.stack.stack import Stack
from tests.stack.tenant import GROUP, Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.scenario import MeetingWanted
from tests.zoomsim.world import Account, Meeting, User

ACCOUNTS = 4
USERS_PER_ACCOUNT = 5
ACTS_PER_MEETING = 6
APART_SECONDS = 2.1
"""Between two events of a meeting: Zoom's times are whole seconds, and no meeting runs twice in one."""
TIME_STEP = 60.0
STEP_SECONDS = 0.25
EVENTS_FOR_A_BREAK = 1000
FEWEST_BREAKS = 5
"""One of each kind."""
WHOLE_SECONDS = 3.0
"""After a break, before the next one."""
LAST_TRIES_SECONDS = 120.0
LABELLED = ("Live", "Ended")
"""Phases in which the label is there (the operator, which takes it off, is stopped)."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The counts. `sent` are events, `tries` all requests with them, `wrong` sentences about wrong mappings."""

    sent: int
    tries: int
    delivered: int
    dropped: int
    breaks: int
    mappings: int
    wrong: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        return (
            f"sent {self.sent}, retried {self.tries - self.sent}, written {self.delivered}, dropped {self.dropped}, "
            f"breaks {self.breaks}, mappings {self.mappings}, wrong {len(self.wrong)}, in {self.seconds:.0f} s"
        )


def stress(cluster: ControlPlane, zoom: SimClient, *, events: int, folder: Path, seed: int = 1) -> Outcome:
    """Send about so many events and break things meanwhile. The control plane is restarted: it must be one's own."""
    namespace = f"stress-{uuid4().hex[:8]}"
    cluster.api.create(core_path("namespaces"), {"metadata": {"name": namespace}})
    with ExitStack() as stack:
        running = stack.enter_context(
            Stack(cluster, zoom_url=zoom.base_url, system="meetingbots-system", folder=folder)
        )
        running.second_receiver.start()
        port = stack.enter_context(balancing([running.receiver_port, running.second_receiver_port]))
        crowd = _Crowd(Tenant(cluster, zoom, namespace), webhook_port=port)
        # What happens to the mappings from here on is the receivers' doing alone.
        running.operator.stop()
        breaker = _Breaker(cluster, [running.receiver, running.second_receiver])
        began = time.monotonic()
        stack.enter_context(_faster(zoom, unless=lambda: breaker.at_work))
        script = _Script(zoom, crowd, random.Random(seed))
        breaks = max(FEWEST_BREAKS, events // EVENTS_FOR_A_BREAK)
        while script.acts < events:
            script.step()
            if script.acts >= (breaker.begun + 1) * events / (breaks + 1) and breaker.begun < breaks:
                breaker.next()
        breaker.finish()
        zoom.settled(seconds=LAST_TRIES_SECONDS)
        return _outcome(zoom, crowd, script, breaks=breaker.begun, seconds=time.monotonic() - began)


class _Crowd:
    """One app, users of several accounts in one namespace, all of them Ready."""

    def __init__(self, tenant: Tenant, *, webhook_port: int) -> None:
        self.tenant, zoom = tenant, tenant.zoom
        client_id = tenant.app.client_id
        zoom.change_app(
            client_id,
            webhook_url=f"http://127.0.0.1:{webhook_port}/webhooks/{client_id}",
            access_token_seconds=30 * 86400,
        )
        tenant.app_secret()
        self.users: dict[str, list[User]] = {}
        self.names: dict[str, str] = {}
        for account in (zoom.add_account(Account()) for _ in range(ACCOUNTS)):
            self.users[account.id] = [self._user(account) for _ in range(USERS_PER_ACCOUNT)]
        for name in self.names.values():
            tenant.wait_ready("zoomcredentials", name, seconds=60)

    def _user(self, account: Account) -> User:
        tenant = self.tenant
        name = f"user-{len(self.names)}"
        email = f"{name}-{uuid4().hex[:6]}@stress.example"
        user = tenant.zoom.add_user(User(account_id=account.id, email=email))
        tenant.secret(
            name, refresh_token=tenant.zoom.consent(client_id=tenant.app.client_id, user=user.id).refresh_token
        )
        tenant.credential(name, meetingSync={"enabled": False})
        self.names[user.id] = name
        return user


@dataclass
class _Life:
    """A meeting, how much it still goes through, when its last event went out, and whether it has ever run."""

    meeting: Meeting
    account: str
    left: int
    last_event: float
    has_run: bool = False


@dataclass
class _Script:
    """Lives of meetings, in turns: each step is one event, of a new meeting if it is too early for the others."""

    zoom: SimClient
    crowd: _Crowd
    chance: random.Random
    acts: int = 0
    lives: deque[_Life] = field(default_factory=deque)
    all_lives: list[_Life] = field(default_factory=list)

    def step(self) -> None:
        """Let one thing happen at Zoom."""
        self.acts += 1
        if not self.lives or time.monotonic() - self.lives[0].last_event < APART_SECONDS:
            self._begin()
            return
        life = self.lives.popleft()
        self._go_on(life)
        life.left, life.last_event = life.left - 1, time.monotonic()
        if life.left > 0:
            self.lives.append(life)

    def _begin(self) -> None:
        account = self.chance.choice(list(self.crowd.users))
        host, other = self.chance.sample(self.crowd.users[account], 2)
        deputies = (other.email,) if self.chance.random() < 0.3 else ()
        wanted = MeetingWanted(host_id=host.id, start_in=3600.0, alternative_hosts=deputies)
        life = _Life(self.zoom.add_meeting(wanted), account, left=ACTS_PER_MEETING - 1, last_event=time.monotonic())
        self.lives.append(life)
        self.all_lives.append(life)

    def _go_on(self, life: _Life) -> None:
        meeting = life.meeting
        choices: list[Callable[[], Meeting]] = []
        act = self.zoom.act
        if meeting.deleted:
            choices.append(lambda: act(meeting.id, "recover"))
        elif meeting.started:
            choices.append(lambda: act(meeting.id, "end"))
            choices.append(lambda: act(meeting.id, "joined", name="Guest"))
        else:
            choices.append(lambda: act(meeting.id, "start"))
            choices.append(lambda: act(meeting.id, "delete"))
            choices.append(lambda: self.zoom.change_meeting(meeting.id, host_id=self._other_host(life)))
        life.meeting = self.chance.choice(choices)()
        life.has_run = life.has_run or life.meeting.started

    def _other_host(self, life: _Life) -> str:
        deputies = set(life.meeting.alternative_hosts)
        others = [
            user.id
            for user in self.crowd.users[life.account]
            if user.id != life.meeting.host_id and user.email not in deputies
        ]
        return self.chance.choice(others)


class _Breaker:
    """Breaks one thing after another, each in the background, so that the events go on meanwhile."""

    def __init__(self, cluster: ControlPlane, receivers: list[Program]) -> None:
        first, second = receivers
        self._cluster = cluster
        self._receivers = receivers
        self._acts: list[Callable[[], None]] = [
            lambda: self._kill(first),
            lambda: cluster.restart_apiserver(crash=True, down_seconds=1),
            lambda: self._kill(second),
            lambda: cluster.restart_apiserver(down_seconds=0.5),
            lambda: self._kill(first, second),
        ]
        self.begun = 0
        self._thread: threading.Thread | None = None
        self._failed: list[BaseException] = []

    def next(self) -> None:
        """Begin the next break, once the last one is over and has been for a moment."""
        if self._thread is not None:
            self._thread.join()
            time.sleep(WHOLE_SECONDS)
        act = self._acts[self.begun % len(self._acts)]
        self.begun += 1
        self._thread = threading.Thread(target=self._run, args=(act,), name="breaker", daemon=True)
        self._thread.start()

    @property
    def at_work(self) -> bool:
        """Whether something is broken."""
        return self._thread is not None and self._thread.is_alive()

    def finish(self) -> None:
        """Wait until all is whole again; raises what went wrong with the breaking itself."""
        if self._thread is not None:
            self._thread.join()
        for receiver in self._receivers:
            receiver.wait_ready()
        if self._failed:
            raise self._failed[0]

    def _run(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:
            self._failed.append(error)

    def _kill(self, *receivers: Program) -> None:
        for receiver in receivers:
            receiver.kill()
        time.sleep(0.5)
        for receiver in receivers:
            receiver.start(wait=False)
        for receiver in receivers:
            receiver.wait_ready()


@contextmanager
def _faster(zoom: SimClient, *, unless: Callable[[], bool]) -> Iterator[None]:
    """Let Zoom's waiting go faster, and not the time that it shows."""
    stop = threading.Event()
    skew = zoom.clock().skew

    def run() -> None:
        with SimClient(zoom.base_url) as own:
            moved = 0.0
            while not stop.wait(STEP_SECONDS):
                if unless():
                    continue
                moved += TIME_STEP
                own.clock(advance=TIME_STEP, skew=skew - moved)  # both in one: nobody sees a time in between

    thread = threading.Thread(target=run, name="faster", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)


def _outcome(zoom: SimClient, crowd: _Crowd, script: _Script, *, breaks: int, seconds: float) -> Outcome:
    ours = [one for one in zoom.deliveries() if one.client_id == crowd.tenant.app.client_id]
    found = {item["metadata"]["name"]: item for item in _mappings(crowd)}
    return Outcome(
        sent=len(ours),
        tries=sum(len(one.attempts) for one in ours),
        delivered=sum(one.state == "delivered" for one in ours),
        dropped=sum(one.state != "delivered" for one in ours),
        breaks=breaks,
        mappings=len(found),
        wrong=tuple(_wrong(crowd, script, found)),
        seconds=seconds,
    )


def _mappings(crowd: _Crowd) -> list[Object]:
    items: list[Object] = []
    path, position = f"{GROUP}/namespaces/{crowd.tenant.namespace}/meetingmappings", ""
    while True:
        query = {"limit": "500"} | ({"continue": position} if position else {})
        page = crowd.tenant.cluster.api.request("GET", path, query=query)
        items += page["items"]
        position = page["metadata"].get("continue", "")
        if not position:
            return items


def _wrong(crowd: _Crowd, script: _Script, found: dict[str, Object]) -> Iterator[str]:
    lives = {str(life.meeting.id): life for life in script.all_lives}
    yield from (f"{name} is mapped, and no user has this meeting" for name in found.keys() - lives.keys())
    yield from (f"{name} is not mapped" for name in lives.keys() - found.keys())
    for name in lives.keys() & found.keys():
        wanted, got = _expected(crowd, lives[name]), _seen(found[name])
        if wanted != got:
            yield f"{name} is {got}, and should be {wanted}"


def _expected(crowd: _Crowd, life: _Life) -> Object:
    meeting = life.meeting
    by_email = {user.email: user.id for users in crowd.users.values() for user in users}
    people = [(crowd.names[meeting.host_id], "Host")]
    people += [(crowd.names[by_email[email]], "AlternativeHost") for email in meeting.alternative_hosts]
    phase = "Scheduled"
    if meeting.deleted:
        phase = "Deleted"
    elif meeting.started:
        phase = "Live"
    elif life.has_run:
        phase = "Ended"
    return {
        "people": sorted(set(people)),
        "phase": phase,
        "uuid": meeting.uuid if life.has_run else None,
        "live label": phase in LABELLED,
    }


def _seen(item: Object) -> Object:
    status, labels = item.get("status", {}), item["metadata"].get("labels", {})
    return {
        "people": sorted((entry["name"], entry["role"]) for entry in status.get("credentials", ())),
        "phase": status.get("phase"),
        "uuid": status.get("uuid"),
        "live label": status.get("phase") in LABELLED and labels.get("meetingbots.dev/live") == "true",
    }
