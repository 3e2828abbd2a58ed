"""The release's life: upgrade with a changed CRD, rollback, uninstall with and without CRDs, and what outlives it."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART
from tests.cluster.api import core_path, wait_until
from tests.e2e.conftest import Measure, new_tenant
from tests.e2e.installation import Installation
from tests.e2e.test_bot import recorded
from tests.stack.release import Release
from tests.stack.tenant import API_VERSION, GROUP, Tenant
from tests.zoomsim.client import SimClient

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
KINDS = ("zoomcredentials", "meetingmappings", "meetingbots")
# What the chart before this one did not have yet.
NEW_COLUMN = "Reason"


@pytest.fixture
def lone(installation: Installation) -> Iterator[Installation]:
    """No release, no CRDs; afterwards as usual again."""
    take_away(installation)
    yield installation
    take_away(installation)
    installation.ensure()


def take_away(installation: Installation) -> None:
    release = installation.release
    if release.installed():
        installation.forget()
        release.uninstall()
    for kind in KINDS:
        release.api.delete(f"{CRDS}/{kind}.meetingbots.dev")
    wait_until(lambda: not any(crds(release).values()), what="our CRDs are gone", limit_seconds=120)


def crds(release: Release) -> dict[str, dict[str, Any] | None]:
    return {kind: release.api.get(f"{CRDS}/{kind}.meetingbots.dev") for kind in KINDS}


def columns(release: Release) -> list[str]:
    found = release.api.request("GET", f"{CRDS}/meetingbots.meetingbots.dev")
    return [column["name"] for column in found["spec"]["versions"][0]["additionalPrinterColumns"]]


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    """A chart before this one: an older version, whose CRD of MeetingBots lacks a column."""
    chart = tmp_path / "meetingbots"
    shutil.copytree(CHART, chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text()) | {"version": "0.0.1"}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
    file = chart / "files" / "crds" / "meetingbots.dev_meetingbots.yaml"
    crd = yaml.safe_load(file.read_text())
    version = crd["spec"]["versions"][0]
    before = version["additionalPrinterColumns"]
    version["additionalPrinterColumns"] = [column for column in before if column["name"] != NEW_COLUMN]
    assert len(version["additionalPrinterColumns"]) == len(before) - 1
    file.write_text(yaml.safe_dump(crd))
    return chart


def uids(tenant: Tenant) -> dict[str, str]:
    """What people made, and what the operator found, by name."""
    api, namespace = tenant.cluster.api, tenant.namespace
    return {
        f"{kind}/{one['metadata']['name']}": one["metadata"]["uid"]
        for kind in KINDS
        for one in api.request("GET", f"{GROUP}/namespaces/{namespace}/{kind}")["items"]
    }


def refreshes(tenant: Tenant, zoom: SimClient) -> int:
    return len(zoom.calls("oauth.token", client_id=tenant.app.client_id))


def settle(tenant: Tenant) -> int:
    """A consent, a mapping and a bot that records; the meeting."""
    tenant.ready_credential()
    meeting = tenant.meeting(emit=True)
    tenant.wait("the mapping", lambda: bool(tenant.get("meetingmappings", meeting.id)))
    tenant.bot("notes", meeting.id)
    tenant.wait_phase("notes", "Running")
    return int(meeting.id)


def test_upgrade_from_the_previous_chart_and_back(
    lone: Installation, previous: Path, zoom: SimClient, namespace: str, measured: Measure
) -> None:
    lone.change("install", chart=previous)
    release = lone.release
    tenant = new_tenant(release, zoom, namespace)
    meeting_id = settle(tenant)
    recorded(tenant, meeting_id, measured=measured, what="previous chart")
    assert NEW_COLUMN not in columns(release)
    before, asked = uids(tenant), refreshes(tenant, zoom)
    steps: list[tuple[str, bool, Callable[[], str]]] = [
        ("upgrade", True, lambda: lone.change("upgrade", {"logs": {"level": "DEBUG"}})),
        ("rollback", False, lambda: release.rollback(1)),
        ("upgrade again", True, lambda: lone.change("upgrade")),
    ]
    for what, is_there, step in steps:
        step()
        release.wait_ready()
        release.wait_leader()
        assert (NEW_COLUMN in columns(release)) is is_there, what
        assert uids(tenant) == before, what
        assert tenant.condition("zoomcredentials", "alice")["status"] == "True", what
        assert tenant.phase("notes") == "Running", what
    assert refreshes(tenant, zoom) == asked, "no upgrade renews a token"
    assert len(tenant.visits(meeting_id)) == 1
    zoom.act(meeting_id, "end")
    tenant.wait_phase("notes", "Succeeded")
    assert tenant.status("meetingbots", "notes")["attempts"] == 1


@pytest.mark.short
def test_uninstall_keeps_objects_and_consents(
    lone: Installation, zoom: SimClient, namespace: str, measured: Measure
) -> None:
    release = lone.ensure()
    tenant = new_tenant(release, zoom, namespace)
    meeting_id = settle(tenant)
    recorded(tenant, meeting_id, measured=measured, what="before uninstall")
    before, tokens, asked = uids(tenant), tenant.secret_values("alice-zoom-token"), refreshes(tenant, zoom)
    lone.forget()
    assert "kept due to the resource policy" in release.uninstall()
    assert all(crds(release).values())
    assert uids(tenant) == before
    assert tenant.secret_values("alice-zoom-token") == tokens
    (pod,) = tenant.pods()
    assert pod["status"]["phase"] == "Running", "the bot stays in its meeting"
    zoom.act(meeting_id, "end")
    began = time.monotonic()
    lone.ensure()
    tenant.wait_phase("notes", "Succeeded")
    measured(f"uninstalled and installed again: back at work after {time.monotonic() - began:.1f} s")
    tenant.wait_ready("zoomcredentials", "alice")
    assert uids(tenant) == before
    assert refreshes(tenant, zoom) == asked, "what was stored goes on being used"


def collector_knows_bots(tenant: Tenant) -> None:
    """Wait until what a MeetingBot owns goes with it: the collector learns of a new kind within half a minute."""
    tenant.bot("probe", 81234567890, suspend=True)
    owner = {"apiVersion": API_VERSION, "kind": "MeetingBot", "name": "probe"}
    owner["uid"] = tenant.get("meetingbots", "probe")["metadata"]["uid"]
    body = {"metadata": {"name": "owned", "ownerReferences": [owner]}}
    tenant.cluster.api.create(core_path("configmaps", namespace=tenant.namespace), body)
    tenant.delete("meetingbots", "probe")
    tenant.wait("what the probe owned is gone", lambda: not tenant.core("configmaps", "owned"))


def test_uninstall_with_its_crds_takes_objects_and_no_consent(
    lone: Installation, zoom: SimClient, namespace: str, measured: Measure
) -> None:
    release = lone.ensure({"crds": {"keep": False}})
    tenant = new_tenant(release, zoom, namespace)
    meeting_id = settle(tenant)
    recorded(tenant, meeting_id, measured=measured, what="before uninstall with CRDs")
    tokens, asked = tenant.secret_values("alice-zoom-token"), refreshes(tenant, zoom)
    collector_knows_bots(tenant)
    # As the page on leaving says: once a kind is gone, the garbage collector cannot look up whose Pod it was.
    tenant.delete("meetingbots", "notes")
    tenant.wait("the bot leaves with its MeetingBot", lambda: not tenant.pods())
    lone.forget()
    release.uninstall()
    wait_until(lambda: not any(crds(release).values()), what="our CRDs are gone", limit_seconds=120)
    assert tenant.secret_values("alice-zoom-token") == tokens, "a consent is not Helm's to take back"
    lone.ensure()
    # Git still has it; the grant in its Secret was spent long ago.
    tenant.credential("alice")
    tenant.wait_ready("zoomcredentials", "alice")
    assert refreshes(tenant, zoom) == asked
    assert tenant.secret_values("alice-zoom-token")["refresh_token"] == tokens["refresh_token"]


def test_a_missing_app_secret_is_reported_and_heals(tenant: Tenant) -> None:
    tenant.consent()
    tenant.credential()
    assert "zoom-app" in tenant.wait_reason("zoomcredentials", "alice", "AppSecretMissing")["message"]
    began = time.monotonic()
    tenant.app_secret()
    tenant.wait_ready("zoomcredentials", "alice", seconds=60)
    assert time.monotonic() - began < 60
