"""A run from its plan to its record: the time of faults, the time to settle, and the end of everything."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from tests.cluster.api import ApiError
from tests.soak.actors import Actors
from tests.soak.evidence import Evidence
from tests.soak.faults import Faults
from tests.soak.invariants import ALWAYS, broken, every_bot_ended, mappings_are_true
from tests.soak.plan import Plan
from tests.soak.record import Record
from tests.soak.scene import CREDENTIALS, Scene
from tests.soak.timeline import Timeline
from tests.stack.tenant import GROUP, Tenant

PROGRESS_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 1.0
CHECK_SECONDS: Final = 20.0
"""Between two checks while the run lasts: each reads the whole audit log."""
SETTLE_SECONDS: Final = 300.0
"""How long each step of settling may take. What is not right by then is in the record, and breaks a rule."""
END_SECONDS: Final = 4.0
"""Between the end of a meeting and its next run."""
_TURN_SECONDS: Final = 0.05
_SYNC: Final = "meetingbots.dev/sync-requested-at"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The record, what was broken while it ran, and counts to print."""

    record: Record
    broken: dict[str, list[str]]
    counts: dict[str, int]


class Run:
    """One run on a scene."""

    def __init__(self, scene: Scene, plan: Plan) -> None:
        self._scene = scene
        self._plan = plan
        self._timeline = Timeline()
        self._actors = Actors(scene, self._timeline)
        self._faults = Faults(scene)
        self._evidence = Evidence(scene, self._faults.interruptions)
        self._broken: dict[str, list[str]] = {}
        self._said = self._looked = self._ended = self._checked = 0.0

    def play(self) -> Outcome:
        """Play the plan, settle, and collect the record."""
        self._actors.take(self._plan)
        for fault in self._plan.faults:
            self._timeline.add(fault.at, partial(self._faults.begin, fault))
        self._timeline.begin()
        while self._timeline.now < self._plan.seconds:
            self._turn("faults")
        self._faults.finish()
        self._until("steps that had to wait", lambda: self._timeline.left == 0)
        return self._settle()

    def _settle(self) -> Outcome:
        self._until("credentials Ready", self._credentials_ready)
        self._until("bots ended", self._bots_ended)
        record = self._with_ends()
        self._until("events delivered", lambda: self._scene.zoom.settled(seconds=1.0))
        self._sync()
        self._until("mappings true", lambda: not list(mappings_are_true(self._with_mappings(record))))
        record = self._with_mappings(record)
        for bot in self._actors.bots:
            bot.tenant.cluster.api.delete(bot.path)
        self._until("nothing left", lambda: not self._evidence.left())
        left = (*self._evidence.left(), *self._tokens_left())
        record = replace(
            self._evidence.so_far(), bots=record.bots, zoom=record.zoom, mappings=record.mappings, left=left
        )
        return Outcome(record=record, broken=self._broken | broken(record), counts=self._counts(record))

    def _tokens_left(self) -> tuple[str, ...]:
        """Delete the credentials, and name each token Secret that its policy Delete leaves."""
        for customer in self._scene.customers:
            for name in CREDENTIALS:
                customer.tenant.delete("zoomcredentials", name)
        wrong: list[str] = []
        for customer in self._scene.customers[1:]:  # the policy of the first is Retain
            for name in CREDENTIALS:
                secret = f"{name}-zoom-token"
                is_gone = partial(_is_gone, customer.tenant, secret)
                self._until(f"{secret} deleted", is_gone)
                if not is_gone():
                    wrong.append(f"Secret {customer.tenant.namespace}/{secret} with tokenDeletionPolicy Delete")
        return tuple(wrong)

    def _sync(self) -> None:
        """Request a sync of every credential: it repairs what an event that Zoom gave up would have said."""
        request = {"metadata": {"annotations": {_SYNC: datetime.now(UTC).isoformat()}}}
        for customer in self._scene.customers:
            for name in CREDENTIALS:
                path = f"{GROUP}/namespaces/{customer.tenant.namespace}/zoomcredentials/{name}"
                customer.tenant.cluster.api.patch(path, request)

    def _bots_ended(self) -> bool:
        if not list(every_bot_ended(self._with_ends())):
            return True
        if time.monotonic() - self._ended > END_SECONDS:
            self._ended = time.monotonic()
            self._actors.end_meetings()
        return False

    def _credentials_ready(self) -> bool:
        return all(
            customer.tenant.condition("zoomcredentials", name).get("status") == "True"
            for customer in self._scene.customers
            for name in CREDENTIALS
        )

    def _with_ends(self) -> Record:
        return Record(bots=self._evidence.ends(self._actors.bots))

    def _with_mappings(self, record: Record) -> Record:
        return replace(record, zoom=self._evidence.zoom(), mappings=self._evidence.mappings())

    def _until(self, what: str, holds: Callable[[], bool]) -> None:
        """Go on until `holds`, or until the limit: the rules say then what is wrong."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while not holds() and time.monotonic() < deadline:
            self._turn(f"until {what}")
            time.sleep(0.2)

    def _turn(self, what: str) -> None:
        self._timeline.run_due()
        now = time.monotonic()
        if now - self._looked > LOOK_SECONDS:
            self._looked = now
            self._faults.keep_running()
            self._look()
        if now - self._said > PROGRESS_SECONDS:
            self._said = now
            if now - self._checked > CHECK_SECONDS:
                self._checked = now
                self._check()
            self._say(what)
        time.sleep(_TURN_SECONDS)

    def _look(self) -> None:
        try:
            self._actors.look_at_credentials()
        except (OSError, ApiError):
            return  # the API server is away

    def _check(self) -> None:
        """Check what must hold at any time; each sentence is kept, also if its trace is gone later."""
        for rule, sentences in broken(self._evidence.so_far(), rules=ALWAYS).items():
            known = self._broken.setdefault(rule, [])
            for sentence in sentences:
                if sentence not in known:
                    known.append(sentence)
                    print(f"soak: BROKEN {rule}: {sentence}", flush=True)

    def _say(self, what: str) -> None:
        pods = sum(len(self._scene.kubelet.records(one.tenant.namespace)) for one in self._scene.customers)
        print(
            f"soak: {self._timeline.now:4.0f} s, {what}: {sum(self._faults.done.values())} faults, "
            f"{len(self._actors.bots)} bots, {pods} Pods, {self._timeline.left} steps to come, "
            f"{sum(map(len, self._broken.values()))} broken",
            flush=True,
        )

    def _counts(self, record: Record) -> dict[str, int]:
        deliveries = self._scene.zoom.deliveries()
        without = Counter(f"bots without a token: {bot.without_token}" for bot in record.bots if bot.without_token)
        return {
            **dict(sorted(self._faults.done.items())),
            "bots": len(record.bots),
            "Pods": len(record.pods),
            "Pods and Secrets that operators created": len(record.created),
            "tokens in Pods": sum(len(pod.tokens) for pod in record.pods),
            **dict(sorted(without.items())),
            "refreshes": len(record.presentations),
            "replaced tokens presented after a lost answer": sum(use.rotated for use in record.presentations),
            "consents given again": self._actors.consents,
            "webhooks": len(deliveries),
            "webhooks sent again": sum(len(one.attempts) - 1 for one in deliveries if one.attempts),
            "meetings": len(record.zoom),
        }


def _is_gone(tenant: Tenant, secret: str) -> bool:
    return not tenant.core("secrets", secret)
