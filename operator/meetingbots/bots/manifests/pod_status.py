"""Reads a Pod as the API server returns it into the values that a bot's life is decided from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from meetingbots.bots.decide.pod_state import ContainerState, PodState
from meetingbots.bots.manifests.pod import SPEC_HASH_ANNOTATION
from meetingbots.models.bot import MeetingBot
from meetingbots.models.names import BOT_CONTAINER

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_PLACED = frozenset({"Unschedulable", "SchedulingGated"})


def pod_state(pod: Mapping[str, Any]) -> PodState:
    """The state of a Pod; absent fields have the meaning that they have before the kubelet's first report."""
    metadata, status = pod["metadata"], pod.get("status", {})
    created_at = _time(metadata["creationTimestamp"])
    containers = [_container(item, created_at) for item in status.get("containerStatuses", ())]
    conditions = {item["type"]: item for item in status.get("conditions", ())}
    scheduled, disruption = conditions.get("PodScheduled", {}), conditions.get("DisruptionTarget", {})
    disrupted = disruption.get("status") == "True"
    return PodState(
        name=metadata["name"],
        uid=metadata["uid"],
        phase=status.get("phase", "Pending"),
        deleting="deletionTimestamp" in metadata,
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        node=pod.get("spec", {}).get("nodeName", ""),
        unschedulable=scheduled.get("message", "no node fits") if scheduled.get("reason") in _NOT_PLACED else "",
        sandbox_waits_since=_sandbox_waits(conditions, reported=bool(containers)),
        disruption=(disruption.get("message") or disruption.get("reason") or "disrupted") if disrupted else "",
        end_requested_at=_end_requested(metadata, disruption if disrupted else {}),
        ends_by=_optional_time(metadata.get("deletionTimestamp")),
        spec_hash=metadata.get("annotations", {}).get(SPEC_HASH_ANNOTATION, ""),
        bot=next((item for item in containers if item.name == BOT_CONTAINER), None),
        others=tuple(item for item in containers if item.name != BOT_CONTAINER),
        init=tuple(_container(item, created_at) for item in status.get("initContainerStatuses", ())),
    )


def _sandbox_waits(conditions: Mapping[str, Mapping[str, Any]], *, reported: bool) -> datetime | None:
    """Since when a node has had the Pod without preparing its sandbox; also if its kubelet reports nothing at all."""
    sandbox, scheduled = conditions.get("PodReadyToStartContainers"), conditions.get("PodScheduled", {})
    if scheduled.get("status") != "True":
        return None
    if sandbox is None:
        return None if reported else _optional_time(scheduled.get("lastTransitionTime"))
    return _optional_time(sandbox.get("lastTransitionTime")) if sandbox.get("status") == "False" else None


def _end_requested(metadata: Mapping[str, Any], disruption: Mapping[str, Any]) -> datetime | None:
    moments = [_optional_time(disruption.get("lastTransitionTime"))]
    if "deletionTimestamp" in metadata:
        # deletionTimestamp is when the grace period ends (Kubernetes API, ObjectMeta).
        grace = timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0)
        moments.append(_time(metadata["deletionTimestamp"]) - grace)
    return min((moment for moment in moments if moment is not None), default=None)


def _container(item: Mapping[str, Any], created_at: datetime) -> ContainerState:
    state = item.get("state", {})
    name = item["name"]
    if "terminated" in state:
        ended = state["terminated"]
        return ContainerState(
            name=name,
            started_at=_optional_time(ended.get("startedAt")),
            exit_code=int(ended.get("exitCode", 0)),
            reason=ended.get("reason", ""),
            message=ended.get("message", ""),
            finished_at=_optional_time(ended.get("finishedAt")),
        )
    if "running" in state:
        return ContainerState(name=name, started_at=_optional_time(state["running"].get("startedAt")) or created_at)
    waiting = state.get("waiting", {})
    return ContainerState(
        name=name,
        # A container that the kubelet has not looked at yet waits as well.
        waiting_reason=waiting.get("reason", "ContainerCreating"),
        waiting_message=waiting.get("message", ""),
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _optional_time(text: str | None) -> datetime | None:
    """A time of a status; None also for the zero times that runtimes report for what never happened."""
    moment = _time(text) if text else None
    return moment if moment is not None and moment > _NEVER else None


def belongs_to(item: Mapping[str, Any], bot: MeetingBot) -> bool:
    """Whether an object's owner is this MeetingBot, and not a deleted one of the same name."""
    return any(owner.get("uid") == bot.metadata.uid for owner in item["metadata"].get("ownerReferences", ()))
