"""What the API server takes and refuses by the CRDs: each rule with an accepted and a refused example."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.integration.crd_examples import ACCEPTED, LINK, REFUSED, Example, bot, credential, identify, mapping

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[2]

Object = dict[str, Any]
ID = "81234567890"
MEETING = f"spec: {{meetingId: '{ID}'}}"
UNSEEN = {"observedGeneration": -1}
"""The status of what the operator has not looked at yet."""


@pytest.fixture(scope="module")
def cluster(binaries: Path) -> Iterator[ControlPlane]:
    """A control plane without an operator: nobody but the tests writes to the examples."""
    with ControlPlane(binaries=binaries, crds=load_crds(crd_files(ROOT / "crds"))) as running:
        yield running


def complete(text: str, *, namespace: str) -> str:
    obj = {"apiVersion": "meetingbots.dev/v1alpha1", **yaml.safe_load(text)}
    obj["metadata"]["namespace"] = namespace
    return json.dumps(obj)


def apply(cluster: ControlPlane, text: str, *, namespace: str) -> Object:
    """Apply YAML as people do, with kubectl's strict validation, and return the stored object."""
    flags = ("--validate=strict", "--output=json")
    stored: Object = json.loads(
        cluster.kubectl("apply", *flags, "--filename=-", stdin=complete(text, namespace=namespace))
    )
    return stored


def columns(table: str, name: str) -> dict[str, str]:
    """The row of an object in kubectl's table, by header."""
    header, *rows = table.splitlines()
    starts = [match.start() for match in re.finditer(r"(?<=\s\s)\S|^\S", header)]
    bounds = list(zip(starts, [*starts[1:], None], strict=True))
    [row] = [row for row in rows if row.startswith(f"{name} ")]
    return {header[start:end].strip(): row[start:end].strip() for start, end in bounds}


def test_the_api_server_finds_nothing_wrong_with_the_crds(cluster: ControlPlane) -> None:
    found = json.loads(cluster.kubectl("get", "crds", "--output=json"))["items"]
    ours = {crd["metadata"]["name"]: crd for crd in found if crd["spec"]["group"] == "meetingbots.dev"}

    assert set(ours) == {
        f"{plural}.meetingbots.dev" for plural in ("zoomcredentials", "meetingmappings", "meetingbots")
    }
    for crd in ours.values():
        conditions = {each["type"]: each["status"] for each in crd["status"]["conditions"]}
        assert conditions == {"NamesAccepted": "True", "Established": "True"}  # and no NonStructuralSchema


@pytest.mark.parametrize("example", ACCEPTED, ids=identify)
def test_accepted(cluster: ControlPlane, namespace: str, example: Example) -> None:
    sent = yaml.safe_load(example.text)
    stored = apply(cluster, example.text, namespace=namespace)

    # Applied again, nothing changes: no drift for GitOps tools.
    again = apply(cluster, example.text, namespace=namespace)
    assert again["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"]
    assert_holds(stored["spec"], sent["spec"])


def assert_holds(stored: Any, sent: Any) -> None:
    """Everything that was sent is stored as it was; defaults may be added."""
    if isinstance(sent, dict):
        for key, value in sent.items():
            if value is not None:
                assert_holds(stored[key], value)
    else:
        assert stored == sent


@pytest.mark.parametrize("example", REFUSED, ids=identify)
def test_refused(cluster: ControlPlane, namespace: str, example: Example) -> None:
    answer = cluster.kubectl(
        "apply", "--validate=strict", "--filename=-", stdin=complete(example.text, namespace=namespace), check=False
    )

    assert example.refused in answer
    assert not answer.rstrip().endswith(" created")


def test_every_rule_of_the_schemas_is_tried(cluster: ControlPlane) -> None:
    crds = json.loads(cluster.kubectl("get", "crds", "--output=json"))["items"]
    messages = set(
        re.findall(r'"message": "([^"]+)", "rule"', json.dumps([crd["spec"] for crd in crds], sort_keys=True))
    )

    assert len(messages) >= 10
    untried = {text for text in messages if not any(each.refused and each.refused in text for each in REFUSED)}
    assert untried == set()


def test_defaults_of_a_credential(cluster: ControlPlane, namespace: str) -> None:
    stored = apply(cluster, credential("grant: {connect: {}}"), namespace=namespace)

    assert stored["spec"] == {
        "appSecretRef": {"name": "zoom-app"},
        "grant": {"connect": {}},
        "level": "User",
        "tokenDeletionPolicy": "Retain",
        "refreshPolicy": "Continuous",
        "meetingSync": {"intervalSeconds": 86400},
        "rateLimit": {"plan": "Pro", "sharePercent": 50},
        "suspend": False,
    }
    assert stored["status"] == UNSEEN


def test_defaults_of_a_bot(cluster: ControlPlane, namespace: str) -> None:
    stored = apply(cluster, bot("meeting: {id: '81234567890'}"), namespace=namespace)

    assert stored["spec"] == {
        "meeting": {"id": "81234567890"},
        "displayName": "Notetaker",
        "onBehalf": {"waitSeconds": 900, "retrySeconds": 60},
        "tokenPolicy": "Preferred",
        "tokenWaitSeconds": 20,
        "bypassWaitingRoom": True,
        "tokenDelivery": "AtStart",
        "leadSeconds": 120,
        "startDeadlineSeconds": 600,
        "admissionDeadlineSeconds": 1200,
        "maxDurationSeconds": 14400,
        "meetingEndPolicy": "Leave",
        "leaveAfterMeetingEndSeconds": 60,
        "retry": {"limit": 2, "backoffSeconds": 5, "neverOnExitCodes": []},
        "podRetentionSeconds": 3600,
        "suspend": False,
        "tokenEndpoint": False,
    }


def test_a_template_is_stored_whole(cluster: ControlPlane, namespace: str) -> None:
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "bot", "env": [{"name": "A", "value": "1"}]}], "someday": {"new": [1, "x"]}},
    }
    stored = apply(cluster, bot(f"{LINK}, template: {json.dumps(template)}"), namespace=namespace)

    assert stored["spec"]["template"] == template


def with_status(text: str, status: str) -> str:
    return text.removesuffix("}") + f", status: {status}}}"


def set_status(cluster: ControlPlane, resource: str, name: str, *, namespace: str, status: Object) -> None:
    patch = json.dumps({"status": status})
    cluster.kubectl(
        "patch", resource, name, f"--namespace={namespace}", "--subresource=status", "--type=merge", f"--patch={patch}"
    )


def condition(type_: str, status: str, reason: str) -> Object:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": "In words.",
        "lastTransitionTime": "2026-11-24T12:00:00Z",
        "observedGeneration": 1,
    }


def test_columns_of_credentials(cluster: ControlPlane, namespace: str) -> None:
    apply(cluster, credential("grant: {connect: {}}"), namespace=namespace)
    status = {
        "conditions": [condition("MeetingsSynced", "False", "Syncing"), condition("Ready", "True", "TokenValid")],
        "email": "alice@x.test",
        "expiresAt": "2999-01-01T00:00:00Z",
        "meetings": {"count": 7},
    }
    set_status(cluster, "zcred", "alice", namespace=namespace, status=status)
    row = columns(cluster.kubectl("get", "zcred", f"--namespace={namespace}"), "alice")

    assert re.fullmatch(r"\d+s", row.pop("AGE"))
    assert row == {
        "NAME": "alice",
        "READY": "True",
        "REASON": "TokenValid",
        "USER": "alice@x.test",
        "EXPIRES": "2999-01-01T00:00:00Z",
        "MEETINGS": "7",
    }


@pytest.mark.parametrize(
    ("people", "found", "shown"),
    [
        ("[{name: alice}]", "[]", "alice"),
        ("[]", "[{name: bob, role: Host, source: Sync}]", "bob"),
        ("null", "[{name: bob, role: Host, source: Sync}, {name: eve, role: Operator, source: Sync}]", "bob"),
        ("[{name: alice}, {name: carol}]", "[{name: bob, role: Host, source: Sync}]", "alice"),
        ("null", "[]", ""),
    ],
)
def test_columns_of_mappings(cluster: ControlPlane, namespace: str, people: str, found: str, shown: str) -> None:
    spec = f"spec: {{meetingId: '81234567890', credentials: {people}}}, status: {{phase: Live, credentials: {found}}}"
    apply(cluster, mapping("81234567890", spec), namespace=namespace)
    row = columns(cluster.kubectl("get", "mmap", f"--namespace={namespace}"), "81234567890")

    assert re.fullmatch(r"\d+s", row.pop("AGE"))
    assert row == {"NAME": "81234567890", "CREDENTIAL": shown, "PHASE": "Live"}


def test_columns_of_bots(cluster: ControlPlane, namespace: str) -> None:
    apply(cluster, bot(LINK), namespace=namespace)
    status = {
        "conditions": [condition("TokenIssued", "True", "Issued"), condition("Ready", "True", "Running")],
        "phase": "Running",
        "inMeeting": {"state": "recording", "source": "Bot", "since": "2026-11-24T12:00:30Z"},
        "meetingId": "81234567890",
        "scheduledTime": "2999-01-01T00:00:00Z",
        "podName": "standup-1a2b3-0",
        "credentialName": "alice",
    }
    set_status(cluster, "mbot", "standup", namespace=namespace, status=status)
    row = columns(cluster.kubectl("get", "mbot", f"--namespace={namespace}"), "standup")

    assert re.fullmatch(r"\d+s", row.pop("AGE"))
    assert row == {
        "NAME": "standup",
        "PHASE": "Running",
        "MEETING": "81234567890",
        "JOIN AT": "2999-01-01T00:00:00Z",
        "TOKEN": "True",
        "IN MEETING": "recording",
        "POD": "standup-1a2b3-0",
        "REASON": "Running",
    }
    wide = cluster.kubectl("get", "mbot", f"--namespace={namespace}", "--output=wide")
    assert columns(wide, "standup")["MESSAGE"] == "In words."


def test_status_is_a_subresource_for_credentials_and_bots_only(cluster: ControlPlane, namespace: str) -> None:
    stored = apply(cluster, with_status(bot(LINK), "{phase: Running}"), namespace=namespace)
    assert stored["status"] == UNSEEN

    stored = apply(
        cluster, credential("grant: {connect: {}}").removesuffix("}") + ", status: {email: x}}", namespace=namespace
    )
    assert stored["status"] == UNSEEN

    stored = apply(cluster, mapping(ID, f"{MEETING}, status: {{phase: Ended}}"), namespace=namespace)
    assert stored["status"] == {"phase": "Ended"}
    assert stored["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("resource", "selector"),
    [
        ("zcred", "spec.appSecretRef.name=zoom-app"),
        ("zcred", "status.userId=u1"),
        ("zcred", "status.accountId=a1"),
        ("mbot", "status.phase=Running"),
        ("mbot", "status.meetingId=81234567890"),
        ("mbot", "status.credentialName=alice"),
        ("mmap", "status.phase=Live"),
    ],
)
def test_field_selectors(cluster: ControlPlane, namespace: str, resource: str, selector: str) -> None:
    apply(cluster, credential("grant: {connect: {}}"), namespace=namespace)
    set_status(cluster, "zcred", "alice", namespace=namespace, status={"userId": "u1", "accountId": "a1"})
    apply(cluster, bot(LINK), namespace=namespace)
    status = {"phase": "Running", "meetingId": "81234567890", "credentialName": "alice"}
    set_status(cluster, "mbot", "standup", namespace=namespace, status=status)
    apply(
        cluster, mapping("81234567890", "spec: {meetingId: '81234567890'}, status: {phase: Live}"), namespace=namespace
    )

    def select(text: str) -> list[str]:
        answer = cluster.kubectl(
            "get", resource, f"--namespace={namespace}", f"--field-selector={text}", "--output=name"
        )
        return answer.split()

    assert len(select(selector)) == 1
    assert select(f"{selector}-not") == []


def test_the_category_lists_all_three(cluster: ControlPlane, namespace: str) -> None:
    apply(cluster, credential("grant: {connect: {}}"), namespace=namespace)
    apply(cluster, bot(LINK), namespace=namespace)
    apply(cluster, mapping(ID, MEETING), namespace=namespace)

    assert sorted(cluster.kubectl("get", "zoom", f"--namespace={namespace}", "--output=name").split()) == [
        "meetingbot.meetingbots.dev/standup",
        "meetingmapping.meetingbots.dev/81234567890",
        "zoomcredential.meetingbots.dev/alice",
    ]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("zcred.spec.tokenDeletionPolicy", "a re-created credential uses it again"),
        ("zcred.status.connectURL", "Link at which the end user consents"),
        ("mmap.spec.credentials.name", "Name of the object"),
        ("mbot.spec.leadSeconds", "Seconds before joinAt at which the Pod is created"),
        ("mbot.spec.tokens", "LocalRecording, OnBehalf or ZAK (not both)"),
    ],
)
def test_kubectl_explains_fields(cluster: ControlPlane, field: str, text: str) -> None:
    assert text in " ".join(cluster.kubectl("explain", field).split())
