"""The operator's side of the signing keys: they live in the receiver's Secret, are made here, and replaced in time."""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr

from meetingbots.credentials.manifests.receiver_secret import (
    LINK_SIGNING_KEY,
    keyring_value,
    new_projection_secret,
    parse_projection,
)
from meetingbots.credentials.manifests.signing_keys import Keyring, renewal_due, renewed
from meetingbots.kube.errors import AlreadyExistsError, ConflictError, NotFoundError
from meetingbots.kube.resources import SECRETS
from meetingbots.models import names
from meetingbots.runtime.context import OperatorContext

_FRESH: Final = timedelta(seconds=20)
_TRIES: Final = 5


class LinkKeys:
    """Reads the keys at most every 20 s, and makes a new one where it is due."""

    def __init__(self, *, services: OperatorContext) -> None:
        self._services = services
        self._keyring = Keyring()
        self._read: datetime | None = None
        self._lock = asyncio.Lock()

    async def keyring(self) -> Keyring:
        """The keys, at least one, stored. Raises `KubeError`."""
        async with self._lock:
            now = self._services.clock()
            if self._read is None or not timedelta() <= now - self._read < _FRESH:
                self._keyring = await self._stored(now)
                self._read = now
            return self._keyring

    async def _stored(self, now: datetime) -> Keyring:
        for _ in range(_TRIES):
            try:
                return await self._look(now)
            except (ConflictError, AlreadyExistsError):
                continue
        raise ConflictError(f"Secret {names.RECEIVER_SECRET} is written by others all the time", status=409)

    async def _look(self, now: datetime) -> Keyring:
        kube, system = self._services.kube, self._services.settings.system_namespace
        try:
            secret = await kube.get(SECRETS, namespace=system, name=names.RECEIVER_SECRET)
        except NotFoundError:
            keyring = _with_new_key(Keyring(), now=now)
            data = {LINK_SIGNING_KEY: keyring_value(keyring)}
            await kube.create(SECRETS, namespace=system, body=new_projection_secret(namespace=system, data=data))
            return keyring
        keyring = parse_projection(secret).keyring
        if not renewal_due(keyring, now=now):
            return keyring
        keyring = _with_new_key(keyring, now=now)
        await kube.patch(
            SECRETS,
            namespace=system,
            name=names.RECEIVER_SECRET,
            patch={"data": {LINK_SIGNING_KEY: keyring_value(keyring)}},
            resource_version=secret["metadata"]["resourceVersion"],
        )
        return keyring


def _with_new_key(keyring: Keyring, *, now: datetime) -> Keyring:
    return renewed(keyring, key_id=secrets.token_hex(4), secret=SecretStr(secrets.token_urlsafe(32)), now=now)
