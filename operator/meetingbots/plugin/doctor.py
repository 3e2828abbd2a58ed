"""Checks an installation (`kubectl meetingbots doctor`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from meetingbots.kube.errors import KubeError
from meetingbots.kube.resources import LEASES
from meetingbots.models.conditions import ConditionStatus, ConditionType, find
from meetingbots.models.credential import ZoomCredential
from meetingbots.plugin.checks import Check, Colour
from meetingbots.plugin.doctor_apps import Places, check_app
from meetingbots.plugin.reader import ClusterReader

LEASE_NAME: Final = "meetingbots-operator"
_STALE_SECONDS: Final = 30


async def examine(
    reader: ClusterReader, *, system: str, places: Places, clock: Callable[[], datetime]
) -> AsyncIterator[Check]:
    """Run all checks. `system` is the operator's namespace; without a public URL, a connect link gives it."""
    yield await _lease(reader, system=system, now=clock())
    try:
        credentials = await reader.credentials()
    except KubeError as error:
        yield Check(Colour.RED, f"ZoomCredentials cannot be read: {error}", "Install the CRDs, or ask for the right.")
        return
    for credential in credentials:
        yield _credential(credential)
    if not places.public_url:
        origins = (_origin(one) for one in credentials if one.status.connect_url)
        places = replace(places, public_url=next(origins, ""))
    for app in sorted({one.spec.app_secret_ref.name for one in credentials}):
        async for check in check_app(reader, app=app, places=places, clock=clock):
            yield check
    for what in reader.unread:
        yield Check(
            Colour.YELLOW, f"Not checked, because you may not {what}.", "Ask for the right, or ask the platform team."
        )


async def _lease(reader: ClusterReader, *, system: str, now: datetime) -> Check:
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


def _origin(credential: ZoomCredential) -> str:
    parts = urlsplit(credential.status.connect_url or "")
    return f"{parts.scheme}://{parts.netloc}"
