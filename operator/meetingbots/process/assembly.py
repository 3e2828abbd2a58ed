"""Builds an operator process: its clients, caches and queues, and the slices that use them."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from meetingbots.bots import assembly as bots_assembly
from meetingbots.bots.rejoin.endpoint import EndpointServices
from meetingbots.credentials import assembly as credentials_assembly
from meetingbots.kube.client import Kube
from meetingbots.kube.connection import Connection
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.kube.resources import Resource
from meetingbots.mappings import assembly as mappings_assembly
from meetingbots.mappings.recently_deleted import RecentlyDeletedMappings
from meetingbots.runtime.accounts import RateBudgets
from meetingbots.runtime.context import ObjectCaches, OperatorContext, Queues
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.object_cache import Key
from meetingbots.runtime.settings import OperatorSettings
from meetingbots.runtime.work_queue import WorkQueue
from meetingbots.runtime.workers import Tasks, lent
from meetingbots.zoom.api import ZoomAPI
from meetingbots.zoom.http.exchange import new_http_client
from meetingbots.zoom.limits.limiter import AccountLimiter
from meetingbots.zoom.oauth import OAuthClient

_ZOOM_SECONDS: Final = 20.0


@asynccontextmanager
async def open_context(settings: OperatorSettings, connection: Connection) -> AsyncIterator[OperatorContext]:
    """The context of this process; its HTTP sessions close at the end."""
    metrics = Metrics()
    monotonic = asyncio.get_running_loop().time

    def count(verb: str, resource: Resource, status: int) -> None:
        metrics.kube_requests.labels(verb, resource.plural, str(status or "error")).inc()

    async with (
        connection.session() as session,
        new_http_client(timeout=_ZOOM_SECONDS, user_agent="meetingbots") as http,
    ):
        kube = Kube(session=session, server=connection.server, on_call=count)
        instance = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
        caches = ObjectCaches()
        rates = RateBudgets(credentials=caches.credentials, min_share=settings.min_share_percent / 100)
        limiter = AccountLimiter(
            allowance=rates.allowance, clock=monotonic, utc=_now, on_wait=metrics.on_rate_limit_wait, waiting=lent
        )

        def api_at(api_url: str) -> ZoomAPI:
            on_call = metrics.on_zoom_call
            return ZoomAPI(http, api_url=api_url, deadline=_ZOOM_SECONDS, on_call=on_call, limiter=limiter)

        yield OperatorContext(
            kube=kube,
            oauth=OAuthClient(http, oauth_url=settings.zoom_oauth_url, on_call=metrics.on_zoom_call),
            api=api_at(settings.zoom_api_url),
            api_at=api_at,
            settings=settings,
            clock=_now,
            recorder=EventRecorder(kube=kube, clock=_now, instance=instance),
            metrics=metrics,
            instance=instance,
            queues=Queues(**{one.name: WorkQueue(clock=monotonic, tenant=_namespace) for one in fields(Queues)}),
            caches=caches,
            rates=rates,
        )


def _namespace(key: Key) -> str:
    return key.namespace


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Slices:
    """The tasks of all slices, and the service behind the token endpoint."""

    tasks: Tasks
    endpoint: EndpointServices


def assemble(context: OperatorContext, *, recently_deleted: RecentlyDeletedMappings) -> Slices:
    """Build credentials first: the other slices use their access tokens."""
    credentials = credentials_assembly.assemble(context)
    mappings = mappings_assembly.assemble(
        context,
        ports=mappings_assembly.CredentialPorts(
            sessions=credentials.sessions,
            personal_ids=credentials.personal_ids,
            reactivation=credentials.reactivation,
        ),
        recently_deleted=recently_deleted,
    )
    bots = bots_assembly.assemble(
        context, access_tokens=credentials.access_tokens, monotonic=asyncio.get_running_loop().time
    )
    return Slices(
        tasks=Tasks(
            controllers=(*credentials.controllers, *mappings.controllers, *bots.controllers),
            background=mappings.background,
            finish=credentials.finish,
        ),
        endpoint=bots.endpoint,
    )
