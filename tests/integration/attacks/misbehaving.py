"""A whole operator in a child process that freezes, loses a task, or has its clock set, where a test says so."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.connection import find_cluster
from meetingbots.kube.resources import BOTS, PODS, Resource
from meetingbots.process import assembly
from meetingbots.process import operator as operator_process
from meetingbots.runtime.settings import OperatorSettings

from tests.integration.killpoints.forked import Forked

Freeze = Literal["after the claim", "before the create"]


@dataclass(frozen=True, kw_only=True)
class Order:
    """Which namespaces the operator serves, and how it misbehaves.

    `trace` gets a line for each call about bots and Pods. `freeze`: it stops itself there (SIGSTOP), once. `cancel`:
    of a bot called ``bN``, the Nth call is cancelled from inside. `clock`: a file with the seconds that its wall clock
    is ahead.
    """

    kubeconfig: Path
    zoom_url: str
    namespaces: tuple[str, ...]
    trace: Path
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


class _Kube(Kube):
    def __init__(self, *, order: Order, **given: Any) -> None:
        super().__init__(**given)
        self._order = order
        self._frozen = False
        self._calls: Counter[str] = Counter()

    async def _call(
        self,
        verb: str,
        resource: Resource,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        media: str | None = None,
    ) -> Object:
        call = partial(super()._call, verb, resource, method, path, query=query, body=body, media=media)
        if resource not in (BOTS, PODS) or verb in ("list", "watch") or "dryRun" in (query or {}):
            return await call()
        self._strike("before the create", verb == "create")
        with self._order.trace.open("a") as file:
            file.write(f"{verb} {resource.kind}\n")
        claims = resource is BOTS and "podName" in ((body or {}).get("status") or {})
        if self._order.cancel and self._is_due(path, body):
            raise asyncio.CancelledError
        answer = await call()
        self._strike("after the claim", claims)
        return answer

    def _strike(self, moment: Freeze, now: bool) -> None:
        if now and self._order.freeze == moment and not self._frozen:
            self._frozen = True
            os.kill(os.getpid(), signal.SIGSTOP)

    def _is_due(self, path: str, body: Object | None) -> bool:
        name = str((body or {}).get("metadata", {}).get("name", "")) or path.removesuffix("/status").rpartition("/")[2]
        bot = name.partition("-")[0]
        self._calls[bot] += 1
        return bot == f"b{self._calls[bot]}"


def _main(order: Order) -> None:
    logging.basicConfig(filename=order.trace.with_suffix(".log"), level=logging.INFO)
    vars(operator_process).update(find_cluster=partial(find_cluster, kubeconfig=str(order.kubeconfig)))
    vars(assembly).update(Kube=partial(_Kube, order=order))
    if order.clock is not None:
        vars(assembly).update(_now=partial(_read_clock, order.clock))
    settings = OperatorSettings(
        zoom_api_url=f"{order.zoom_url}/v2",
        zoom_oauth_url=f"{order.zoom_url}/oauth",
        namespace=order.namespaces,
        system_namespace="default",
        health_port=0,
        metrics_port=0,
    )
    raise SystemExit(asyncio.run(operator_process.run_operator(settings)))


def _read_clock(file: Path) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=float(file.read_text() or 0))
