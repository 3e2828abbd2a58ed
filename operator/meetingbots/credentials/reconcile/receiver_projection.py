"""Projects the app Secrets that credentials refer to into the receiver's Secret.

A key of this queue is one app Secret. Its entry exists while a ZoomCredential refers to it, even while it cannot be
read. Before an entry is removed, the credentials are listed from the API server, because the cache may not be filled.

A new webhook secret must reach the receiver soon: it answers an unknown signature with 401, and Zoom never repeats that
event. Secrets are not watched, so each app Secret is polled: at most 20 reads a second, each app every 20 seconds for
up to 400 apps. When one has changed, the credentials that refer to it are reconciled.

All namespaces share one Secret of at most 1 MiB, so each has a bounded share of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
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
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import NotFoundError, retry_on_conflict
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.kube.resources import CREDENTIALS, SECRETS
from meetingbots.models import names
from meetingbots.runtime.object_cache import Key, ObjectCache
from meetingbots.runtime.settings import OperatorSettings
from meetingbots.runtime.work_queue import WorkQueue

_log = logging.getLogger(__name__)
_RECHECK_BROKEN: Final = 30.0
_RECHECK_READY: Final = 20.0
_READS_PER_SECOND: Final = 20.0
_VERIFY_AFTER: Final = timedelta(minutes=10)
"""How long a written entry is not read again: somebody else may have changed it."""
_SWEEP_SECONDS: Final = 30.0
_TRIES: Final = 30
"""Each shard writes to the Secret, so conflicts are frequent while many of them start."""
_NAMESPACE_BYTES: Final = 64 * 1024
"""The share of one namespace: keys and values of its entries, about 100 apps of usual size."""


class _ShareExceededError(Exception):
    """The entry does not fit into its namespace's share."""


class ReceiverProjection:
    """Reconciles one app Secret's entry at a time."""

    def __init__(
        self,
        *,
        kube: Kube,
        credentials: ObjectCache,
        queue: WorkQueue[Key],
        dependents: WorkQueue[Key],
        settings: OperatorSettings,
        clock: Callable[[], datetime],
        recorder: EventRecorder,
    ) -> None:
        self._kube = kube
        self._recorder = recorder
        self._excluded: set[AppName] = set()
        self._credentials = credentials
        self._queue = queue
        self._dependents = dependents
        self._versions: dict[AppName, str] = {}
        self._system = settings.system_namespace
        self._namespaces = settings.namespace
        self._clock = clock
        self._written: dict[AppName, tuple[str, datetime]] = {}
        self._referrer: dict[Key, Key] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Update one entry; return the seconds until the next time. Raises `KubeError`."""
        if not self._serves(key.namespace):
            return None
        name = AppName(key.namespace, key.name)
        if not await self._referenced(key):
            self._written.pop(name, None)
            self._versions.pop(name, None)
            self._excluded.discard(name)
            self._referrer.pop(key, None)
            await self._write(name, None)
            return None
        secret = await self._app_secret(key)
        self._note_version(key, secret)
        app = app_of(name, secret)
        await self._update(name, entry_value(name, app))
        pause = len(self._written) / _READS_PER_SECOND
        return max(pause, _RECHECK_BROKEN if isinstance(app, UnreadableApp) else _RECHECK_READY)

    def _note_version(self, key: Key, secret: Object | None) -> None:
        """Requeue the credentials that refer to an app Secret which has changed, appeared or gone."""
        name = AppName(key.namespace, key.name)
        version = secret["metadata"]["resourceVersion"] if secret is not None else ""
        if self._versions.get(name, version) != version:
            for known in self._credentials:
                if known.namespace == key.namespace and _refers(self._credentials.get(known), key):
                    self._dependents.add(known)
        self._versions[name] = version

    async def _update(self, name: AppName, value: str) -> None:
        """Write the entry, unless it is known to have this value."""
        now = self._clock()
        known, since = self._written.get(name, ("", now))
        if known == value and now - since < _VERIFY_AFTER:
            return
        self._written.pop(name, None)
        try:
            await self._write(name, value)
        except _ShareExceededError:
            await self._exclude(name)
            return
        self._excluded.discard(name)
        self._written[name] = (value, now)

    async def _exclude(self, name: AppName) -> None:
        """Remove an entry that does not fit, and report it once on a credential that refers to the app."""
        await self._write(name, None)
        if name in self._excluded:
            return
        self._excluded.add(name)
        text = (
            f"Namespace {name.namespace} refers to too many app Secrets: the receiver does not learn about Secret "
            f"{name.name} and rejects its webhooks. Use fewer app Secrets, or delete unused credentials."
        )
        _log.warning("%s", text)
        referrer = self._referrer.get(Key(name.namespace, name.name))
        item = self._credentials.get(referrer) if referrer is not None else None
        if item is not None:
            self._recorder.event(item, reason="ReceiverShareExceeded", note=text, warning=True)

    def _serves(self, namespace: str) -> bool:
        return not self._namespaces or namespace in self._namespaces

    async def _referenced(self, key: Key) -> bool:
        cache, last = self._credentials, self._referrer.get(key)
        if last is not None and _refers(cache.get(last), key):
            return True  # as last time: a search among 10,000 credentials for each app would be slow
        user = next((known for known in cache if _refers(cache.get(known), key)), None)
        if user is not None:
            self._referrer[key] = user
            return True
        return await self._any_refers(key)

    async def _any_refers(self, key: Key) -> bool:
        async for item in self._kube.list(CREDENTIALS, namespace=key.namespace):
            if _refers(item, key):
                return True
        return False

    async def _app_secret(self, key: Key) -> Object | None:
        try:
            return await self._kube.get(SECRETS, namespace=key.namespace, name=key.name)
        except NotFoundError:
            return None

    async def _write(self, name: AppName, value: str | None) -> None:
        """Set the entry to this value (None: remove it) and change nothing else."""
        attempt = partial(self._write_once, name, value)
        await retry_on_conflict(attempt, what=f"Secret {names.RECEIVER_SECRET}", tries=_TRIES)

    async def _write_once(self, name: AppName, value: str | None) -> None:
        kube, system, key = self._kube, self._system, entry_key(name)
        try:
            secret = await kube.get(SECRETS, namespace=system, name=names.RECEIVER_SECRET)
        except NotFoundError:
            # The receiver waits for the Secret, so it is created even without an entry.
            data = {} if value is None else {key: value}
            await kube.create(SECRETS, namespace=system, body=new_projection_secret(namespace=system, data=data))
            return
        self._requeue_strays(secret)
        data = secret.get("data") or {}
        if data.get(key) == value:
            return
        if value is not None and _share(data, name.namespace, without=key) + len(key) + len(value) > _NAMESPACE_BYTES:
            raise _ShareExceededError
        await kube.patch(
            SECRETS,
            namespace=system,
            name=names.RECEIVER_SECRET,
            patch={"data": {key: value}},
            resource_version=secret["metadata"]["resourceVersion"],
        )
        _log.info("app %s/%s: projection %s", name.namespace, name.name, "removed" if value is None else "written")

    def _requeue_strays(self, secret: Object) -> None:
        """Requeue entries without a credential in the cache, such as those deleted while no operator ran."""
        cache = self._credentials
        used = set()
        for known in cache:
            item = cache.get(known)
            if item is not None:
                used.add(AppName(known.namespace, item.get("spec", {}).get("appSecretRef", {}).get("name", "")))
        for name in parse_projection(secret):
            if name not in used and self._serves(name.namespace):
                self._queue.add(Key(name.namespace, name.name), after=_SWEEP_SECONDS)


def _share(data: Mapping[str, str], namespace: str, *, without: str) -> int:
    """Return the size of a namespace's entries. A namespace's name has no dot, so the keys' prefixes are distinct."""
    entries = ((key, value) for key, value in data.items() if key.startswith(f"{namespace}.") and key != without)
    return sum(len(key) + len(value) for key, value in entries)


def _refers(item: Object | None, key: Key) -> bool:
    if item is None or item["metadata"]["namespace"] != key.namespace:
        return False
    name: object = item.get("spec", {}).get("appSecretRef", {}).get("name")
    return name == key.name
