"""The child process of a bot: the whole operator, on clients that die at the n-th call that is about bots."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import httpx
from meetingbots.kube.client import Object
from meetingbots.kube.connection import find_cluster
from meetingbots.kube.resources import BOTS, MAPPINGS, PODS, SECRETS, Resource
from meetingbots.process import assembly
from meetingbots.process import operator as operator_process
from meetingbots.runtime.settings import OperatorSettings
from meetingbots.zoom.http.exchange import new_http_client

from tests.integration.killpoints.dying import DyingKube, DyingTransport, Killer, Moment
from tests.integration.killpoints.forked import Forked


@dataclass(frozen=True, kw_only=True)
class OperatorOrder:
    """Which namespace the operator serves, and at which call (from 1; 0: never) it dies."""

    kubeconfig: Path
    zoom_url: str
    namespace: str
    trace: Path
    call: int = 0
    moment: Moment = "before"


def start(order: OperatorOrder) -> Forked:
    """Start the operator; it writes its log beside the trace."""
    return Forked(_main, order, trace=order.trace)


class _BotsKube(DyingKube):
    def counts(self, verb: str, resource: Resource, path: str, body: Object | None) -> bool:
        if resource is SECRETS:
            name = body["metadata"]["name"] if verb == "create" and body is not None else path.rsplit("/", 1)[-1]
            return str(name).endswith("-zoom")
        return verb != "list" and (resource in (BOTS, PODS) or (resource is MAPPINGS and verb == "get"))


class _BotsTransport(DyingTransport):
    def counts(self, path: str) -> bool:
        return "/jointoken/" in path


def _main(order: OperatorOrder) -> None:
    logging.basicConfig(filename=order.trace.with_suffix(".log"), level=logging.INFO)
    killer = Killer(trace=order.trace, call=order.call, moment=order.moment)

    def dying_client(**given: Any) -> httpx.AsyncClient:
        return new_http_client(**given, transport=_BotsTransport(client=aiohttp.ClientSession(), killer=killer))

    vars(operator_process).update(find_cluster=partial(find_cluster, kubeconfig=str(order.kubeconfig)))
    vars(assembly).update(Kube=partial(_BotsKube, killer=killer), new_http_client=dying_client)
    settings = OperatorSettings(
        zoom_api_url=f"{order.zoom_url}/v2",
        zoom_oauth_url=f"{order.zoom_url}/oauth",
        namespace=(order.namespace,),
        system_namespace="default",
        health_port=0,
        metrics_port=0,
    )
    raise SystemExit(asyncio.run(operator_process.run_operator(settings)))
