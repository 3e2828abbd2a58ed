"""Checks a Zoom app: its Secret, its client ID and secret at Zoom, and the receiver through its public URL."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import aiohttp
from pydantic import SecretStr

from meetingbots.kube.client import Object
from meetingbots.kube.resources import SECRETS
from meetingbots.kube.secrets import SecretValueError, value_of
from meetingbots.plugin.checks import Check, Colour
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


@dataclass(frozen=True, kw_only=True)
class Places:
    """The receiver's public URL (empty: unknown) and the base of Zoom's OAuth endpoints."""

    public_url: str = ""
    oauth_url: str = DEFAULT_OAUTH_URL


async def check_app(
    reader: ClusterReader, *, app: str, places: Places, clock: Callable[[], datetime]
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
            yield await _at_zoom(secret, app=app, places=places, now=clock())
        yield await _receiver(
            client_id, app=app, signing=value_of(secret, key="webhook_secret_token"), places=places, now=clock()
        )
    except SecretValueError as error:
        yield Check(Colour.RED, str(error), "Correct the app's Secret.")


async def _at_zoom(secret: Object, *, app: str, places: Places, now: datetime) -> Check:
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
            await OAuthClient(http, oauth_url=places.oauth_url).check_app(credentials, now=now)
        except ZoomError as error:
            if error.kind is Cause.APP_INVALID:
                return Check(
                    Colour.RED, f"Zoom rejects app {app}: {error.message}.", "Correct client_id and client_secret."
                )
            return Check(Colour.YELLOW, f"App {app} could not be tried at Zoom: {error.message}.", "Try again.")
    return Check(Colour.GREEN, f"Zoom accepts the client ID and secret of app {app}.")


async def _receiver(client_id: str, *, app: str, signing: SecretStr, places: Places, now: datetime) -> Check:
    """Ask the receiver through its public URL what Zoom asks it: a signed validation."""
    if not places.public_url:
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
    url = f"{places.public_url}/webhooks/{client_id}"
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
