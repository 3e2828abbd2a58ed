"""Hands a consent to the operator: a Secret with the code, and its name in the credential's status.

The receiver may create Secrets but read none, so the operator finds the Secret by the name in the status. A repeated
request completes an interrupted one: if the Secret exists and the status does not name it, the name is added.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from meetingbots.credentials.decide.consents import pending_consents
from meetingbots.credentials.manifests.connect import ConsentSecret, link_in, new_consent_secret
from meetingbots.credentials.status_writer import CredentialStatusWriter, StatusManager, StatusTarget
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import AlreadyExistsError, KubeError, retry_on_conflict
from meetingbots.kube.resources import SECRETS
from meetingbots.models.credential import CredentialStatus, ReceivedConsent, ZoomCredential
from meetingbots.models.credential_status import MAX_CONSENTS
from meetingbots.receiver.connect.directory import ConnectDirectory

_log = logging.getLogger(__name__)
_SHOWN: Final = timedelta(hours=1)
"""How long a page can show the outcome of its consent."""


_DECLINE_INTERVAL: Final = timedelta(minutes=1)


class ConsentResult(StrEnum):
    """The result of handing a consent over."""

    STORED = "Stored"
    ALREADY_USED = "AlreadyUsed"
    LINK_ENDED = "LinkEnded"
    BUSY = "Busy"


class ConsentWriter:
    """Writes consents to Kubernetes."""

    def __init__(self, *, kube: Kube, statuses: CredentialStatusWriter, directory: ConnectDirectory) -> None:
        self._kube = kube
        self._statuses = statuses
        self._directory = directory

    async def write(
        self, name: str, content: ConsentSecret, *, credential: ZoomCredential, now: datetime
    ) -> ConsentResult:
        """Create the Secret and add its name to the status.

        `credential` must be fresh from the API server. Raises `KubeError`.
        """
        refusal = _refusal(credential, name, content, now=now)
        if refusal is not None:
            return refusal
        try:
            body = new_consent_secret(name, content, credential=credential)
            await self._kube.create(SECRETS, namespace=credential.namespace, body=body)
        except AlreadyExistsError:
            _log.info("consent %s exists", name)
        return await self._add_to_status(name, content, credential=credential, now=now)

    async def write_declined(self, credential: ZoomCredential, *, now: datetime) -> None:
        """Record in the status that the user declined, at most once a minute. A later consent replaces the record."""
        last = credential.status.consent_declined_time
        if last is not None and timedelta() <= now - last < _DECLINE_INTERVAL:
            return
        status = CredentialStatus(
            received_consents=credential.status.received_consents, consent_declined_time=now.replace(microsecond=0)
        )
        try:
            target = StatusTarget.of(credential, unchanged=True)
            await self._statuses.apply(target, status, manager=StatusManager.CONSENTS)
        except KubeError as error:
            _log.warning("%s/%s: declined consent not recorded: %s", credential.namespace, credential.name, error)

    async def _add_to_status(
        self, name: str, content: ConsentSecret, *, credential: ZoomCredential, now: datetime
    ) -> ConsentResult:
        async def attempt() -> ConsentResult:
            # Another request with the same state may have added it meanwhile.
            known = await self._directory.fresh(credential.namespace, credential.name)
            if known is None or known.metadata.uid != credential.metadata.uid:
                return ConsentResult.LINK_ENDED
            refusal = _refusal(known, name, content, now=now)
            if refusal is not None:
                return refusal
            status = CredentialStatus(received_consents=_with_consent(known.status, name, now=now) or [])
            target = StatusTarget.of(known, unchanged=True)
            written = await self._statuses.apply(target, status, manager=StatusManager.CONSENTS)
            return ConsentResult.STORED if written else ConsentResult.LINK_ENDED

        return await retry_on_conflict(attempt, what=f"ZoomCredential {credential.name}")


def is_received(status: CredentialStatus, name: str) -> bool:
    """Whether the status names this consent."""
    return any(consent.secret_name == name for consent in status.received_consents)


def _refusal(credential: ZoomCredential, name: str, content: ConsentSecret, *, now: datetime) -> ConsentResult | None:
    link = link_in(credential.status.connect_url, namespace=credential.namespace, name=credential.name)
    if link is None or link.epoch != content.epoch:
        return ConsentResult.LINK_ENDED
    if is_received(credential.status, name):
        return ConsentResult.ALREADY_USED
    if _with_consent(credential.status, name, now=now) is None:
        return ConsentResult.BUSY
    return None


def _with_consent(status: CredentialStatus, name: str, *, now: datetime) -> list[ReceivedConsent] | None:
    """Add a consent to the list; finished ones make room, oldest first. None while all of them are pending."""
    pending = {consent.secret_name for consent in pending_consents(status)}
    kept = [one for one in status.received_consents if one.secret_name in pending or now - one.time < _SHOWN]
    while len(kept) >= MAX_CONSENTS:
        finished = next((one for one in kept if one.secret_name not in pending), None)
        if finished is None:
            return None
        kept.remove(finished)
    return [*kept, ReceivedConsent(secret_name=name, time=now.replace(microsecond=0))]
