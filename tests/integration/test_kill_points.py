"""SIGKILL before and after every call of a credential's renewal; then the real operator goes on with what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, get_args

import httpx
import pytest

from tests.cluster.api import core_path
from tests.cluster.controlplane import ControlPlane
from tests.integration.killpoints.dying import Moment
from tests.integration.killpoints.process import Order, run
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.world import User

NAMESPACE = "killed"
LOST = "Zoom's answer lost: reported as RotationInterrupted"
WORKS = "works"


@dataclass
class Case:
    """One credential whose operator was killed at one point."""

    scenario: str
    name: str
    call: int
    moment: Moment
    at: str
    user: str
    may_lose: bool
    result: str = field(default="")

    @property
    def row(self) -> str:
        return f"{self.scenario:<16} {self.call:>3}  {self.moment:<6}  {self.at:<28}  {self.result}"


@dataclass
class Scenario:
    """`prepare` brings a fresh credential to where the work that is to be killed begins."""

    name: str
    prepare: Callable[[Harness, str, str], None]


class Harness:
    """A cluster without an operator, and a Zoom."""

    def __init__(self, cluster: ControlPlane, zoom: SimClient, folder: Path) -> None:
        cluster.api.create(core_path("namespaces"), {"metadata": {"name": NAMESPACE}})
        self.cluster, self.zoom, self.folder = cluster, zoom, folder
        self.tenant = Tenant(cluster, zoom, NAMESPACE)
        self.tenant.app_secret()

    def new_user(self, name: str) -> str:
        return self.zoom.add_user(User(account_id=self.tenant.account.id, email=f"{name}@tenant.example")).id

    def consent(self, name: str, user: str) -> None:
        token = self.zoom.consent(client_id=self.tenant.app.client_id, user=user).refresh_token
        self.tenant.secret(name, refresh_token=token)

    def credential(self, name: str) -> None:
        self.tenant.credential(name, meetingSync={"enabled": False})

    def work(
        self, name: str, *, call: int = 0, moment: Moment = "before", ahead: float = 0.0
    ) -> tuple[int | None, tuple[str, ...]]:
        outcome = run(
            Order(
                kubeconfig=self.cluster.kubeconfig(),
                zoom_url=self.zoom.base_url,
                namespace=NAMESPACE,
                name=name,
                trace=self.folder / name,
                call=call,
                moment=moment,
                ahead=ahead,
            )
        )
        return outcome.exit_code, outcome.calls

    def works(self, name: str) -> bool:
        """Whether the stored tokens are alive at Zoom: the access token now, the refresh token at a last renewal."""
        values = self.tenant.secret_values(f"{name}-zoom-token")
        bearer = {"authorization": f"Bearer {values.get('access_token', '')}"}
        return httpx.get(f"{self.zoom.api_url}/users/me", headers=bearer, trust_env=False).status_code == 200


def first_consent(harness: Harness, name: str, user: str) -> None:
    harness.consent(name, user)
    harness.credential(name)


def renewal(harness: Harness, name: str, user: str) -> None:
    first_consent(harness, name, user)
    assert harness.work(name)[0] == 0
    path = f"/apis/meetingbots.dev/v1alpha1/namespaces/{NAMESPACE}/zoomcredentials/{name}"
    harness.cluster.api.patch(path, {"metadata": {"annotations": {"meetingbots.dev/refresh-requested-at": "now"}}})


def changed_grant(harness: Harness, name: str, user: str) -> None:
    first_consent(harness, name, user)
    assert harness.work(name)[0] == 0
    # Times in the status are whole seconds: new tokens of the same second may leave it as it is, without a patch.
    refreshed = datetime.fromisoformat(harness.tenant.status("zoomcredentials", name)["lastRefreshTime"])
    harness.tenant.wait("another second", lambda: datetime.now(UTC) >= refreshed + timedelta(seconds=1))
    harness.consent(name, user)


SCENARIOS: Final = (
    Scenario("first consent", first_consent),
    Scenario("renewal", renewal),
    Scenario("changed grant", changed_grant),
)


def kill_everywhere(
    harness: Harness, scenario: Scenario, *, ahead: float = 0.0, critical_only: bool = False
) -> list[Case]:
    """One credential for each point, whose operator dies there. `critical_only`: from the claim until the store."""
    short = (
        f"{scenario.name.replace(' ', '-')}{f'-{ahead:+.0f}'.replace('+', 'p').replace('--', '-m') if ahead else ''}"
    )
    user = harness.new_user(f"{short}-whole")
    scenario.prepare(harness, f"{short}-whole", user)
    exit_code, calls = harness.work(f"{short}-whole")
    assert exit_code == 0, calls
    # The look every ten minutes may be due within the run; it only reads.
    calls = calls[: max(number for number, call in enumerate(calls, 1) if call != "get Secret")]
    asked = next(number for number, call in enumerate(calls, 1) if call == "Zoom POST /oauth/token")
    stored = next(number for number, call in enumerate(calls, 1) if number > asked and call == "patch Secret")
    cases = []
    for number, at in enumerate(calls, 1):
        if critical_only and not asked - 1 <= number <= stored:
            continue
        for moment in get_args(Moment):
            name = f"{short}-{number}-{moment}"
            user = harness.new_user(name)
            scenario.prepare(harness, name, user)
            exit_code, seen = harness.work(name, call=number, moment=moment, ahead=ahead)
            assert exit_code == -9, f"{name} ended with {exit_code}: {', '.join(seen)}"
            assert seen == calls[:number], "each run does the same, in the same order"
            cases.append(
                Case(
                    scenario=scenario.name,
                    name=name,
                    call=number,
                    moment=moment,
                    at=at,
                    user=user,
                    # From Zoom's answer until the store is done there is no second copy.
                    may_lose=(asked, 1) <= (number, _order(moment)) < (stored, 1),
                )
            )
    return cases


def _order(moment: Moment) -> int:
    return 0 if moment == "before" else 1


@pytest.mark.timeout(600)
def test_killed_before_and_after_every_call(own_cluster: ControlPlane, zoom: SimClient, tmp_path: Path) -> None:
    harness, of_others = Harness(own_cluster, zoom, tmp_path), set(zoom.records().refresh_uses)
    cases = [case for scenario in SCENARIOS for case in kill_everywhere(harness, scenario)]
    judge(harness, cases, of_others=of_others)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("ahead", [45.0, -45.0], ids=["fast", "slow"])
def test_killed_in_the_critical_window_by_another_clock(
    own_cluster: ControlPlane, zoom: SimClient, tmp_path: Path, ahead: float
) -> None:
    """The process that goes on has another clock than the one that claimed the refresh."""
    harness, of_others = Harness(own_cluster, zoom, tmp_path), set(zoom.records().refresh_uses)
    cases = kill_everywhere(harness, Scenario("renewal", renewal), ahead=ahead, critical_only=True)
    judge(harness, cases, of_others=of_others)


def judge(harness: Harness, cases: list[Case], *, of_others: set[str]) -> None:
    """Let the real operator go on: only a lost answer of Zoom loses a consent, and no token is spent twice else."""
    own_cluster, zoom, tmp_path = harness.cluster, harness.zoom, harness.folder
    with Stack(own_cluster, zoom_url=zoom.base_url, system="meetingbots-system", folder=tmp_path / "stack"):
        for case in cases:
            harness.tenant.wait(
                f"the end of {case.row}; {harness.tenant.status('zoomcredentials', case.name)}",
                lambda case=case: settled(harness, case),  # type: ignore[misc]
                seconds=120,
            )
    for case in cases:
        case.result = LOST if reported_as_lost(harness, case) else WORKS
    print("\n" + "\n".join(case.row for case in cases))
    assert [case.row for case in cases if case.result == LOST and not case.may_lose] == []
    assert [case.row for case in cases if case.result == WORKS and not harness.works(case.name)] == []
    lost = [case for case in cases if case.result == LOST]
    assert len(lost) == sum(case.may_lose for case in cases), "what is reported as lost is what was lost"
    # Only where an answer was lost was a token sent to Zoom twice.
    used = {token: uses for token, uses in zoom.records().refresh_uses.items() if token not in of_others}
    twice = [uses for uses in used.values() if uses > 1]
    assert max(twice, default=2) == 2
    assert len(twice) == len(lost)


def reported_as_lost(harness: Harness, case: Case) -> bool:
    """Of the consent in use, or of a changed grant beside it."""
    conditions = [harness.tenant.condition("zoomcredentials", case.name, kind) for kind in ("Ready", "GrantRejected")]
    return any(condition.get("reason") == "RotationInterrupted" for condition in conditions)


def settled(harness: Harness, case: Case) -> bool:
    if reported_as_lost(harness, case):
        return True
    status = harness.tenant.status("zoomcredentials", case.name)
    ready = harness.tenant.condition("zoomcredentials", case.name)
    values = harness.tenant.secret_values(f"{case.name}-zoom-token")
    renewed = case.scenario != "renewal" or status.get("lastHandledRefreshRequest") == "now"
    return ready.get("status") == "True" and "candidate" not in values and renewed and harness.works(case.name)


@pytest.mark.timeout(600)
def test_two_operators_never_spend_a_token_twice(own_cluster: ControlPlane, zoom: SimClient, tmp_path: Path) -> None:
    own_cluster.api.create(core_path("namespaces"), {"metadata": {"name": "shared"}})
    tenant = Tenant(own_cluster, zoom, "shared")
    zoom.change_app(tenant.app.client_id, access_token_seconds=4)
    tenant.app_secret()
    users = [zoom.add_user(User(account_id=tenant.account.id, email=f"u{n}@tenant.example")).id for n in range(6)]
    before = set(zoom.records().refresh_uses)
    stacks = [
        Stack(own_cluster, zoom_url=zoom.base_url, system=f"system-{letter}", folder=tmp_path / letter)
        for letter in "ab"
    ]
    try:
        for stack in stacks:
            stack.operator.start(wait=False)
        for number, user in enumerate(users):
            token = zoom.consent(client_id=tenant.app.client_id, user=user).refresh_token
            tenant.secret(f"shared-{number}", refresh_token=token)
            tenant.credential(f"shared-{number}", meetingSync={"enabled": False})
        for number in range(len(users)):
            tenant.wait_ready("zoomcredentials", f"shared-{number}")

        def uses() -> dict[str, int]:
            return {token: n for token, n in zoom.records().refresh_uses.items() if token not in before}

        tenant.wait("60 renewals", lambda: len(uses()) >= 60, seconds=240)
        print(f"\n{len(uses())} refresh tokens spent by two operators; most uses of one: {max(uses().values())}")
        assert max(uses().values()) == 1
        for number in range(len(users)):
            tenant.wait_ready("zoomcredentials", f"shared-{number}")
    finally:
        for stack in stacks:
            stack.stop()
