"""SIGKILL before and after every call of a bot's life; then another operator goes on with what it finds.

Never two Pods for an attempt, never two Secrets for a Pod, never a token used twice, no orphan.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from tests.cluster.api import core_path, wait_until
from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.integration.killpoints.dying import Moment
from tests.integration.killpoints.forked import Outcome
from tests.integration.killpoints.operator import DyingOrder, start
from tests.stack.rights import grant
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.world import Meeting

SIDE_BY_SIDE: Final = 4
BOT: Final = "notes"


@dataclass(frozen=True)
class Scenario:
    """A bot's life: how it is ordered, how it ends, and in how many attempts."""

    name: str
    phase: str
    attempts: int
    most_calls: int
    starts_in: float = 0.0
    spec: dict[str, Any] = field(default_factory=dict)


SCENARIOS: Final = (
    Scenario("immediate", "Succeeded", attempts=1, most_calls=9),
    Scenario("scheduled", "Succeeded", attempts=1, most_calls=11, starts_in=4.0, spec={"leadSeconds": 1}),
    Scenario(
        "fails twice",
        "Failed",
        attempts=2,
        most_calls=18,
        spec={"image": "test/exit", "args": ["1", "0.3"], "retry": {"limit": 1, "backoffSeconds": 1}},
    ),
)


@dataclass
class Case:
    """One namespace with one bot, whose operator died at one point."""

    scenario: Scenario
    number: int
    moment: Moment
    tenant: Tenant
    meeting: Meeting
    outcome: Outcome | None = None

    @property
    def died(self) -> bool:
        return self.outcome is not None and self.outcome.exit_code == -9

    @property
    def row(self) -> str:
        at = self.outcome.calls[self.number - 1] if self.outcome and self.died else "not reached"
        return f"{self.scenario.name:<12} {self.number:>3}  {self.moment:<6}  {at}"


class Harness:
    """A cluster with a node and without an operator, and a Zoom."""

    def __init__(self, cluster: ControlPlane, zoom: SimClient, folder: Path) -> None:
        self.cluster, self.zoom, self.folder = cluster, zoom, folder
        self.kubeconfig = grant(cluster, "operator", system="first-system", served=())

    def case(self, scenario: Scenario, number: int, moment: Moment) -> Case:
        """A customer with consent, meeting and mapping; nobody has seen any of it yet."""
        namespace = f"{scenario.name.replace(' ', '-')}-{number}-{moment}"
        self.cluster.api.create(core_path("namespaces"), {"metadata": {"name": namespace}})
        account = core_path("serviceaccounts", namespace=namespace, name="default")
        wait_until(lambda: self.cluster.api.get(account) is not None, what=f"{namespace}'s default service account")
        tenant = Tenant(self.cluster, self.zoom, namespace, patience=60.0)
        meeting = tenant.meeting()
        tenant.app_secret()
        tenant.consent()
        tenant.credential(meetingSync={"enabled": False})
        tenant.mapping(meeting.id, "alice")
        return Case(scenario, number, moment, tenant, meeting)

    def play(self, case: Case) -> None:
        """Let an operator work on the bot until it dies, or until the bot is over."""
        tenant, trace = case.tenant, self.folder / case.tenant.namespace
        order = DyingOrder(
            kubeconfig=self.kubeconfig,
            zoom_url=self.zoom.base_url,
            namespaces=(tenant.namespace,),
            trace=trace,
            call=case.number,
            moment=case.moment,
        )
        operator = start(order)
        try:
            tenant.wait_ready("zoomcredentials", "alice")
            tenant.apply_object(self.bot(case))
            tenant.wait(
                f"the operator's death or the bot's end: {case.row}, {tenant.status('meetingbots', BOT)}",
                lambda: not operator.alive or tenant.phase(BOT) == case.scenario.phase,
            )
            if operator.alive:
                operator.ask_to_end()
        finally:
            case.outcome = operator.wait(seconds=20)

    def bot(self, case: Case) -> dict[str, Any]:
        """The bot stays for a second."""
        spec = dict(case.scenario.spec)
        if case.scenario.starts_in:
            spec["joinAt"] = (datetime.now(UTC) + timedelta(seconds=case.scenario.starts_in)).isoformat()
        body = case.tenant.bot_object(BOT, case.meeting.id, **spec)
        body["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "BOT_STAY_SECONDS", "value": "1"})
        return body


def points(scenario: Scenario) -> Iterator[tuple[int, Moment]]:
    return itertools.product(range(1, scenario.most_calls + 1), get_args(Moment))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "-"))
def test_killed_before_and_after_every_call_of_a_bots_life(
    scenario: Scenario, own_cluster: ControlPlane, zoom: SimClient, tmp_path: Path
) -> None:
    with ExitStack() as running:
        running.enter_context(KubeletDouble(own_cluster.kubeconfig("kubelet")))
        harness = Harness(own_cluster, zoom, tmp_path)
        whole = harness.case(scenario, 0, "before")
        harness.play(whole)
        assert whole.outcome is not None
        assert whole.outcome.exit_code == 0, whole.outcome
        assert len(whole.outcome.calls) <= scenario.most_calls, whole.outcome.calls
        cases = [harness.case(scenario, number, moment) for number, moment in points(scenario)]
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(harness.play, cases))
        stack = Stack(own_cluster, zoom_url=zoom.base_url, system="second-system", folder=tmp_path / "stack")
        running.enter_context(stack)
        for case in cases:
            case.tenant.wait_phase(BOT, scenario.phase, seconds=120)
            case.tenant.wait(f"{case.row}: no token left behind", lambda case=case: not join_secrets(case))  # type: ignore[misc]
    died = [case for case in cases if case.died]
    print("\n" + "\n".join(case.row for case in cases))
    assert len(died) >= 2 * (len(whole.outcome.calls) - 1), "nearly all points are reached in every run"
    made = objects_made(own_cluster)
    wrong = {case.row: found for case in [whole, *cases] if (found := what_is_wrong(case, made=made))}
    assert wrong == {}


def join_secrets(case: Case) -> list[str]:
    found = case.tenant.cluster.api.get(core_path("secrets", namespace=case.tenant.namespace)) or {}
    names = [item["metadata"]["name"] for item in found["items"]]
    return [name for name in names if name.startswith(f"{BOT}-")]


def objects_made(cluster: ControlPlane) -> dict[str, dict[str, int]]:
    """How many Pods and Secrets of bots operators made, by namespace: each as the API server's audit log has it."""
    made: dict[str, dict[str, int]] = {}
    for call in cluster.calls():
        if call.verb == "create" and call.code == 201 and not call.dry_run and call.user.endswith(":operator"):
            counts = made.setdefault(call.namespace, {})
            counts[call.resource] = counts.get(call.resource, 0) + 1
    return made


def what_is_wrong(case: Case, *, made: dict[str, dict[str, int]]) -> list[str]:
    """Each rule that the case's end breaks."""
    attempts, tenant = case.scenario.attempts, case.tenant
    status = tenant.status("meetingbots", BOT)
    visits = tenant.visits(case.meeting.id) if case.scenario.phase == "Succeeded" else []
    counts = made.get(tenant.namespace, {})
    checks = {
        f"{counts.get('pods')} Pods were made": counts.get("pods") == attempts,
        f"{counts.get('secrets')} Secrets were made, beside the token Secret": counts.get("secrets") == attempts + 1,
        f"attempts is {status.get('attempts')}": status.get("attempts") == attempts,
        f"infrastructureRestarts is {status.get('infrastructureRestarts')}": not status.get("infrastructureRestarts"),
        f"there are {len(tenant.pods())} Pods": len(tenant.pods()) <= attempts,
        f"it joined {len(visits)} times": len(visits) == (1 if case.scenario.phase == "Succeeded" else 0),
        "it did not record": all(visit.recording or visit.state == "left" for visit in visits),
        "it came without a token": all(visit.token_age_seconds is not None for visit in visits),
    }
    return [what for what, holds in checks.items() if not holds]
