"""What operator and receiver cannot see on a real cluster: tokens, lists of Secrets, the namespaces of others."""

import json
from collections.abc import Iterator

import pytest

from tests.cluster.api import Api, core_path, wait_until
from tests.e2e.conftest import new_tenant
from tests.e2e.installation import Installation
from tests.stack.release import Release
from tests.stack.rights import Process
from tests.stack.tenant import GROUP, Tenant
from tests.zoomsim.client import SimClient

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PROCESSES: tuple[Process, ...] = ("operator", "receiver")


def account(release: Release, process: Process) -> str:
    return f"system:serviceaccount:{release.system}:{release.name}-{process}"


# The receiver faces the internet.


@pytest.fixture
def receiver(release: Release) -> Api:
    """The API server as the receiver's ServiceAccount."""
    token = release.cluster.token_of(f"{release.name}-receiver", namespace=release.system)
    return release.cluster.api_with_token(token)


@pytest.mark.short
def test_the_receiver_reads_no_tokens_and_no_app_secrets(tenant: Tenant, release: Release, receiver: Api) -> None:
    tenant.ready_credential()
    secrets = core_path("secrets", namespace=tenant.namespace)
    for name in ("zoom-app", "alice", "alice-zoom-token"):
        assert tenant.core("secrets", name), f"{name} is there"
        assert receiver.raw("GET", f"{secrets}/{name}")[0] == 403
    for path in (secrets, core_path("secrets"), core_path("secrets", namespace=release.system)):
        assert receiver.raw("GET", path)[0] == 403
    assert receiver.raw("GET", core_path("pods", namespace=tenant.namespace))[0] == 403
    own = core_path("secrets", namespace=release.system, name="meetingbots-receiver")
    status, content = receiver.raw("GET", own)
    assert status == 200
    held = json.dumps(json.loads(content)["data"])
    for name, key in (("zoom-app", "client_secret"), ("alice", "refresh_token"), ("alice-zoom-token", "access_token")):
        encoded = tenant.core("secrets", name)["data"][key]
        assert encoded not in held
    # The same as an administrator would ask.
    may = ("auth", "can-i", f"--as={account(release, 'receiver')}", "-n", tenant.namespace)
    for question in (("get", "secrets/alice-zoom-token"), ("list", "secrets"), ("watch", "secrets"), ("get", "pods")):
        answer = release.cluster.try_kubectl(*may, *question)
        assert (answer.code, answer.output.strip()) == (1, "no"), question
    assert release.cluster.try_kubectl(*may, "create", "secrets").output.strip() == "yes"


def test_the_operator_lists_no_secrets(tenant: Tenant, release: Release) -> None:
    token = release.cluster.token_of(f"{release.name}-operator", namespace=release.system)
    operator = release.cluster.api_with_token(token)
    assert operator.raw("GET", core_path("secrets", namespace=tenant.namespace))[0] == 403
    assert operator.raw("GET", core_path("secrets"))[0] == 403
    assert operator.raw("GET", core_path("secrets", namespace=tenant.namespace, name="nothing"))[0] == 404


# Installed for one namespace.


@pytest.fixture
def mine(installation: Installation, namespace: str) -> Iterator[Release]:
    """The release, serving `namespace` only; for all of them again afterwards."""
    release = installation.ensure({"watch": {"namespaces": [namespace]}})
    wait_until(lambda: not leaving(release), what="the Pods that served all namespaces are gone", limit_seconds=120)
    yield release
    installation.ensure()


def leaving(release: Release) -> list[str]:
    """Pods of the release that terminate and are still there, on connections that are kept open for instance."""
    pods = (release.api.get(core_path("pods", namespace=release.system)) or {})["items"]
    return [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" in pod["metadata"]]


def test_an_install_for_one_namespace_sees_no_other(
    mine: Release, zoom: SimClient, namespace: str, other_namespace: str
) -> None:
    ours, theirs = new_tenant(mine, zoom, namespace), new_tenant(mine, zoom, other_namespace)
    for tenant in (ours, theirs):
        tenant.app_secret()
        tenant.consent()
        tenant.credential()
    ours.wait_ready("zoomcredentials", "alice")
    meeting = ours.meeting(emit=True)
    ours.wait("the mapping", lambda: bool(ours.get("meetingmappings", meeting.id)))
    ours.bot("notes", meeting.id)
    ours.wait_phase("notes", "Running")
    assert theirs.status("zoomcredentials", "alice") == {"observedGeneration": -1}, "nobody has looked at it"
    assert not zoom.calls("oauth.token", client_id=theirs.app.client_id)
    theirs.meeting(emit=True)
    zoom.settled()
    outcomes = {
        (one.state, one.attempts[0].status) for one in zoom.deliveries() if one.client_id == theirs.app.client_id
    }
    assert outcomes == {("refused", 404)}, "nobody here has this app"
    for process in PROCESSES:
        api = mine.cluster.api_with_token(mine.cluster.token_of(f"{mine.name}-{process}", namespace=mine.system))
        for path in (
            f"{GROUP}/namespaces/{other_namespace}/zoomcredentials",
            f"{GROUP}/zoomcredentials",
            core_path("secrets", namespace=other_namespace, name="alice"),
        ):
            assert api.raw("GET", path)[0] == 403, (process, path)
