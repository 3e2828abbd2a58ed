"""Checks an installation (`kubectl meetingbots doctor`): the operator, credentials, Zoom apps and the receiver."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import httpx
from pydantic import SecretStr

from meetingbots.kube.client import Object
from meetingbots.kube.errors import KubeError
from meetingbots.kube.resources import CREDENTIALS, LEASES, SECRETS
from meetingbots.kube.secrets import SecretValueError, value_of
from meetingbots.models.base import format_time
from meetingbots.models.conditions import ConditionStatus, ConditionType, find
from meetingbots.models.credential import ZoomCredential
from meetingbots.plugin.answer import Check, Colour
from meetingbots.plugin.cluster_checks import check_cluster, check_namespace, clock_check
from meetingbots.plugin.reader import ClusterReader
from meetingbots.zoom.errors import Cause, ZoomError
from meetingbots.zoom.http.exchange import new_http_client
from meetingbots.zoom.oauth import DEFAULT_OAUTH_URL, AppCredentials, Environment, OAuthClient
from meetingbots.zoom.webhooks.parser import encrypted_token, sign

_SECONDS: Final = 10.0
_PROBE: Final = "kubectl-meetingbots"
_MEANINGS: Final = {
    401: "The receiver knows another webhook_secret_token: wait half a minute, or correct the app's Secret.",
    404: "No ZoomCredential uses this app, or the Ingress leads elsewhere.",
    503: "The receiver is starting, or the clocks differ by more than five minutes.",
}
LEASE_NAME: Final = "meetingbots-operator"
_STALE_SECONDS: Final = 30


@dataclass(frozen=True, kw_only=True)
class ServiceURLs:
    """The receiver's public URL (empty: unknown) and the base of Zoom's OAuth endpoints."""

    public_url: str = ""
    oauth_url: str = DEFAULT_OAUTH_URL


async def check_app(
    reader: ClusterReader, *, app: str, urls: ServiceURLs, clock: Callable[[], datetime]
) -> AsyncIterator[Check]:
    """Check the app of that Secret. Raises `KubeError`."""
    secret = await reader.get(SECRETS, app)
    if secret is None:
        yield Check(
            Colour.YELLOW, f"App Secret {app} cannot be read, so the app was not tried.", "Read it, or create it."
        )
        return
    try:
        client_id = value_of(secret, key="client_id").get_secret_value()
        if "client_secret" in (secret.get("data") or {}):
            yield await _at_zoom(secret, app=app, urls=urls, now=clock())
        yield await _receiver(
            client_id, app=app, signing=value_of(secret, key="webhook_secret_token"), urls=urls, now=clock()
        )
    except SecretValueError as error:
        yield Check(Colour.RED, str(error), "Correct the app's Secret.")


async def _at_zoom(secret: Object, *, app: str, urls: ServiceURLs, now: datetime) -> Check:
    """Ask Zoom for a token of the app itself (client credentials), which shows whether ID and secret are right."""
    named = (secret.get("data") or {}).get("environment")
    environment = Environment.named(value_of(secret, key="environment").get_secret_value()) if named else None
    credentials = AppCredentials(
        client_id=value_of(secret, key="client_id").get_secret_value(),
        client_secret=value_of(secret, key="client_secret"),
        environment=environment or Environment.ZOOM,
    )
    async with new_http_client(timeout=_SECONDS, user_agent=_PROBE) as http:
        try:
            await OAuthClient(http, oauth_url=urls.oauth_url).check_app(credentials, now=now)
        except ZoomError as error:
            if error.kind is Cause.APP_INVALID:
                return Check(
                    Colour.RED, f"Zoom rejects app {app}: {error.message}.", "Correct client_id and client_secret."
                )
            return Check(Colour.YELLOW, f"App {app} could not be tried at Zoom: {error.message}.", "Try again.")
    return Check(Colour.GREEN, f"Zoom accepts the client ID and secret of app {app}.")


async def _receiver(client_id: str, *, app: str, signing: SecretStr, urls: ServiceURLs, now: datetime) -> Check:
    """Ask the receiver through its public URL what Zoom asks it: a signed validation."""
    if not urls.public_url:
        return Check(
            Colour.YELLOW, f"The receiver was not asked about app {app}: its URL is unknown.", "Give --public-url."
        )
    body = json.dumps({"event": "endpoint.url_validation", "payload": {"plainToken": _PROBE}}).encode()
    timestamp = str(int(now.timestamp()))
    headers = {
        "content-type": "application/json",
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": sign(signing, timestamp=timestamp, body=body),
    }
    url = f"{urls.public_url}/webhooks/{client_id}"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS), trust_env=True) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            status, answer = response.status, await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Check(
            Colour.RED, f"{url} cannot be reached: {error}", "Check DNS, certificate, Ingress and the receiver."
        )
    if status == 200 and encrypted_token(signing, plain_token=_PROBE).encode() in answer:
        return Check(Colour.GREEN, f"The receiver answers Zoom's validation for app {app}.")
    return Check(
        Colour.RED, f"{url} answered {status} to Zoom's validation.", _MEANINGS.get(status, "Check the Ingress.")
    )


async def examine(
    reader: ClusterReader, *, system: str, urls: ServiceURLs, clock: Callable[[], datetime], everywhere: bool = False
) -> AsyncIterator[Check]:
    """Run all checks. `system` is the operator's namespace; without a public URL, a connect link gives it.

    `everywhere`: check all namespaces with ZoomCredentials, instead of the reader's. Raises `KubeError`.
    """
    async for check in check_cluster(reader, now=clock()):
        yield check
    for check in await _leases(reader, system=system, now=clock()):
        yield check
    yield await _clock_of_zoom(urls, clock=clock)
    namespaces = await reader.namespaces_with(CREDENTIALS, "") if everywhere else [reader.namespace]
    for namespace in namespaces:
        async for check in _check_tenant(replace(reader, namespace=namespace), urls=urls, clock=clock):
            yield replace(check, text=f"Namespace {namespace}: {check.text}") if everywhere else check
    for what in reader.unread:
        yield Check(
            Colour.YELLOW, f"Not checked, because you may not {what}.", "Ask for the right, or ask the platform team."
        )


async def _check_tenant(
    reader: ClusterReader, *, urls: ServiceURLs, clock: Callable[[], datetime]
) -> AsyncIterator[Check]:
    """Check the reader's namespace, its credentials and its apps. Raises `KubeError`."""
    try:
        credentials = await reader.credentials()
    except KubeError as error:
        yield Check(Colour.RED, f"ZoomCredentials cannot be read: {error}", "Install the CRDs, or ask for the right.")
        return
    async for check in check_namespace(reader):
        yield check
    for credential in credentials:
        yield _credential(credential)
    if not urls.public_url:
        origins = (_origin(one) for one in credentials if one.status.connect_url)
        urls = replace(urls, public_url=next(origins, ""))
    for app in sorted({one.spec.app_secret_ref.name for one in credentials}):
        async for check in check_app(reader, app=app, urls=urls, clock=clock):
            yield check


async def _clock_of_zoom(urls: ServiceURLs, *, clock: Callable[[], datetime]) -> Check:
    try:
        async with new_http_client(timeout=_SECONDS, user_agent=_PROBE) as http:
            answer = await http.get(urls.oauth_url)
    except httpx.HTTPError as error:
        text = f"Zoom cannot be reached from this machine: {type(error).__name__}."
        return Check(Colour.YELLOW, text, "Check proxy and network; the operator may still reach it.")
    return clock_check("Zoom", answer.headers.get("date", ""), now=clock())


async def _leases(reader: ClusterReader, *, system: str, now: datetime) -> list[Check]:
    """Check the Lease of the operator, or those of its shards."""
    in_system = replace(reader, namespace=system)
    try:
        found = await in_system.get(LEASES, LEASE_NAME)
        whole = _lease(found, system=system, now=now) if found is not None else None
        if whole is not None and whole.colour is Colour.GREEN:
            return [whole]
        shards = [one for one in await in_system.list(LEASES) if one["metadata"]["name"].startswith(f"{LEASE_NAME}-")]
    except KubeError as error:
        return [Check(Colour.RED, f"The Lease cannot be read: {error}", "Check the connection to the API server.")]
    if shards:
        return [_lease(one, system=system, now=now) for one in shards]
    remedy = "Check that the operator is installed there (--system-namespace)."
    return [whole or Check(Colour.YELLOW, f"No Lease {LEASE_NAME} can be read in namespace {system}.", remedy)]


def _lease(found: Object, *, system: str, now: datetime) -> Check:
    shard = found["metadata"]["name"].removeprefix(LEASE_NAME).removeprefix("-")
    of_shard = f" of shard {shard}" if shard else ""
    spec = found.get("spec") or {}
    age = now - datetime.fromisoformat(spec["renewTime"]) if spec.get("renewTime") else None
    if not spec.get("holderIdentity") or age is None or age.total_seconds() > _STALE_SECONDS:
        return Check(
            Colour.RED,
            f"No operator{of_shard} holds the Lease.",
            f"kubectl -n {system} get pods, and the operator's log.",
        )
    return Check(
        Colour.GREEN,
        f"Operator {spec['holderIdentity']}{of_shard} works; its Lease is {age.total_seconds():.0f} s old.",
    )


def _credential(credential: ZoomCredential) -> Check:
    ready = find(credential.status.conditions, ConditionType.READY)
    receiving = find(credential.status.conditions, ConditionType.WEBHOOK_RECEIVING)
    remedy = f"kubectl meetingbots why {credential.name}"
    if ready is None or ready.status is not ConditionStatus.TRUE:
        reason = ready.reason if ready is not None else "not processed yet"
        return Check(Colour.RED, f"ZoomCredential {credential.name} is not Ready: {reason}.", remedy)
    if receiving is not None and receiving.status is ConditionStatus.FALSE:
        return Check(Colour.RED, f"ZoomCredential {credential.name}: {receiving.message}", remedy)
    if credential.status.missing_scopes:
        missing = ", ".join(credential.status.missing_scopes)
        return Check(Colour.YELLOW, f"ZoomCredential {credential.name} lacks scopes: {missing}.", remedy)
    last = credential.status.last_webhook_time
    heard = f"; the last webhook came at {format_time(last)}" if last is not None else ""
    return Check(Colour.GREEN, f"ZoomCredential {credential.name} is Ready{heard}.")


def _origin(credential: ZoomCredential) -> str:
    parts = urlsplit(credential.status.connect_url or "")
    return f"{parts.scheme}://{parts.netloc}"
