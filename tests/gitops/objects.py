"""Objects as the API server has them, with statuses that the operator's own code decided and wrote."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from meetingbots.credentials.decide.facts import CredentialFacts
from meetingbots.credentials.decide.plan import decide
from meetingbots.credentials.decide.ready import Readiness
from meetingbots.credentials.decide.status import conditions_of
from meetingbots.credentials.status_writer import StatusManager, owned_part
from meetingbots.models.bot import BotStatus, MeetingBot
from meetingbots.models.names import API_VERSION, BOT_KIND, CREDENTIAL_KIND

from tests.unit.bots.bot_builders import bot_object

Object = dict[str, Any]
CRDS = Path(__file__).resolve().parents[2] / "crds"


def bot_with(status: BotStatus, *, given: MeetingBot) -> Object:
    """The MeetingBot `given` with this status in place of its own."""
    return {**given.to_dict(), "status": status.to_dict()}


def credential_at(facts: CredentialFacts, *, readiness: Readiness | None = None) -> Object:
    """The ZoomCredential of `facts` with the status that the operator writes then; `readiness` replaces its own."""
    status = decide(facts).status
    if readiness is not None:
        status = status.model_copy(update={"conditions": conditions_of(facts, readiness)})
    return {**facts.credential.to_dict(), "status": owned_part(status, manager=StatusManager.TOKENS)}


def unseen_bot() -> Object:
    """A MeetingBot that was created a moment ago: what the API server filled in is all that it has of a status."""
    return {**bot_object(), "status": default_status(BOT_KIND)}


def unseen_credential(body: Mapping[str, Any]) -> Object:
    """The same for a ZoomCredential."""
    return {**body, "apiVersion": API_VERSION, "kind": CREDENTIAL_KIND, "status": default_status(CREDENTIAL_KIND)}


@cache
def default_status(kind: str) -> Object:
    """The status that a kind's CRD, as people install it, gives to a new object."""
    for file in CRDS.glob("*.yaml"):
        crd = yaml.safe_load(file.read_text(encoding="utf-8"))
        if crd["spec"]["names"]["kind"] == kind:
            schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
            default: Object = schema["properties"]["status"]["default"]
            return default
    raise LookupError(f"no CRD of kind {kind} in {CRDS}")


def edited(item: Object) -> Object:
    """The object right after an edit of its spec, before the operator has looked at it."""
    metadata = item["metadata"]
    return {**item, "metadata": {**metadata, "generation": metadata["generation"] + 1}}


def deleted(item: Object) -> Object:
    """The object while it is being deleted."""
    return {**item, "metadata": {**item["metadata"], "deletionTimestamp": "2026-11-24T12:00:00Z"}}


def ready_of(item: Object) -> Object:
    """The condition Ready."""
    return next(reported for reported in item["status"]["conditions"] if reported["type"] == "Ready")
