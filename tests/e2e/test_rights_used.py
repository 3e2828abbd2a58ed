"""The rights in the chart against the API server's audit log: they suffice for everything, and none is unused."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from tests.cluster.api import core_path, wait_until
from tests.cluster.audit import ApiCall, read_calls
from tests.e2e.conftest import Measure, new_tenant
from tests.e2e.installation import Installation
from tests.stack import person
from tests.stack.connecting import invite, prepare
from tests.stack.release import Release
from tests.stack.rights import Process, read_rules
from tests.stack.simulator_pod import NAME as SIMULATOR
from tests.stack.simulator_pod import NAMESPACE as ZOOM
from tests.stack.tenant import GROUP, Tenant
from tests.zoomsim.client import SimClient

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PROCESSES: tuple[Process, ...] = ("operator", "receiver")
# Typed into a browser, as far as HTTP goes, in a Pod: only Pods find the Services by name.
CONSENT = """
import sys, time
with Person() as somebody:
    somebody.open(sys.argv[1][:-5] + "wrong")
    print(somebody.page.status_code)
    somebody.open(sys.argv[1])
    somebody.press()
    somebody.decide(sys.argv[2])
    until = time.monotonic() + 60
    while somebody.outcome != "connected" and time.monotonic() < until:
        time.sleep(0.3)
        somebody.reload()
    print(somebody.outcome)
"""
# Asked by the bot itself; the replica that stands by says 503, and the next try may meet the other one.
ASK_AGAIN = """
import os, time, urllib.error, urllib.request
token = open(os.environ["ZOOM_TOKEN_URL_TOKEN_FILE"]).read()
until = time.monotonic() + 60
while time.monotonic() < until:
    request = urllib.request.Request(os.environ["ZOOM_TOKEN_URL"], method="POST")
    request.add_header("Authorization", "Bearer " + token)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            print(answer.status, len(answer.read()) > 0)
            break
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        time.sleep(0.5)
"""


@dataclass(frozen=True, order=True)
class Right:
    """One verb of a rule. `place` is served, system or cluster; `name` is empty where any name is meant."""

    process: Process
    place: str
    resource: str
    name: str
    verb: str

    def covers(self, call: ApiCall, *, system: str) -> bool:
        """Whether a call makes use of it."""
        if (call.verb, call.resource) != (self.verb, self.resource):
            return False
        in_system = call.namespace == system
        if self.place == "system":
            return in_system and self.name in ("", call.name)
        return not in_system

    def __str__(self) -> str:
        where = {"served": "served namespaces", "system": "own namespace", "cluster": "cluster"}[self.place]
        return f"{self.process:8} {self.verb:6} {self.resource}{'/' if self.name else ''}{self.name} ({where})"


def granted(process: Process) -> Iterator[Right]:
    """All rights in the chart, verb by verb."""
    for place, rules in read_rules(process).items():
        for rule in rules:
            for resource in rule["resources"]:
                for name in rule.get("resourceNames", [""]):
                    yield from (Right(process, place, resource, name, verb) for verb in rule["verbs"])


@dataclass(frozen=True)
class Fresh:
    """A release with all that takes rights switched on, and since when."""

    release: Release
    since: datetime


@pytest.fixture
def fresh(installation: Installation) -> Iterator[Fresh]:
    """Installed anew, its Lease and its Secret yet to be made; as usual again afterwards."""
    release = installation.release
    if release.installed():
        installation.forget()
        release.uninstall()
    release.api.delete(core_path("secrets", namespace=release.system, name="meetingbots-receiver"))
    release.api.delete(f"/apis/coordination.k8s.io/v1/namespaces/{release.system}/leases/meetingbots-operator")
    since = datetime.now(UTC)
    yield Fresh(installation.ensure({"tokenEndpoint": {"enabled": True}}), since)
    installation.ensure()


def test_the_rights_suffice_and_none_is_unused(
    fresh: Fresh, zoom: SimClient, namespace: str, measured: Measure, tmp_path: Path
) -> None:
    release = fresh.release
    tenant = new_tenant(release, zoom, namespace)
    connect(tenant, release)
    send_and_clear_away(tenant, release, zoom)
    look_up_and_suspend(tenant)
    take_the_consents_back(tenant, zoom)
    take_the_credentials_away(tenant)
    # Of the other tests' namespaces only those that are going are left, where nothing may be created.
    places = ("", namespace, release.system)
    log = release.cluster.copy_audit_log(tmp_path / "audit.log")
    calls = [one for one in read_calls(log) if one.time > fresh.since and one.namespace in places]
    unused: list[str] = []
    for process in PROCESSES:
        user = f"system:serviceaccount:{release.system}:{release.name}-{process}"
        mine = [call for call in calls if call.user == user]
        refused = {(call.verb, call.resource, call.namespace, call.name) for call in mine if call.code == 403}
        assert not refused, f"the {process}'s rights do not suffice"
        for right in granted(process):
            count = sum(right.covers(call, system=release.system) for call in mine)
            measured(f"{right}: {count}")
            unused += [] if count else [str(right)]
    assert not unused


def connect(tenant: Tenant, release: Release) -> None:
    """A consent by refresh token, and one by the pages; each app is one more for the receiver's Secret."""
    tenant.ready_credential()
    prepare(tenant, public_url=release.receiver_url)
    link = invite(tenant, "bob")
    script = Path(person.__file__).read_text() + CONSENT
    said = release.cluster.kubectl(
        *("exec", SIMULATOR, "-n", ZOOM, "--", "python", "-c", script, link, tenant.user.id), limit_seconds=90
    )
    assert said.split() == ["403", "connected"]
    tenant.wait_ready("zoomcredentials", "bob")


def send_and_clear_away(tenant: Tenant, release: Release, zoom: SimClient) -> None:
    """A bot for a meeting that a webhook reported, which asks for another token, and is cleared away after its time."""
    meeting = tenant.meeting(emit=True)
    tenant.wait("the mapping", lambda: bool(tenant.get("meetingmappings", meeting.id)))
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    tenant.bot("notes", meeting.id, tokenEndpoint=True, joinAt=now, ttlSecondsAfterFinished=1)
    tenant.wait_phase("notes", "Running")
    pod = str(tenant.status("meetingbots", "notes")["podName"])
    said = release.cluster.kubectl(
        *("exec", pod, "-c", "bot", "-n", tenant.namespace, "--", "python3", "-c", ASK_AGAIN), limit_seconds=90
    )
    assert said.split() == ["200", "True"]
    zoom.act(meeting.id, "end")
    tenant.wait("the bot is cleared away", lambda: not tenant.get("meetingbots", "notes"))


def look_up_and_suspend(tenant: Tenant) -> None:
    """A bot for a meeting without any event, edited all the time; when it has to leave, its Pod is deleted."""
    meeting = tenant.meeting()
    tenant.bot("looked-up", meeting.id, credentialRef={"name": "alice"})
    path = f"{GROUP}/namespaces/{tenant.namespace}/meetingbots/looked-up"

    def edited_and_running() -> bool:
        edit = {"metadata": {"annotations": {"edited": uuid4().hex}}}
        phase = tenant.cluster.api.patch(path, edit).get("status", {}).get("phase")
        return str(phase) == "Running"

    wait_until(edited_and_running, what="the bot that is edited runs", limit_seconds=120, every_seconds=0.005)
    spec = tenant.get("meetingbots", "looked-up")["spec"]
    tenant.apply("MeetingBot", "looked-up", {**spec, "suspend": True})
    tenant.wait("no Pod runs", lambda: not [one for one in tenant.pods() if one["status"]["phase"] == "Running"])


def take_the_consents_back(tenant: Tenant, zoom: SimClient) -> None:
    """The user removes the app at Zoom: with the consents all that was found by them goes."""
    tenant.meeting(emit=True, started=False)
    tenant.wait("a mapping", lambda: bool(tenant.mappings()))
    time.sleep(1.1)  # Zoom's time of it has whole seconds, and must be later than the consents
    zoom.deauthorize(client_id=tenant.app.client_id, user=tenant.user.id)
    tenant.wait("the mappings are gone", lambda: not tenant.mappings())


def take_the_credentials_away(tenant: Tenant) -> None:
    """The operator asks whether they are really gone."""
    for name in ("alice", "bob"):
        tenant.delete("zoomcredentials", name)
        tenant.wait("it is gone", lambda name=name: not tenant.get("zoomcredentials", name))  # type: ignore[misc]
