"""Reads and rotates the keys that sign connect links. They are stored in the receiver's Secret."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final

from pydantic import SecretStr

from meetingbots.credentials.decide.facts import LinkFacts
from meetingbots.credentials.manifests.connect import new_epoch
from meetingbots.credentials.manifests.receiver_secret import (
    LINK_SIGNING_KEY,
    keyring_value,
    new_projection_secret,
    parse_projection,
)
from meetingbots.credentials.manifests.signing_keys import Keyring, renewal_due, renewed
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import KubeError, NotFoundError, retry_on_conflict
from meetingbots.kube.resources import SECRETS
from meetingbots.models import names

_log = logging.getLogger(__name__)
_FRESH_SECONDS: Final = 20.0


class LinkKeys:
    """Reads the keys at most every 20 s. `monotonic` gives seconds."""

    def __init__(
        self,
        *,
        kube: Kube,
        system_namespace: str,
        public_url: str,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._kube = kube
        self._system = system_namespace
        self._public_url = public_url
        self._clock = clock
        self._monotonic = monotonic
        self._keyring: Keyring | None = None
        self._read_at: float | None = None
        self._failed_at: float | None = None
        self._lock = asyncio.Lock()

    async def facts(self) -> LinkFacts:
        """Return what links are made from. While the keys cannot be read there is no keyring."""
        async with self._lock:
            if not self._recent(self._read_at):
                await self._read()
        due = self._keyring is not None and renewal_due(self._keyring, now=self._clock())
        return LinkFacts(
            public_url=self._public_url,
            keyring=self._keyring,
            key_due=due and bool(self._public_url) and not self._recent(self._failed_at),
            epoch=new_epoch(),
        )

    async def rotate(self) -> None:
        """Create a key if one is due. A failure is logged, and ends further tries for 20 s."""
        async with self._lock:
            try:
                self._keyring = await retry_on_conflict(self._rotate_once, what=f"Secret {names.RECEIVER_SECRET}")
                self._read_at = self._monotonic()
            except KubeError as error:
                self._failed_at = self._monotonic()
                _log.warning("the signing key for connect links was not created: %s", error)

    async def _read(self) -> None:
        try:
            secret = await self._kube.get(SECRETS, namespace=self._system, name=names.RECEIVER_SECRET)
            self._keyring = parse_projection(secret).keyring
        except NotFoundError:
            self._keyring = Keyring()
        except KubeError as error:
            _log.warning("the signing keys for connect links cannot be read: %s", error)
            self._keyring, self._read_at = None, None
            return
        self._read_at = self._monotonic()

    async def _rotate_once(self) -> Keyring:
        now = self._clock()
        try:
            secret = await self._kube.get(SECRETS, namespace=self._system, name=names.RECEIVER_SECRET)
        except NotFoundError:
            keyring = _with_new_key(Keyring(), now=now)
            data = {LINK_SIGNING_KEY: keyring_value(keyring)}
            body = new_projection_secret(namespace=self._system, data=data)
            await self._kube.create(SECRETS, namespace=self._system, body=body)
            return keyring
        keyring = parse_projection(secret).keyring
        if not renewal_due(keyring, now=now):
            return keyring  # another process was faster
        keyring = _with_new_key(keyring, now=now)
        await self._kube.patch(
            SECRETS,
            namespace=self._system,
            name=names.RECEIVER_SECRET,
            patch={"data": {LINK_SIGNING_KEY: keyring_value(keyring)}},
            resource_version=secret["metadata"]["resourceVersion"],
        )
        return keyring

    def _recent(self, moment: float | None) -> bool:
        return moment is not None and self._monotonic() - moment < _FRESH_SECONDS


def _with_new_key(keyring: Keyring, *, now: datetime) -> Keyring:
    return renewed(keyring, key_id=secrets.token_hex(4), secret=SecretStr(secrets.token_urlsafe(32)), now=now)
