"""Keeps the receiver's Secret in step with the app Secrets that credentials refer to.

A key of this queue is one app Secret. Its entry is there while a ZoomCredential refers to it, also while it cannot be
read; before an entry is taken out, the API server itself is asked for the credentials, for the cache may not be filled.

A new webhook secret must be known soon: what is signed with one that is not known is answered with 401, and Zoom sends
it never again. No Secret is watched, so each app Secret is read again and again: 20 reads a second at most, each app's
every 20 seconds where there are up to 400.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from meetingbots.credentials.manifests.receiver_secret import (
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
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key

_log = logging.getLogger(__name__)
_LOOK_BROKEN: Final = 30.0
_LOOK_READY: Final = 20.0
_READS_PER_SECOND: Final = 20.0
_SURE_FOR: Final = timedelta(minutes=10)
"""So long an entry that was seen is taken to be there: somebody else may have changed it."""
_SWEEP_SECONDS: Final = 30.0
_TRIES: Final = 5


class ReceiverProjection:
    """Reconciles one app Secret's entry at a time."""

    def __init__(self, *, services: OperatorContext) -> None:
        self._services = services
        self._told: dict[AppName, tuple[str, datetime]] = {}
        self._user: dict[Key, Key] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Bring one entry up to date; in how many seconds to look again. Raises `KubeError`."""
        if not self._serves(key.namespace):
            return None
        name = AppName(key.namespace, key.name)
        if not await self._referenced(key):
            self._told.pop(name, None)
            self._user.pop(key, None)
            await self._write(name, None)
            return None
        app = app_of(name, await self._app_secret(key))
        await self._tell(name, entry_value(name, app))
        pause = len(self._told) / _READS_PER_SECOND
        return max(pause, _LOOK_BROKEN if isinstance(app, UnreadableApp) else _LOOK_READY)

    async def _tell(self, name: AppName, value: str) -> None:
        """The same, without a look at the large Secret where it is known to say so."""
        now = self._services.clock()
        known, since = self._told.get(name, ("", now))
        if known == value and now - since < _SURE_FOR:
            return
        self._told.pop(name, None)
        await self._write(name, value)
        self._told[name] = (value, now)

    def _serves(self, namespace: str) -> bool:
        served = self._services.settings.namespace
        return not served or namespace in served

    async def _referenced(self, key: Key) -> bool:
        cache, last = self._services.caches.credentials, self._user.get(key)
        if last is not None and _refers(cache.get(last), key):
            return True  # the same one as at the last look: not all of 10,000 are gone through for each app
        user = next((known for known in cache if _refers(cache.get(known), key)), None)
        if user is not None:
            self._user[key] = user
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
