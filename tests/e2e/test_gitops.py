"""MeetingBots in Git: Flux applies, waits for health, prunes, and applies again, and all goes on as it should."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.conftest import Measure
from tests.e2e.test_bot import recorded
from tests.flux.examples import health_check_exprs, team_objects
from tests.flux.flux import Flux
from tests.flux.images import build_flux_images
from tests.flux.ownership import fields_by_manager
from tests.flux.repository import Repository
from tests.flux.workloads import CONTROLLER
from tests.kind.cluster import KindCluster
from tests.kind.project_images import ProjectImages
from tests.stack.tenant import Tenant, custom_object
from tests.zoomsim.client import SimClient

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

Open = Callable[..., Repository]
Object = dict[str, Any]
# Flux's own way of looking at objects, and the expressions that people get from the examples.
KSTATUS: list[Object] = []


@pytest.fixture(scope="module")
def flux(kind_cluster: KindCluster, project_images: ProjectImages, measured: Measure) -> Iterator[Flux]:
    """Flux's kustomize-controller, there for the tests of this file."""
    images = build_flux_images(project_images, engine=kind_cluster.engine)
    began = time.monotonic()
    with Flux(kind_cluster, images=images) as flux:
        measured(f"Flux: ready after {time.monotonic() - began:.1f} s")
        yield flux


@pytest.fixture
def repository_of(flux: Flux, tenant: Tenant) -> Iterator[Open]:
    """Makes a repository for the customer's namespace; all it has applied is taken away at the end."""
    made: list[Repository] = []

    def open_(**options: Any) -> Repository:
        made.append(Repository(flux, tenant.namespace, **options))
        return made[-1]

    yield open_
    for one in made:
        one.remove()


@pytest.fixture
def repository(repository_of: Open) -> Repository:
    """One with the health checks of the examples."""
    return repository_of(health_check_exprs=health_check_exprs())


def moment(**later: float) -> str:
    return (datetime.now(UTC) + timedelta(**later)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("health", ["kstatus", "examples"])
def test_a_bot_for_tomorrow_is_healthy_at_once(
    health: str, tenant: Tenant, repository_of: Open, measured: Measure
) -> None:
    tenant.ready_credential()
    repository = repository_of(health_check_exprs=health_check_exprs() if health == "examples" else KSTATUS)
    meeting = tenant.meeting(started=False)
    bot = tenant.bot_object("tomorrow", meeting.id, joinAt=moment(days=1))
    began = time.monotonic()
    repository.wait_ready(repository.commit(tenant.mapping_object(meeting.id, "alice"), bot))
    measured(f"Flux, {health}: commit of a bot for tomorrow Ready after {time.monotonic() - began:.1f} s")
    assert tenant.phase("tomorrow") == "Scheduled"
    assert not tenant.pods()


@pytest.mark.parametrize(
    ("health", "meeting", "spec", "reason"),
    [
        ("kstatus", {"url": "https://meet.example/j/81234567890"}, {}, "InvalidMeeting"),
        ("examples", {"url": "https://meet.example/j/81234567890"}, {}, "InvalidMeeting"),
        ("examples", {"id": "81234567890"}, {"image": " "}, "TemplateInvalid"),
    ],
)
def test_a_bad_bot_fails_its_commit_and_no_other_bot(
    health: str, meeting: Object, spec: Object, reason: str, tenant: Tenant, repository_of: Open, measured: Measure
) -> None:
    repository = repository_of(health_check_exprs=health_check_exprs() if health == "examples" else KSTATUS)
    good = tenant.bot_object("good", 81234567890, joinAt=moment(days=1))
    bad = tenant.bot_object("bad", meeting, joinAt=moment(days=1), **spec)
    began = time.monotonic()
    failed = repository.wait_failed(repository.commit(good, bad))
    measured(f"Flux, {health}: commit with {reason} given up after {time.monotonic() - began:.1f} s")
    assert failed["reason"] == "HealthCheckFailed"
    # Flux names the object that failed, and only that; the reason is in the object's conditions.
    assert f"MeetingBot/{tenant.namespace}/bad status: 'Failed'" in failed["message"]
    assert "good" not in failed["message"]
    assert tenant.condition("meetingbots", "bad")["reason"] == reason
    assert tenant.phase("good") == "Scheduled"
    repository.wait_ready(repository.commit(good, tenant.bot_object("bad", 81234567890, joinAt=moment(days=1))))
    assert tenant.phase("bad") == "Scheduled"


def test_what_the_schema_refuses_fails_the_commit_in_our_words(tenant: Tenant, repository: Repository) -> None:
    bad = tenant.bot_object("bad", {"id": "81234567890", "url": "https://zoom.us/j/81234567890"})
    failed = repository.wait_failed(repository.commit(bad))
    assert failed["reason"] == "ReconciliationFailed"
    assert "exactly one of url, id and urlSecretKeyRef must be set in meeting" in failed["message"]
    assert not tenant.get("meetingbots", "bad")


def test_an_edit_of_a_bot_that_has_joined_is_applied_and_reported(
    tenant: Tenant, repository: Repository, zoom: SimClient, measured: Measure
) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    mapping = tenant.mapping_object(meeting.id, "alice")
    repository.wait_ready(repository.commit(mapping, tenant.bot_object("notes", meeting.id)))
    tenant.wait_phase("notes", "Running")
    recorded(tenant, meeting.id, measured=measured, what="applied by Flux")
    repository.wait_ready(repository.commit(mapping, tenant.bot_object("notes", meeting.id, displayName="Other")))
    tenant.wait("the edit is reported", lambda: ignored(tenant, "notes") == "True")
    zoom.act(meeting.id, "end")
    tenant.wait_phase("notes", "Succeeded")
    edited = tenant.bot_object("notes", meeting.id, displayName="Third", joinAt=moment(days=1), image="other")
    repository.wait_ready(repository.commit(mapping, edited))
    assert tenant.phase("notes") == "Succeeded"
    assert ignored(tenant, "notes") == "True"
    assert tenant.get("meetingbots", "notes")["spec"]["displayName"] == "Third"
    assert len(tenant.visits(meeting.id)) == 1
    assert len(tenant.pods()) <= 1


def ignored(tenant: Tenant, bot: str) -> str:
    return str(tenant.condition("meetingbots", bot, "SpecChangeIgnored").get("status", ""))


def test_a_bot_that_is_taken_out_of_git_leaves_its_meeting(
    tenant: Tenant, repository: Repository, zoom: SimClient, measured: Measure
) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    mapping = tenant.mapping_object(meeting.id, "alice")
    repository.wait_ready(repository.commit(mapping, tenant.bot_object("notes", meeting.id)))
    tenant.wait_phase("notes", "Running")
    recorded(tenant, meeting.id, measured=measured, what="to be taken out of Git")
    began = time.monotonic()
    repository.wait_ready(repository.commit(mapping))
    tenant.wait("the bot's Pod is gone", lambda: not tenant.pods())
    measured(f"Flux: Pod gone {time.monotonic() - began:.1f} s after the commit without its bot")
    (visit,) = [one for one in zoom.participants() if one.meeting_id == str(meeting.id)]
    assert visit.state == "left"
    assert not tenant.get("meetingbots", "notes")


def test_applying_again_changes_nothing(
    tenant: Tenant, repository: Repository, zoom: SimClient, measured: Measure
) -> None:
    tenant.app_secret()
    tenant.consent()
    meeting = tenant.meeting(emit=True)
    objects = [
        tenant.credential_object(),
        tenant.mapping_object(meeting.id, "alice"),
        tenant.bot_object("notes", meeting.id),
        tenant.bot_object("tomorrow", meeting.id, joinAt=moment(days=1)),
    ]
    repository.wait_ready(repository.commit(*objects))
    tenant.wait_phase("notes", "Running")
    recorded(tenant, meeting.id, measured=measured, what="applied again later")
    zoom.act(meeting.id, "end", emit=True)
    tenant.wait_phase("notes", "Succeeded")
    tenant.wait("the mapping's end", lambda: tenant.status("meetingmappings", meeting.id).get("phase") == "Ended")
    settled(tenant, objects)
    before, count = [seen(tenant, one) for one in objects], len(repository.events())
    for _ in range(3):
        repository.reconcile()
        assert repository.ready()["status"] == "True"
    assert [seen(tenant, one) for one in objects] == before
    assert not [one for one in repository.events()[count:] if "configured" in one["message"]]
    for now in before:
        owned = fields_by_manager(now)
        flux = owned.pop(CONTROLLER)
        assert flux
        assert owned, "the operator writes here, too"
        assert not flux & set().union(*owned.values()), now["metadata"]["name"]
    assert len(tenant.visits(meeting.id)) == 1
    assert tenant.status("meetingbots", "notes")["attempts"] == 1


def seen(tenant: Tenant, one: Object) -> Object:
    return tenant.get(f"{one['kind'].lower()}s", one["metadata"]["name"])


def settled(tenant: Tenant, objects: list[Object]) -> None:
    """Wait until nobody has written to any of these for a while: the first sync and late webhooks are through."""
    last: list[tuple[float, list[str]]] = [(time.monotonic(), [])]

    def quiet() -> bool:
        versions = [seen(tenant, one)["metadata"]["resourceVersion"] for one in objects]
        if versions != last[0][1]:
            last[0] = (time.monotonic(), versions)
        return time.monotonic() - last[0][0] > 5

    tenant.wait("nobody writes any more", quiet)


def test_a_bot_that_its_time_to_live_took_away_does_not_join_again(
    tenant: Tenant, repository: Repository, zoom: SimClient, measured: Measure
) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    mapping = tenant.mapping_object(meeting.id, "alice")
    # Its end comes before its deadline, so that a new one might still start.
    bot = tenant.bot_object(
        "brief", meeting.id, joinAt=moment(), startDeadlineSeconds=40, ttlSecondsAfterFinished=20, leadSeconds=0
    )
    repository.wait_ready(repository.commit(mapping, bot))
    tenant.wait_phase("brief", "Running")
    recorded(tenant, meeting.id, measured=measured, what="with a time to live")
    first = tenant.get("meetingbots", "brief")["metadata"]["uid"]
    zoom.act(meeting.id, "end")
    tenant.wait("its end and its time to live", lambda: not tenant.get("meetingbots", "brief"))
    repository.reconcile()
    assert repository.ready()["status"] == "True"
    tenant.wait_phase("brief", "Expired")
    assert tenant.get("meetingbots", "brief")["metadata"]["uid"] != first
    assert not tenant.pods()
    assert len(tenant.visits(meeting.id)) == 1


@pytest.mark.parametrize("by", ["prune", "hand"])
def test_a_credential_that_comes_back_has_its_consent(
    by: str, tenant: Tenant, repository: Repository, zoom: SimClient
) -> None:
    tenant.app_secret()
    spent = tenant.consent()
    credential, rest = tenant.credential_object(), tenant.mapping_object(81234567890, "alice")
    repository.wait_ready(repository.commit(credential, rest))
    tenant.wait_ready("zoomcredentials", "alice")
    first = tenant.get("zoomcredentials", "alice")["metadata"]["uid"]
    tokens = tenant.secret_values("alice-zoom-token")
    assert tokens["refresh_token"] != spent, "the grant in Git's Secret is worth nothing any more"
    asked = len(zoom.calls("oauth.token", client_id=tenant.app.client_id))
    if by == "prune":
        repository.wait_ready(repository.commit(rest))
        assert not tenant.get("zoomcredentials", "alice")
        repository.wait_ready(repository.commit(credential, rest))
    else:
        tenant.delete("zoomcredentials", "alice")
        repository.reconcile()
        assert repository.ready()["status"] == "True"
    tenant.wait_ready("zoomcredentials", "alice")
    assert tenant.get("zoomcredentials", "alice")["metadata"]["uid"] != first
    assert tenant.secret_values("alice-zoom-token") == tokens
    assert len(zoom.calls("oauth.token", client_id=tenant.app.client_id)) == asked


def waiting(tenant: Tenant) -> tuple[list[Object], dict[str, str]]:
    """Credentials that wait for a person, and their reasons."""
    tenant.app_secret()
    app = {"appSecretRef": {"name": "zoom-app"}}
    return [
        custom_object("ZoomCredential", "asks", {**app, "grant": {"connect": {}}}),
        tenant.credential_object("sleeps", suspend=True),
    ], {"asks": "WaitingForConsent", "sleeps": "Suspended"}


def test_credentials_that_wait_for_a_person_hold_up_nothing(
    tenant: Tenant, repository: Repository, measured: Measure
) -> None:
    credentials, reasons = waiting(tenant)
    began = time.monotonic()
    repository.wait_ready(repository.commit(*credentials))
    measured(f"Flux: credentials that wait for a person Ready after {time.monotonic() - began:.1f} s")
    for name, reason in reasons.items():
        assert tenant.condition("zoomcredentials", name)["reason"] == reason


def test_without_the_examples_health_checks_flux_waits_for_them(tenant: Tenant, repository_of: Open) -> None:
    credentials, _ = waiting(tenant)
    repository = repository_of(health_check_exprs=KSTATUS)
    failed = repository.wait_failed(repository.commit(*credentials))
    assert "timeout waiting for" in failed["message"]
    for name in ("asks", "sleeps"):
        assert f"ZoomCredential/{tenant.namespace}/{name} status: 'InProgress'" in failed["message"]


def test_the_example_is_healthy_as_it_stands_and_keeps_its_consent(tenant: Tenant, repository: Repository) -> None:
    tenant.app_secret()
    tenant.consent("alice")
    tenant.secret("weekly", passcode="an-example")
    repository.wait_ready(repository.commit(*team_objects()))
    ready = {
        one["metadata"]["name"]: tenant.condition(f"{one['kind'].lower()}s", one["metadata"]["name"]).get("reason")
        for one in team_objects()
        if one["kind"] != "MeetingMapping"
    }
    assert ready == {"alice": "TokenValid", "bob": "WaitingForConsent", "weekly-2030-01-07": "Scheduled"}
    without = [one for one in team_objects() if one["kind"] != "ZoomCredential"]
    repository.wait_ready(repository.commit(*without))
    assert not tenant.get("zoomcredentials", "bob")
    assert tenant.condition("zoomcredentials", "alice")["status"] == "True", "its annotation forbids to prune it"
