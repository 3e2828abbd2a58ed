"""Passcodes and tokens that a Pod's texts quote reach no object, also after another process has taken over.

The Pods wait at a scheduling gate, so that no kubelet touches them: the test reports their status.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.cluster.api import core_path
from tests.integration.attacks.installation import Installation
from tests.stack.tenant import GROUP, Tenant

Object = dict[str, Any]
TIME = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
PASSCODE = "473921"
LINK_PASSCODE = "Kaffee7"
TEXT = f"zoom --id 81234567890 --passcode {PASSCODE} --link ?pwd={LINK_PASSCODE} or {LINK_PASSCODE} gave code 5"
HIDDEN = "[hidden]"
PLACED = {"type": "PodScheduled", "status": "True", "lastTransitionTime": TIME}
OTHERS = {"init": "check", "side-car": "mesh-proxy"}


def waiting(reason: str) -> Object:
    return {"waiting": {"reason": reason, "message": TEXT}}


def terminated(code: int = 1, text: str = TEXT) -> Object:
    times = {"startedAt": TIME, "finishedAt": TIME}
    return {"terminated": {"exitCode": code, "reason": "Error", "message": text, **times}}


RUNNING: Object = {"running": {"startedAt": TIME}}
CREATING: Object = {"waiting": {"reason": "ContainerCreating"}}

PLACES: dict[str, Object] = {
    "bot-waits": {"bot": waiting("CreateContainerError")},
    "bot-has-no-image": {"bot": waiting("ErrImagePull")},
    "init-waits": {"init": waiting("CreateContainerConfigError"), "bot": CREATING},
    "side-car-waits": {"side-car": waiting("CreateContainerError"), "bot": CREATING},
    "bot-fails": {"bot": terminated(), "phase": "Failed"},
    "bot-fails-beside-a-side-car": {"bot": terminated(), "side-car": RUNNING, "phase": "Running"},
    "init-fails": {"init": terminated(), "bot": CREATING, "phase": "Failed"},
    "evicted": {"bot": terminated(137), "phase": "Failed", "reason": "Evicted", "message": TEXT},
    "disrupted": {"bot": terminated(143), "phase": "Failed", "disruption": TEXT},
    "unschedulable": {"unschedulable": TEXT},
}


def status_of(place: Object) -> Object:
    conditions = [PLACED]
    if "unschedulable" in place:
        conditions = [{**PLACED, "status": "False", "reason": "Unschedulable", "message": place["unschedulable"]}]
    if "disruption" in place:
        common = {"status": "True", "reason": "TerminationByKubelet", "lastTransitionTime": TIME}
        conditions = [*conditions, {"type": "DisruptionTarget", "message": place["disruption"], **common}]
    status: Object = {"phase": place.get("phase", "Pending"), "conditions": conditions}
    status |= {key: place[key] for key in ("reason", "message") if key in place}
    names = {"containerStatuses": {"bot": "bot", "side-car": OTHERS["side-car"]}}
    names["initContainerStatuses"] = {"init": OTHERS["init"]}
    for field, containers in names.items():
        found = [_container(name, place[key]) for key, name in containers.items() if key in place]
        if found:
            status[field] = found
    return status


def _container(name: str, state: Object) -> Object:
    return {"name": name, "state": state, "ready": False, "restartCount": 0, "image": "test/sleep", "imageID": ""}


def bot_of(tenant: Tenant, name: str, *, link: bool) -> None:
    where = {"urlSecretKeyRef": {"name": "link", "key": "url"}}
    if not link:
        where = {"id": "81234567890", "passcodeSecretKeyRef": {"name": "link", "key": "passcode"}}  # type: ignore[dict-item]
    image = {"image": "test/sleep"}
    spec = {
        "schedulingGates": [{"name": "attack.example/by-hand"}],
        "initContainers": [{"name": OTHERS["init"], **image}],
        "containers": [{"name": "bot", **image}, {"name": OTHERS["side-car"], **image}],
    }
    template = {"spec": spec}
    more = {"retry": {"limit": 0}, "podRetentionSeconds": 600}
    tenant.apply("MeetingBot", name, {"meeting": where, "tokens": [], "template": template, **more})


def seen(tenant: Tenant) -> str:
    """Everything about the bots that people and programs can see: objects, Events, Pods' metadata."""
    api, namespace = tenant.cluster.api, tenant.namespace
    found = []
    for path in (
        f"{GROUP}/namespaces/{namespace}/meetingbots",
        f"/apis/events.k8s.io/v1/namespaces/{namespace}/events",
    ):
        found += (api.get(path) or {})["items"]
    found += [pod["metadata"] for pod in tenant.pods()]
    for one in found:
        one.get("metadata", one).pop("managedFields", None)
    return json.dumps(found)


def report(tenant: Tenant, bot: str, status: Object) -> None:
    """Report a Pod's status, as a kubelet."""
    path = f"{core_path('pods', namespace=tenant.namespace, name=pod_of(tenant, bot))}/status"
    tenant.cluster.api.patch(path, {"status": status})


def begin(tenant: Tenant, bots: list[str]) -> None:
    """Let the Pods of these bots go through the late-token gate and run."""
    for name in bots:
        missing = f'secret "{pod_of(tenant, name)}-zoom" not found'
        gate = {"waiting": {"reason": "CreateContainerConfigError", "message": missing}}
        report(tenant, name, status_of({"bot": gate}))
    for name in bots:
        secret = f"{pod_of(tenant, name)}-zoom"
        tenant.wait(f"the delivery to {name}", lambda secret=secret: bool(tenant.core("secrets", secret)))  # type: ignore[misc]
        report(tenant, name, status_of({"bot": RUNNING, "phase": "Running"}))
    for name in bots:
        tenant.wait_phase(name, "Running")
        secret = f"{pod_of(tenant, name)}-zoom"
        tenant.wait(f"the end of {secret}", lambda secret=secret: not tenant.core("secrets", secret))  # type: ignore[misc]


def unreported(tenant: Tenant) -> list[str]:
    """The bots with no status that quotes the redacted text."""
    bots = (tenant.cluster.api.get(f"{GROUP}/namespaces/{tenant.namespace}/meetingbots") or {})["items"]
    return [one["metadata"]["name"] for one in bots if HIDDEN not in json.dumps(one.get("status"))]


def pod_of(tenant: Tenant, bot: str) -> str:
    return str(tenant.status("meetingbots", bot).get("podName", ""))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("restart", [False, True], ids=["same process", "after a restart"])
def test_no_text_of_a_pod_carries_a_passcode_into_an_object(installation: Installation, *, restart: bool) -> None:
    tenant = installation.tenant()
    url = f"https://zoom.us/j/81234567890?pwd={LINK_PASSCODE}"
    tenant.secret("link", url=url, passcode=PASSCODE)
    bots = [(f"{place}-{kind}", place, kind == "link") for place in PLACES for kind in ("link", "passcode")]
    for name, _, link in bots:
        bot_of(tenant, name, link=link)
    tenant.wait("all Pods", lambda: len(tenant.pods()) == len(bots))
    begin(tenant, [name for name, place, _ in bots if "terminated" in PLACES[place].get("bot", ())])
    if restart:
        installation.stack.operator.kill()
    for name, place, link in bots:
        text = TEXT.replace(PASSCODE, "") if link else TEXT.replace(LINK_PASSCODE, "")
        status = json.loads(json.dumps(status_of(PLACES[place])).replace(json.dumps(TEXT)[1:-1], text))
        report(tenant, name, status)
    if restart:
        installation.stack.operator.start()

    try:
        tenant.wait("every text is reported", lambda: not unreported(tenant))
    except TimeoutError:
        missing = unreported(tenant)
        raise AssertionError({name: tenant.status("meetingbots", name) for name in missing}) from None
    text = seen(tenant) + installation.stack.operator.text()
    assert PASSCODE not in text
    assert LINK_PASSCODE not in text
