"""Every kopf decorator of the operator, and nothing else.

A handler only caches the object and queues its key; the queues retry, while kopf never retries a failed event handler.
There are no finalizers, timers or daemons: a deletion must not wait for this process, and delays are the queues' own.
"""

from __future__ import annotations

from typing import Any

import kopf

from meetingbots.kube.connection import Connection
from meetingbots.kube.resources import BOTS, CREDENTIALS, MAPPINGS, PODS, Resource
from meetingbots.models import names
from meetingbots.process.dispatcher import Dispatcher
from meetingbots.process.kopf_stores import NoDifferences, NoProgress

_REQUEST_TIMEOUT = 30.0
_CONNECT_TIMEOUT = 5.0
# Seconds before each retry of a watch while the API server is away. kopf's own grow to 21 s and end the process after
# a minute; these notice the server's return within 3 s, and keep the process alive for five minutes without it.
_RETRIES = (1, 1, 2, *([3] * 100))


def registry(*, connection: Connection, dispatcher: Dispatcher) -> kopf.OperatorRegistry:
    """The handlers of one operator process."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(
            server=connection.server, aiohttp_session=connection.session(timeout=_REQUEST_TIMEOUT)
        )

    @kopf.on.event(*_selector(CREDENTIALS), registry=handlers)
    async def credential(event: kopf.RawEvent, **_: Any) -> None:
        dispatcher.credential(dict(event["object"]), deleted=event["type"] == "DELETED")

    @kopf.on.event(*_selector(BOTS), registry=handlers)
    async def bot(event: kopf.RawEvent, **_: Any) -> None:
        dispatcher.bot(dict(event["object"]), deleted=event["type"] == "DELETED")

    @kopf.on.event(*_selector(PODS), registry=handlers)
    async def pod(event: kopf.RawEvent, **_: Any) -> None:
        dispatcher.pod(dict(event["object"]), deleted=event["type"] == "DELETED")

    @kopf.on.event(*_selector(MAPPINGS), registry=handlers)
    async def live_mapping(event: kopf.RawEvent, **_: Any) -> None:
        dispatcher.live_mapping(dict(event["object"]), deleted=event["type"] == "DELETED")

    return handlers


def settings() -> kopf.OperatorSettings:
    """Watch only our Pods and the mappings of running meetings, and write nothing."""
    kopf_settings = kopf.OperatorSettings()
    kopf_settings.posting.enabled = False
    kopf_settings.peering.standalone = True
    kopf_settings.scanning.disabled = True
    kopf_settings.persistence.diffbase_storage = NoDifferences()
    kopf_settings.persistence.progress_storage = NoProgress()
    kopf_settings.networking.request_timeout = _REQUEST_TIMEOUT
    kopf_settings.networking.connect_timeout = _CONNECT_TIMEOUT
    kopf_settings.networking.error_backoffs = _RETRIES
    kopf_settings.watching.server_timeout = 300
    kopf_settings.watching.label_selectors["pods"] = f"{names.MANAGED_BY_LABEL}={names.MANAGED_BY}"
    kopf_settings.watching.label_selectors[names.MAPPING_PLURAL] = f"{names.LIVE_LABEL}={names.LIVE}"
    return kopf_settings


def _selector(resource: Resource) -> tuple[str, str, str]:
    return resource.group, resource.version, resource.plural
