"""Checks an installation (`kubectl meetingbots doctor`)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from meetingbots.kube.errors import KubeError
from meetingbots.kube.resources import LEASES, SECRETS
from meetingbots.kube.secret_values import SecretValueError, value_of
from meetingbots.models.conditions import ConditionStatus, ConditionType, find
from meetingbots.models.credential import ZoomCredential
from meetingbots.plugin.reader import Reader
from meetingbots.zoom.webhooks.signature import encrypted_token, sign

LEASE_NAME: Final = "meetingbots-operator"
_STALE_SECONDS: Final = 30
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
_PROBE: Final = "kubectl-meetingbots"


class Colour(StrEnum):
    """How a check ended. The exit code of `doctor` is 0, 1 or 2 by the worst."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True)
class Check:
    """The result of one check, with what to do unless it is green."""

    colour: Colour
    text: str
    remedy: str = ""


async def examine(
    reader: Reader, *, system: str, public_url: str, clock: Callable[[], datetime]
) -> AsyncIterator[Check]:
    """Run all checks. `system` is the operator's namespace, `public_url` the receiver's (empty: from a link)."""
    yield await _lease(reader, system=system, now=clock())
    try:
        credentials = await reader.credentials()
    except KubeError as error:
        yield Check(Colour.RED, f"ZoomCredentials cannot be read: {error}", "Install the CRDs, or ask for the right.")
        return
    for credential in credentials:
        yield _credential(credential)
    url = public_url or next((_origin(one) for one in credentials if one.status.connect_url), "")
    for app in sorted({one.spec.app_secret_ref.name for one in credentials}):
        yield await _webhook(reader, app=app, public_url=url, clock=clock)
    for what in reader.unread:
        yield Check(
            Colour.YELLOW, f"Not checked, because you may not {what}.", "Ask for the right, or ask the platform team."
        )


async def _lease(reader: Reader, *, system: str, now: datetime) -> Check:
    try:
        found = await reader.get(LEASES, LEASE_NAME, namespace=system)
    except KubeError as error:
        return Check(Colour.RED, f"The Lease cannot be read: {error}", "Check the connection to the API server.")
    if found is None:
        remedy = "Check that the operator is installed there (--system-namespace)."
        return Check(Colour.YELLOW, f"No Lease {LEASE_NAME} can be read in namespace {system}.", remedy)
    spec = found.get("spec") or {}
    age = now - datetime.fromisoformat(spec["renewTime"]) if spec.get("renewTime") else None
    if not spec.get("holderIdentity") or age is None or age.total_seconds() > _STALE_SECONDS:
        return Check(
            Colour.RED, "No operator holds the Lease.", f"kubectl -n {system} get pods, and the operator's log."
        )
    return Check(
        Colour.GREEN, f"Operator {spec['holderIdentity']} works; its Lease is {age.total_seconds():.0f} s old."
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
    return Check(Colour.GREEN, f"ZoomCredential {credential.name} is Ready.")


async def _webhook(reader: Reader, *, app: str, public_url: str, clock: Callable[[], datetime]) -> Check:
    """Ask the receiver through its public URL what Zoom asks it: a signed validation."""
    if not public_url:
        return Check(
            Colour.YELLOW, f"The receiver was not asked about app {app}: its URL is unknown.", "Give --public-url."
        )
    secret = await reader.get(SECRETS, app)
    if secret is None:
        return Check(
            Colour.YELLOW, f"App Secret {app} cannot be read, so the receiver was not asked.", "Read it, or create it."
        )
    try:
        client_id = value_of(secret, key="client_id").get_secret_value()
        signing = value_of(secret, key="webhook_secret_token")
    except SecretValueError as error:
        return Check(Colour.RED, str(error), "Correct the app's Secret.")
    body = json.dumps({"event": "endpoint.url_validation", "payload": {"plainToken": _PROBE}}).encode()
    timestamp = str(int(clock().timestamp()))
    headers = {
        "content-type": "application/json",
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": sign(signing, timestamp=timestamp, body=body),
    }
    url = f"{public_url}/webhooks/{client_id}"
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as session,
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


_MEANINGS: Final = {
    401: "The receiver knows another webhook_secret_token: wait half a minute, or correct the app's Secret.",
    404: "No ZoomCredential uses this app, or the Ingress leads elsewhere.",
    503: "The receiver is starting, or the clocks differ by more than five minutes.",
}


def _origin(credential: ZoomCredential) -> str:
    parts = urlsplit(credential.status.connect_url or "")
    return f"{parts.scheme}://{parts.netloc}"
