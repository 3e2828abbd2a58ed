"""MeetingBots, Pods as the kubelet reports them, and facts about them, for tests of a bot's life."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from meetingbots.bots.decide.facts import BotFacts, BotPlan, Delivery, MeetingRef, TokenFailure
from meetingbots.bots.decide.pod_state import PodState
from meetingbots.bots.manifests.pod import SPEC_HASH_ANNOTATION
from meetingbots.bots.manifests.pod_status import pod_state
from meetingbots.models.base import format_time
from meetingbots.models.bot import BotReason, MeetingBot, TokenKind
from meetingbots.models.conditions import Condition

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MEETING = "81234567890"
UID = "abcde123-4567-89ab-cdef-0123456789ab"
POD = "standup-abcde-1"
SECRET = f"{POD}-zoom"
IMAGE = "registry.example/bot:1"
WAITS = {"waiting": {"reason": "CreateContainerConfigError", "message": f'secret "{SECRET}" not found'}}
CREATING = {"waiting": {"reason": "ContainerCreating"}}
TEMPLATE = {"spec": {"containers": [{"name": "bot", "image": IMAGE}]}}


_UNREMARKABLE: dict[str, Any] = {
    "meeting": MeetingRef(meeting_id=MEETING),
    "pod_hash": "hash",
    "pod": None,
    "pod_seen": False,
    "previous_pod": None,
    "kept_pods": (),
    "template": None,
    "checked": True,
    "doubtful": False,
    "refused": None,
    "delivery": None,
    "token_failure": None,
    "touches": 0,
    "touched_at": None,
    "secret_gone": False,
    "prepared": True,
    "meeting_ended_at": None,
    "in_meeting": None,
    "on_behalf_users": (),
    "absent_credentials": (),
    "notices_due": False,
    "default_ttl": None,
    "done_before": False,
}
"""Facts about a bot that nothing has happened to: its template is checked, its token requests are prepared."""


def at(seconds: float) -> datetime:
    """So many seconds after NOW, which is when the bots of these tests are created."""
    return NOW + timedelta(seconds=seconds)


def running(since: float = 1) -> dict[str, Any]:
    """The state of a container that runs."""
    return {"running": {"startedAt": format_time(at(since))}}


def ended(code: int, *, message: str = "", start: float = 1, end: float = 60) -> dict[str, Any]:
    """The state of a container that has ended."""
    state = {"exitCode": code, "startedAt": format_time(at(start)), "finishedAt": format_time(at(end))}
    return {"terminated": {**state, "reason": "Error" if code else "Completed", "message": message}}


def bot_object(*, status: dict[str, Any] | None = None, generation: int = 1, **spec: Any) -> dict[str, Any]:
    """A MeetingBot as the API server gives it: immediate, with a link, and with a template."""
    return {
        "apiVersion": "meetingbots.dev/v1alpha1",
        "kind": "MeetingBot",
        "metadata": {
            "name": "standup",
            "namespace": "team",
            "uid": UID,
            "generation": generation,
            "resourceVersion": "1",
            "creationTimestamp": format_time(NOW),
        },
        "spec": {"meeting": {"url": f"https://zoom.us/j/{MEETING}?pwd=open"}, "template": TEMPLATE, **spec},
        "status": status or {},
    }


def bot(*, status: dict[str, Any] | None = None, generation: int = 1, **spec: Any) -> MeetingBot:
    """The same as a model."""
    return MeetingBot.from_object(bot_object(status=status, generation=generation, **spec))


def pod_object(
    state: dict[str, Any] | None = CREATING,
    *,
    name: str = POD,
    phase: str = "Pending",
    others: dict[str, dict[str, Any]] | None = None,
    init: dict[str, dict[str, Any]] | None = None,
    conditions: list[dict[str, Any]] | None = None,
    deleted_at: float | None = None,
    grace: int = 60,
    spec_hash: str = "hash",
    **status: Any,
) -> dict[str, Any]:
    """A bot's Pod as the API server gives it; `state` is that of container bot, None before the first report."""
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": "team",
        "uid": f"uid-of-{name}",
        "creationTimestamp": format_time(NOW),
        "labels": {"meetingbots.dev/bot": "standup"},
        "annotations": {SPEC_HASH_ANNOTATION: spec_hash},
        "ownerReferences": [{"apiVersion": "v1", "kind": "MeetingBot", "name": "standup", "uid": UID}],
    }
    if deleted_at is not None:
        metadata["deletionTimestamp"] = format_time(at(deleted_at + grace))
        metadata["deletionGracePeriodSeconds"] = grace
    reported: dict[str, Any] = {"phase": phase, "conditions": conditions or [], **status}
    if state is not None:
        states = {"bot": state, **(others or {})}
        reported["containerStatuses"] = [{"name": key, "state": value} for key, value in states.items()]
    if init:
        reported["initContainerStatuses"] = [{"name": key, "state": value} for key, value in init.items()]
    return {"metadata": metadata, "spec": {"nodeName": "node-1"}, "status": reported}


def pod(state: dict[str, Any] | None = CREATING, **more: Any) -> PodState:
    """The same, as it is read."""
    return pod_state(pod_object(state, **more))


def facts(given: MeetingBot | None = None, *, after: float = 1, **more: Any) -> BotFacts:
    """Facts about a bot, so many seconds after its creation."""
    return BotFacts(**{**_UNREMARKABLE, "bot": given or bot(), "now": at(after), **more})


def staged(**spec: Any) -> MeetingBot:
    """A bot whose first Pod is claimed."""
    status = {"phase": "Staging", "podName": POD, "attempts": 1, "meetingId": MEETING}
    return bot(status={**status, **spec.pop("status", {})}, **spec)


def ready(plan: BotPlan) -> Condition:
    """The condition Ready of a plan's status."""
    condition = plan.status.ready
    assert condition is not None
    return condition


def delivery(*, after: float = 1, reason: str = "", message: str = "") -> Delivery:
    """A delivery, with a token unless there is a reason."""
    kinds = () if reason else (TokenKind.LOCAL_RECORDING,)
    return Delivery(
        pod_name=POD,
        kinds=kinds,
        delivered_at=at(after),
        issued_at=None if reason else at(after),
        credential=None if reason else "alice",
        reason=reason,
        message=message,
        spec_hash="joined-with",
    )


def token_failure(*, transient: bool, first: float = 1, following: float = 2) -> TokenFailure:
    """A try without a token."""
    reason = BotReason.ZOOM_UNAVAILABLE if transient else BotReason.NOT_THE_HOST
    return TokenFailure(
        reason=reason,
        message="alice (Host): no.",
        transient=transient,
        first_try_at=at(first),
        next_try_at=at(following),
    )
