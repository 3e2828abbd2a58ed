"""Cache for the connect pages: the credentials with grant connect, their apps' client ids, and the signing keys.

Two watches fill it. A link can be used the moment it is in the status, so what the cache lacks is read from the API
server.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final, TypeAlias

from meetingbots.credentials.manifests.receiver_secret import (
    AppName,
    ProjectedApp,
    Projection,
    UnreadableApp,
    parse_projection,
)
from meetingbots.credentials.manifests.signing_keys import Keyring
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import CREDENTIALS, SECRETS
from meetingbots.models.base import ModelError
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.names import RECEIVER_SECRET
from meetingbots.runtime.object_cache import Key

Object: TypeAlias = dict[str, Any]

_KEY_READ_INTERVAL: Final = 1.0
"""Minimum seconds between two reads of the projected Secret that requests cause."""


class ConnectDirectory:
    """Credentials and keys. `namespaces` are those served (empty: all); `clock` is monotonic, in seconds."""

    def __init__(
        self, *, kube: Kube, system_namespace: str, namespaces: Collection[str] = (), clock: Callable[[], float]
    ) -> None:
        self._kube = kube
        self._system = system_namespace
        self._namespaces = frozenset(namespaces)
        self._clock = clock
        self._credentials: dict[Key, ZoomCredential] = {}
        self._projection = Projection(apps={})
        self._read_at: float | None = None

    def on_credential(self, namespace: str, name: str, item: Object | None) -> None:
        """Take over the current state of a ZoomCredential; None: it was deleted."""
        credential = _connecting(item)
        if credential is None:
            self._credentials.pop(Key(namespace, name), None)
        else:
            self._credentials[Key(namespace, name)] = credential

    def on_projection(self, _namespace: str, _name: str, item: Object | None) -> None:
        """Take over the current state of the projected Secret; None: it was deleted."""
        self._projection = parse_projection(item) if item is not None else Projection(apps={})

    @property
    def keyring(self) -> Keyring:
        """The signing keys."""
        return self._projection.keyring

    def find(self, namespace: str, name: str) -> ZoomCredential | None:
        """Return the credential with grant connect from the cache."""
        return self._credentials.get(Key(namespace, name))

    def app(self, credential: ZoomCredential) -> ProjectedApp | UnreadableApp | None:
        """Return the credential's app; None while it is unknown."""
        return self._projection.apps.get(AppName(credential.namespace, credential.spec.app_secret_ref.name))

    async def fresh(self, namespace: str, name: str) -> ZoomCredential | None:
        """Read the credential with grant connect from the API server. Raises `KubeError`."""
        if self._namespaces and namespace not in self._namespaces:
            return None
        selector = f"metadata.name={name}"
        async for item in self._kube.list(CREDENTIALS, namespace=namespace, field_selector=selector):
            return _connecting(item)
        return None

    async def read_projection(self) -> bool:
        """Read keys and apps from the API server, at most once a second; return whether it was read.

        Raises `KubeError`.
        """
        now = self._clock()
        if self._read_at is not None and now - self._read_at < _KEY_READ_INTERVAL:
            return False
        self._read_at = now
        try:
            item: Object | None = await self._kube.get(SECRETS, namespace=self._system, name=RECEIVER_SECRET)
        except NotFoundError:
            item = None
        self.on_projection(self._system, RECEIVER_SECRET, item)
        return True


def _connecting(item: Object | None) -> ZoomCredential | None:
    if item is None or ((item.get("spec") or {}).get("grant") or {}).get("connect") is None:
        return None
    try:
        return ZoomCredential.from_object(item)
    except ModelError:
        return None  # the operator reports it in the status
