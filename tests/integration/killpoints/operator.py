"""The child process of a bot: the whole operator, on clients that die at the n-th call that is about bots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import httpx
from meetingbots.kube.resources import BOTS, MAPPINGS, PODS, SECRETS
from meetingbots.zoom.http.exchange import new_http_client

from tests.integration.killpoints.child_operator import OperatorOrder, run_operator
from tests.integration.killpoints.dying import DyingKube, DyingTransport, Killer, Moment
from tests.integration.killpoints.forked import Forked
from tests.integration.killpoints.intercepted import KubeCall


@dataclass(frozen=True, kw_only=True)
class DyingOrder(OperatorOrder):
    """At which call (from 1; 0: never) the operator dies."""

    call: int = 0
    moment: Moment = "before"


def start(order: DyingOrder) -> Forked:
    """Start the operator; it writes its log beside the trace."""
    return Forked(_main, order, trace=order.trace)


class _BotsKube(DyingKube):
    def counts(self, call: KubeCall) -> bool:
        if call.resource is SECRETS:
            name = call.body["metadata"]["name"] if call.verb == "create" else call.path.rsplit("/", 1)[-1]
            return str(name).endswith("-zoom")
        if call.resource is MAPPINGS:
            return call.verb == "get"
        return call.verb != "list" and call.resource in (BOTS, PODS)


class _BotsTransport(DyingTransport):
    def counts(self, path: str) -> bool:
        return "/jointoken/" in path


def _main(order: DyingOrder) -> None:
    killer = Killer(trace=order.trace, call=order.call, moment=order.moment)

    def dying_client(**given: Any) -> httpx.AsyncClient:
        return new_http_client(**given, transport=_BotsTransport(client=aiohttp.ClientSession(), killer=killer))

    run_operator(order, Kube=partial(_BotsKube, killer=killer), new_http_client=dying_client)
