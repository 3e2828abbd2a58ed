"""Keeps the receiver's Secret in step with the app Secrets that credentials refer to.

A key of this queue is one app Secret. Its entry is there while a ZoomCredential refers to it, also while it cannot be
read; before an entry is taken out, the API server itself is asked for the credentials, for the cache may not be filled.
"""

from __future__ import annotations

import logging
from typing import Final

from meetingbots.build.receiver_secret import (
    AppName,
    UnreadableApp,
    app_of,
    entry_key,
    entry_value,
    new_projection_secret,
    parse_projection,
)
from meetingbots.kube.client import Object
from meetingbots.kube.errors import AlreadyExistsError, ConflictError, NotFoundError
from meetingbots.kube.resources import CREDENTIALS, SECRETS
from meetingbots.models import names
from meetingbots.reconcile.cache import Key
from meetingbots.reconcile.services import Services

_log = logging.getLogger(__name__)
_LOOK_BROKEN: Final = 30.0
_LOOK_READY: Final = 600.0
_SWEEP_SECONDS: Final = 30.0
_TRIES: Final = 5


class ReceiverProjection:
    """Reconciles one app Secret's entry at a time."""

    def __init__(self, *, services: Services) -> None:
        self._services = services

    async def reconcile(self, key: Key) -> float | None:
        """Bring one entry up to date; in how many seconds to look again. Raises `KubeError`."""
        if not self._serves(key.namespace):
            return None
        name = AppName(key.namespace, key.name)
        if not await self._referenced(key):
            await self._write(name, None)
            return None
        app = app_of(name, await self._app_secret(key))
        await self._write(name, entry_value(name, app))
        return _LOOK_BROKEN if isinstance(app, UnreadableApp) else _LOOK_READY

    def _serves(self, namespace: str) -> bool:
        served = self._services.settings.namespace
        return not served or namespace in served

    async def _referenced(self, key: Key) -> bool:
        cache = self._services.caches.credentials
        if any(_refers(cache.get(known), key) for known in cache):
            return True
        return await self._any_refers(key)

    async def _any_refers(self, key: Key) -> bool:
        async for item in self._services.kube.list(CREDENTIALS, namespace=key.namespace):
            if _refers(item, key):
                return True
        return False

    async def _app_secret(self, key: Key) -> Object | None:
        try:
            return await self._services.kube.get(SECRETS, namespace=key.namespace, name=key.name)
        except NotFoundError:
            return None

    async def _write(self, name: AppName, value: str | None) -> None:
        """Make the entry have this value (None: not be there), and nothing else change; only where it differs."""
        system = self._services.settings.system_namespace
        for _ in range(_TRIES):
            try:
                if await self._write_once(name, value, system=system):
                    return
            except (ConflictError, AlreadyExistsError):
                continue
        raise ConflictError(f"Secret {names.RECEIVER_SECRET} is written by others all the time", status=409)

    async def _write_once(self, name: AppName, value: str | None, *, system: str) -> bool:
        kube, key = self._services.kube, entry_key(name)
        try:
            secret = await kube.get(SECRETS, namespace=system, name=names.RECEIVER_SECRET)
        except NotFoundError:
            # Made also when there is nothing to tell: the receiver waits for it.
            data = {} if value is None else {key: value}
            await kube.create(SECRETS, namespace=system, body=new_projection_secret(namespace=system, data=data))
            return True
        self._ask_for_strays(secret)
        if (secret.get("data") or {}).get(key) == value:
            return True
        await kube.patch(
            SECRETS,
            namespace=system,
            name=names.RECEIVER_SECRET,
            patch={"data": {key: value}},
            resource_version=secret["metadata"]["resourceVersion"],
        )
        _log.info("the receiver %s app %s/%s", "forgets" if value is None else "knows", name.namespace, name.name)
        return True

    def _ask_for_strays(self, secret: Object) -> None:
        """Entries that nobody in the cache refers to (credentials that went while no operator ran) get their turn."""
        cache = self._services.caches.credentials
        used = set()
        for known in cache:
            item = cache.get(known)
            if item is not None:
                used.add(AppName(known.namespace, item.get("spec", {}).get("appSecretRef", {}).get("name", "")))
        for name in parse_projection(secret):
            if name not in used and self._serves(name.namespace):
                self._services.queues.receiver.add(Key(name.namespace, name.name), after=_SWEEP_SECONDS)


def _refers(item: Object | None, key: Key) -> bool:
    if item is None or item["metadata"]["namespace"] != key.namespace:
        return False
    name: object = item.get("spec", {}).get("appSecretRef", {}).get("name")
    return name == key.name
