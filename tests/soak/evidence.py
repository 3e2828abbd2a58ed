"""Collects a run's record from where it was written by others: the API server, its audit log, the node and Zoom."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from meetingbots.bots.manifests.environment import TOKEN_VARIABLES
from meetingbots.models.bot import TokenKind

from tests.cluster.api import core_path
from tests.cluster.audit import ApiCall
from tests.cluster.kubelet import PodRecord
from tests.soak.actors import Bot
from tests.soak.record import INFINITE, BotEnd, Interruption, Meeting, PodRun, Presentation, Record
from tests.soak.scene import Customer, Scene

TOKENS: Final = tuple(variable for kind, variable in TOKEN_VARIABLES.items() if kind is not TokenKind.ZAK)
"""The variables with tokens that work once."""
_CLAIM: Final = "meetingbots.dev/refresh-claim"


class Evidence:
    """Reads the record of a run, as far as it is known now."""

    def __init__(self, scene: Scene, interruptions: list[Interruption]) -> None:
        self._scene = scene
        self._interruptions = interruptions

    def so_far(self) -> Record:
        """What can be known while everything is broken: the node's, Zoom's, and the audit log's part."""
        calls = [call for call in self._scene.cluster.calls() if call.namespace in self._namespaces()]
        return Record(
            pods=tuple(self._pods()),
            created=tuple(pods_and_secrets_created(calls)),
            presentations=tuple(self._presentations()),
            writes=token_writes(calls),
            interruptions=tuple(self._interruptions),
        )

    def zoom(self) -> dict[str, Meeting]:
        """The customers' meetings, as they are at Zoom; without personal rooms."""
        found: dict[str, Meeting] = {}
        for customer in self._scene.customers:
            names = {user.id: name for name, user in customer.users.items()}
            for meeting in list(self._scene.sim.world.meetings.values()):
                if meeting.host_id in names and meeting.type != 4:
                    people = frozenset({(names[meeting.host_id], "Host")})
                    found[_key(customer, meeting.id)] = Meeting(phase=_phase(meeting), people=people)
        return found

    def mappings(self) -> dict[str, Meeting]:
        """The customers' mappings; without those of personal rooms."""
        found: dict[str, Meeting] = {}
        for customer in self._scene.customers:
            rooms = {str(user.pmi) for user in self._scene.sim.world.users.values()}
            for item in customer.tenant.mappings():
                if item["metadata"]["name"] not in rooms:
                    found[_key(customer, item["metadata"]["name"])] = _mapping(item)
        return found

    def ends(self, bots: list[Bot]) -> tuple[BotEnd, ...]:
        """Each bot as it is now."""
        return tuple(_end(bot) for bot in bots)

    def left(self) -> tuple[str, ...]:
        """Pods, Secrets of bots and claims of refreshes that are there."""
        return tuple(name for customer in self._scene.customers for name in _left(customer))

    def _namespaces(self) -> set[str]:
        return {customer.tenant.namespace for customer in self._scene.customers}

    def _pods(self) -> Iterator[PodRun]:
        for namespace in sorted(self._namespaces()):
            yield from (pod_run(record) for record in self._scene.kubelet.records(namespace))

    def _presentations(self) -> Iterator[Presentation]:
        names = {
            user.id: f"{customer.tenant.namespace}/{name}"
            for customer in self._scene.customers
            for name, user in customer.users.items()
        }
        for use in list(self._scene.sim.recorder.presentations):
            yield Presentation(
                credential=names.get(use.user_id or "", "unknown"),
                token=_digest(use.token),
                time=use.time,
                rotated=use.rotated,
                lost=use.lost,
            )


def pod_run(record: PodRecord) -> PodRun:
    """What the node recorded of a bot's container, with digests in place of tokens."""
    environment = record.environment.get("bot", {})
    return PodRun(
        namespace=record.namespace,
        bot=record.name.rsplit("-", 2)[0],
        pod=record.name,
        starts=record.starts.get("bot", 0),
        began=record.started.get("bot", INFINITE),
        ended=record.ended.get("bot", INFINITE),
        tokens=frozenset(_digest(environment[name]) for name in TOKENS if environment.get(name)),
    )


def pods_and_secrets_created(calls: list[ApiCall]) -> Iterator[str]:
    """Name each Pod of a bot and its Secret once for each create by an operator."""
    for call in calls:
        ours = call.verb == "create" and call.code == 201 and not call.dry_run and call.user.endswith(":operator")
        if ours and call.resource in ("pods", "secrets") and not call.name.endswith("-zoom-token"):
            yield f"{call.resource} {call.namespace}/{call.name}"


def token_writes(calls: list[ApiCall]) -> dict[str, tuple[float, ...]]:
    """When each credential's token Secret was written, in epoch seconds."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for call in calls:
        written = call.verb in ("create", "update", "patch") and 200 <= call.code < 300 and call.resource == "secrets"
        if written and call.name.endswith("-zoom-token"):
            found[f"{call.namespace}/{call.name.removesuffix('-zoom-token')}"].append(call.time.timestamp())
    return {name: tuple(times) for name, times in found.items()}


def _end(bot: Bot) -> BotEnd:
    item = bot.tenant.get("meetingbots", bot.order.name)
    status: dict[str, Any] = item.get("status", {})
    conditions: dict[str, dict[str, str]] = {one["type"]: one for one in status.get("conditions", ())}
    ready, token = conditions.get("Ready", {}), conditions.get("TokenIssued", {})
    return BotEnd(
        namespace=bot.tenant.namespace,
        name=bot.order.name,
        story=bot.order.story,
        phase=status.get("phase", "") if item else "Deleted",
        attempts=status.get("attempts", 0),
        allowed=bot.story.allowed,
        most_attempts=bot.story.most_attempts,
        without_token="" if token.get("status") == "True" else token.get("reason", ""),
        reason=f"{ready.get('reason', '')} {ready.get('message', '')}".strip(),
    )


def _left(customer: Customer) -> Iterator[str]:
    tenant = customer.tenant
    for pod in tenant.pods():
        yield f"Pod {tenant.namespace}/{pod['metadata']['name']}"
    for secret in tenant.cluster.api.request("GET", core_path("secrets", namespace=tenant.namespace))["items"]:
        metadata = secret["metadata"]
        name = f"{tenant.namespace}/{metadata['name']}"
        if metadata["name"].endswith("-zoom"):
            yield f"Secret {name}"
        if (metadata.get("annotations") or {}).get(_CLAIM):
            yield f"the claim in Secret {name}"


def _mapping(item: dict[str, Any]) -> Meeting:
    status = item.get("status", {})
    people = frozenset((entry["name"], entry["role"]) for entry in status.get("credentials", ()))
    return Meeting(phase=status.get("phase", ""), people=people)


def _phase(meeting: Any) -> str:
    if meeting.deleted:
        return "Deleted"
    if meeting.started:
        return "Live"
    return "Ended" if meeting.ended else "Scheduled"


def _key(customer: Customer, meeting_id: object) -> str:
    return f"{customer.tenant.namespace}/{meeting_id}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:16]
