"""Puts a burst's objects into the cluster: customers, meetings, bots; and for the floor the Pods, too."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from meetingbots.bots.decide.facts import Delivery, MeetingRef
from meetingbots.bots.decide.pod_state import pod_name
from meetingbots.bots.manifests.environment import join_secret, secret_values
from meetingbots.bots.manifests.pod import PodSettings, bot_pod
from meetingbots.models.bot import MeetingBot, TokenKind
from pydantic import SecretStr

from tests.bench.burst.floor import Place, Plan
from tests.bench.burst.objects import OURS, app_secret, bot, credential, mapping, secret
from tests.bench.burst.wire import Object, RefusedError, Wire, all_of
from tests.bench.burst.zoom import Customers

LEAD_SECONDS = 3600
"""So early that every Pod is made at once: the bench is about the moment of joining."""


async def make_namespace(wire: Wire, namespace: str) -> None:
    """A namespace in which Pods can be made."""
    await wire.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    while True:
        try:
            await wire.send("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/default")
        except RefusedError:
            await asyncio.sleep(0.05)
        else:
            return


async def make_customers(wire: Wire, namespace: str, customers: Customers) -> None:
    """Make the app's Secret, the consents, the credentials and the mappings."""
    ours, secrets = f"{OURS}/{namespace}", f"/api/v1/namespaces/{namespace}/secrets"
    await wire.send("POST", secrets, app_secret(customers))
    tokens = [secret(each.credential, refresh_token=each.consent.refresh_token) for each in customers.each]
    await all_of([wire.send("POST", secrets, body) for body in tokens])
    await all_of([wire.send("POST", f"{ours}/zoomcredentials", credential(each)) for each in customers.each])
    known = [mapping(meeting, customer) for meeting, customer in customers.meetings]
    await all_of([wire.send("POST", f"{ours}/meetingmappings", body) for body in known])


async def wait_ready(wire: Wire, namespace: str, *, count: int, seconds: float = 120.0) -> None:
    """Wait until so many credentials are Ready."""
    async with asyncio.timeout(seconds):
        while True:
            items = (await wire.ask("GET", f"{OURS}/{namespace}/zoomcredentials"))["items"]
            if sum(_is_ready(item) for item in items) >= count:
                return
            await asyncio.sleep(0.5)


def _is_ready(item: Object) -> bool:
    conditions = item.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


async def make_bots(wire: Wire, namespace: str, customers: Customers, *, join_at: float) -> list[Object]:
    """All bots, to join at one moment."""
    moment = datetime.fromtimestamp(join_at, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    bodies = [
        bot(number, meeting, join_at=moment, lead=LEAD_SECONDS)
        for number, (meeting, _) in enumerate(customers.meetings)
    ]
    made: list[Object] = await all_of([wire.ask("POST", f"{OURS}/{namespace}/meetingbots", body) for body in bodies])
    return made


async def wait_phase(wire: Wire, namespace: str, phase: str, *, count: int, seconds: float) -> None:
    """Wait until so many bots report this phase."""
    async with asyncio.timeout(seconds):
        while True:
            items = (await wire.ask("GET", f"{OURS}/{namespace}/meetingbots"))["items"]
            if sum(item.get("status", {}).get("phase") == phase for item in items) >= count:
                return
            await asyncio.sleep(0.5)


async def delete_bots(wire: Wire, namespace: str) -> None:
    """Delete all bots and their Pods."""
    await wire.send("DELETE", f"{OURS}/{namespace}/meetingbots")
    await wire.send("DELETE", f"/api/v1/namespaces/{namespace}/pods?gracePeriodSeconds=0")


async def floor_plan(
    wire: Wire, namespace: str, customers: Customers, *, bots: list[Object], kubeconfig: Path, zoom: str, start: float
) -> Plan:
    """Make the bots' Pods, and all bodies that the bare loop sends."""
    now, pods = datetime.now(UTC), f"/api/v1/namespaces/{namespace}/pods"
    models = [MeetingBot.from_object(item) for item in bots]
    bodies = [
        bot_pod(model, name=pod_name(model, attempt=1), meeting=MeetingRef(meeting), settings=PodSettings(), now=now)
        for model, (meeting, _) in zip(models, customers.meetings, strict=True)
    ]
    made = await all_of([wire.ask("POST", pods, body) for body in bodies])
    places = [
        _place(namespace, model, pod, meeting=meeting, access_token=customer.consent.access_token)
        for model, pod, (meeting, customer) in zip(models, made, customers.meetings, strict=True)
    ]
    return Plan(str(kubeconfig), f"{zoom}/v2", start, places)


def _place(namespace: str, model: MeetingBot, pod: Object, *, meeting: str, access_token: str) -> Place:
    name, now = pod["metadata"]["name"], datetime.now(UTC)
    delivery = Delivery(
        pod_name=name,
        kinds=(TokenKind.LOCAL_RECORDING,),
        delivered_at=now,
        issued_at=now,
        credential="customer-0",
        spec_hash="0123456789abcdef",
    )
    values = secret_values(MeetingRef("81234567890", passcode=SecretStr("open")), tokens={}, reason="", sdk_jwt=None)
    owner = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": pod["metadata"]["uid"]}
    return Place(
        meeting=meeting,
        access_token=access_token,
        secrets=f"/api/v1/namespaces/{namespace}/secrets",
        secret=join_secret(namespace=namespace, bot=model.name, owner=owner, delivery=delivery, values=values),
        pod=f"/api/v1/namespaces/{namespace}/pods/{name}",
        bot=f"{OURS}/{namespace}/meetingbots/{model.name}",
        status={"status": _running(name, now)},
    )


def _running(pod: str, now: datetime) -> dict[str, Any]:
    moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    common = {"status": "True", "observedGeneration": 1, "lastTransitionTime": moment}
    return {
        "phase": "Running",
        "startTime": moment,
        "podName": pod,
        "credentialName": "customer-0",
        "token": {"kinds": ["LocalRecording"], "issuedTime": moment, "deliveredTime": moment},
        "conditions": [
            {"type": "Ready", "reason": "Running", "message": f"The bot runs in Pod {pod}.", **common},
            {"type": "TokenIssued", "reason": "Issued", "message": "LocalRecording by customer-0.", **common},
        ],
    }
