"""The whole operator in a child process, with parts of it replaced by those of a test."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from meetingbots.kube.connection import find_cluster
from meetingbots.process import assembly
from meetingbots.process import operator as operator_process
from meetingbots.runtime.settings import OperatorSettings


@dataclass(frozen=True, kw_only=True)
class OperatorOrder:
    """Which namespaces the operator serves (none: all); `trace` gets the calls that the test follows, a line each."""

    kubeconfig: Path
    zoom_url: str
    namespaces: tuple[str, ...]
    trace: Path


def run_operator(order: OperatorOrder, **replaced: Any) -> NoReturn:
    """Run the operator to its end, with these names of its assembly replaced; its log is written beside the trace."""
    logging.basicConfig(filename=order.trace.with_suffix(".log"), level=logging.INFO)
    vars(operator_process).update(find_cluster=partial(find_cluster, kubeconfig=str(order.kubeconfig)))
    vars(assembly).update(replaced)
    settings = OperatorSettings(
        zoom_api_url=f"{order.zoom_url}/v2",
        zoom_oauth_url=f"{order.zoom_url}/oauth",
        namespace=order.namespaces,
        system_namespace="default",
        health_port=0,
        metrics_port=0,
    )
    raise SystemExit(asyncio.run(operator_process.run_operator(settings)))
