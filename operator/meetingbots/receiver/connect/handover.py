"""Handing a consent over to the operator: a Secret with the code, and its name in the credential's status.

The receiver may create Secrets and read none, so the name is what the operator finds it by. What fails in between is
mended by asking the same once more: an existing Secret that the status does not name is simply named there.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from meetingbots.credentials.decide.consents import pending_consents
from meetingbots.credentials.manifests.connect_link import link_in
from meetingbots.credentials.manifests.consent_secret import ConsentSecret, new_consent_secret
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import AlreadyExistsError, ConflictError
from meetingbots.kube.resources import CREDENTIALS, SECRETS
from meetingbots.models.credential import CredentialStatus, ReceivedConsent, ZoomCredential
from meetingbots.models.credential_status import MAX_CONSENTS
from meetingbots.receiver.connect.directory import ConnectDirectory

FIELD_MANAGER: Final = "meetingbots-receiver-connect"
"""Not that of the webhooks' condition: a server-side apply drops what the same manager applied before."""
_log = logging.getLogger(__name__)
_TRIES: Final = 5
_SHOWN: Final = timedelta(hours=1)
"""How long a page can still ask what became of its consent."""


class Handover(StrEnum):
    """What became of handing a consent over."""

    NOTED = "Noted"
    USED_TWICE = "UsedTwice"
    LINK_DEAD = "LinkDead"
    BUSY = "Busy"


class ConsentWriter:
    """Writes consents to Kubernetes."""

    def __init__(self, *, kube: Kube, directory: ConnectDirectory) -> None:
        self._kube = kube
        self._directory = directory

    async def hand_over(
        self, name: str, content: ConsentSecret, *, credential: ZoomCredential, now: datetime
    ) -> Handover:
        """Create the Secret and note it. `credential` is fresh from the API server. Raises `KubeError`."""
        if _dead(credential, content):
            return Handover.LINK_DEAD
        if _notes(credential.status, name):
            return Handover.USED_TWICE
        if room_for(credential.status, name, now=now) is None:
            return Handover.BUSY
        try:
            body = new_consent_secret(name, content, credential=credential)
            await self._kube.create(SECRETS, namespace=credential.namespace, body=body)
        except AlreadyExistsError:
            _log.info("consent %s exists", name)
        return await self._note(name, content, credential=credential, now=now)

    async def _note(self, name: str, content: ConsentSecret, *, credential: ZoomCredential, now: datetime) -> Handover:
        for _ in range(_TRIES):
            # A fresh look also where the Secret existed: another request with the same state may have noted it.
            known = await self._directory.fresh(credential.namespace, credential.name)
            if known is None or known.metadata.uid != credential.metadata.uid or _dead(known, content):
                return Handover.LINK_DEAD
            if _notes(known.status, name):
                return Handover.USED_TWICE
            listed = room_for(known.status, name, now=now)
            if listed is None:
                return Handover.BUSY
            try:
                await self._apply(known, listed)
            except ConflictError:
                continue
            return Handover.NOTED
        raise ConflictError(f"ZoomCredential {credential.name} is written by others all the time", status=409)

    async def _apply(self, credential: ZoomCredential, listed: list[ReceivedConsent]) -> None:
        metadata = credential.metadata
        await self._kube.apply(
            CREDENTIALS,
            namespace=credential.namespace,
            name=credential.name,
            body={
                "metadata": {"uid": metadata.uid, "resourceVersion": metadata.resource_version},
                "status": {"receivedConsents": [consent.to_dict() for consent in listed]},
            },
            manager=FIELD_MANAGER,
            subresource="status",
        )


def room_for(status: CredentialStatus, name: str, *, now: datetime) -> list[ReceivedConsent] | None:
    """The list with one more name: the oldest that were dealt with make room. None while all of them wait."""
    waiting = {consent.secret_name for consent in pending_consents(status)}
    kept = [one for one in status.received_consents if one.secret_name in waiting or now - one.time < _SHOWN]
    while len(kept) >= MAX_CONSENTS:
        done = next((one for one in kept if one.secret_name not in waiting), None)
        if done is None:
            return None
        kept.remove(done)
    return [*kept, ReceivedConsent(secret_name=name, time=now.replace(microsecond=0))]


def _notes(status: CredentialStatus, name: str) -> bool:
    return any(consent.secret_name == name for consent in status.received_consents)


def _dead(credential: ZoomCredential, content: ConsentSecret) -> bool:
    link = link_in(credential.status.connect_url, namespace=credential.namespace, name=credential.name)
    return link is None or link.epoch != content.epoch
