"""A whole operator in a child process that freezes, loses a task, or has its clock set, where a test says so."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

from meetingbots.kube.client import Object
from meetingbots.kube.resources import BOTS, PODS

from tests.integration.killpoints.child_operator import OperatorOrder, run_operator
from tests.integration.killpoints.forked import Forked
from tests.integration.killpoints.intercepted import InterceptedKube, KubeCall

Freeze = Literal["after the claim", "before the create"]


@dataclass(frozen=True, kw_only=True)
class Order(OperatorOrder):
    """How the operator misbehaves.

    `trace` gets a line for each call about bots and Pods. `freeze`: it stops itself there (SIGSTOP), once. `cancel`:
    of a bot called ``bN``, the Nth call is cancelled from inside. `clock`: a file with the seconds that its wall clock
    is ahead.
    """

    freeze: Freeze | None = None
    cancel: bool = False
    clock: Path | None = None


def start(order: Order) -> Forked:
    """Start the operator; it writes its log beside the trace."""
    return Forked(_main, order, trace=order.trace)


def is_stopped(operator: Forked) -> bool:
    """Whether the process has stopped itself."""
    state = Path(f"/proc/{operator.pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state == "T"


class _MisbehavingKube(InterceptedKube):
    def __init__(self, *, order: Order, **given: Any) -> None:
        super().__init__(**given)
        self._order = order
        self._frozen = False
        self._calls: Counter[str] = Counter()

    async def intercept(self, call: KubeCall, send: Callable[[], Awaitable[Object]]) -> Object:
        if call.resource not in (BOTS, PODS) or call.verb == "list" or "dryRun" in call.query:
            return await send()
        self._strike("before the create", call.verb == "create")
        with self._order.trace.open("a") as file:
            file.write(f"{call.verb} {call.resource.kind}\n")
        if self._order.cancel and self._is_due(call):
            raise asyncio.CancelledError
        answer = await send()
        self._strike("after the claim", call.resource is BOTS and "podName" in (call.body.get("status") or {}))
        return answer

    def _strike(self, moment: Freeze, now: bool) -> None:
        if now and self._order.freeze == moment and not self._frozen:
            self._frozen = True
            os.kill(os.getpid(), signal.SIGSTOP)

    def _is_due(self, call: KubeCall) -> bool:
        name = str(call.body.get("metadata", {}).get("name", ""))
        bot = (name or call.path.removesuffix("/status").rpartition("/")[2]).partition("-")[0]
        self._calls[bot] += 1
        return bot == f"b{self._calls[bot]}"


def _main(order: Order) -> None:
    replaced: dict[str, Any] = {"Kube": partial(_MisbehavingKube, order=order)}
    if order.clock is not None:
        replaced["_now"] = partial(_read_clock, order.clock)
    run_operator(order, **replaced)


def _read_clock(file: Path) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=float(file.read_text() or 0))
