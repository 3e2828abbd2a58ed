"""Watch events: every kopf handler, and what an event does to the caches and queues.

A handler only caches the object and queues its key; the queues retry, while kopf never retries a failed event handler.
There are no finalizers, timers or daemons: a deletion must not wait for this process, and delays are the queues' own.
"""

from __future__ import annotations

from typing import Any, Final, cast

import kopf
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory

from meetingbots.bots.manifests.finished import is_settled
from meetingbots.kube.connection import Connection
from meetingbots.kube.resources import BOTS, CREDENTIALS, MAPPINGS, PODS, Resource
from meetingbots.mappings.recently_deleted import RecentlyDeletedMappings
from meetingbots.models import names
from meetingbots.runtime.context import ObjectCaches, Queues, bot_of, is_finished
from meetingbots.runtime.object_cache import Key, Object, ObjectCache, key_of

_MAX_GONE: Final = 10_000
_REQUEST_TIMEOUT = 30.0
_CONNECT_TIMEOUT = 5.0
_PAGE: Final = 500
_IDLE_TASK_SECONDS: Final = 1.0
_SECONDS_A_FINISHED: Final = 0.002
# Seconds before each retry of a watch while the API server is away. kopf's own grow to 21 s and end the process after
# a minute; these notice the server's return within 3 s, and keep the process alive for five minutes without it.
_RETRIES = (1, 1, 2, *([3] * 100))


class Dispatcher:
    """Puts each object into its cache, and the keys of everything that depends on it on the queues."""

    def __init__(
        self,
        *,
        caches: ObjectCaches,
        queues: Queues,
        recently_deleted: RecentlyDeletedMappings,
        notifies: bool = True,
        default_ttl: int | None = None,
    ) -> None:
        self._caches = caches
        self._queues = queues
        self._notifies = notifies
        self._default_ttl = default_ttl
        self._recently_deleted = recently_deleted
        self._gone: dict[Key, None] = {}

    def credential(self, item: Object, *, deleted: bool) -> None:
        """A ZoomCredential changed: queue it, its app, and the app that it used before."""
        key = key_of(item)
        before = self._caches.credentials.get(key)
        _remember(self._caches.credentials, item, deleted=deleted)
        self._queues.credentials.add(key)
        self._queues.notices.add(key)
        if deleted or _has_ended(item) or _has_ended(before) or self._is_recreated(item, before=before):
            self._queues.tidying.add(key)
        if deleted:
            self._remember_gone(key)
        for app in {_app_of(item), _app_of(before)}:
            if app is not None:
                self._queues.receiver.add(app)

    def bot(self, item: Object, *, deleted: bool, listed: bool = False) -> None:
        """A MeetingBot changed: queue it and its live meeting. The echo of the operator's own write queues no bot.

        `listed`: it was found by a list. Of many finished bots, only those are queued that need a look, behind others.
        """
        key = key_of(item)
        if _remember(self._caches.bots, item, deleted=deleted):
            if not listed or not is_finished(item):
                self._queues.bots.add(key)
            elif not is_settled(item, default_ttl=self._default_ttl) or self._caches.pods.indexed(str(key)):
                self._queues.bots.add(key, after=len(self._queues.bots) * _SECONDS_A_FINISHED)
        if self._notifies:
            self._queues.bot_notices.add(key)
        meeting = item.get("status", {}).get("meetingId")
        if meeting:
            key = Key(item["metadata"]["namespace"], meeting)
            if self._caches.live_mappings.get(key) is not None:
                self._queues.meetings.add(key)

    def pod(self, item: Object, *, deleted: bool) -> None:
        """A bot's Pod changed: queue the MeetingBot that its label names."""
        news = _remember(self._caches.pods, item, deleted=deleted)
        bot = bot_of(item)
        if bot is None:
            return
        key = Key(item["metadata"]["namespace"], bot)
        if deleted:
            known = self._caches.bots.get(key)
            if known is not None and known.get("status", {}).get("podName") == item["metadata"]["name"]:
                # The last chance to read how its containers ended.
                self._caches.gone_pods.put(item)
        if news:
            self._queues.bots.add(key)

    def live_mapping(self, item: Object, *, deleted: bool) -> None:
        """A meeting started, ended, or lost its live label: queue it and the bots that are in it."""
        _remember(self._caches.live_mappings, item, deleted=deleted)
        key = key_of(item)
        if deleted:
            for owner, uid in self._recently_deleted.add(item).items():
                known = self._caches.credentials.get(owner)
                if known is not None and known["metadata"].get("uid") != uid:
                    self._queues.tidying.add(owner)
        self._queues.meetings.add(key)
        for bot in self._caches.bots.indexed(f"{key.namespace}/{key.name}"):
            self._queues.bots.add(bot)

    def _is_recreated(self, credential: Object, *, before: Object | None) -> bool:
        """Whether another object had this name before."""
        if before is not None:
            return bool(before["metadata"].get("uid") != credential["metadata"].get("uid"))
        key = key_of(credential)
        was_gone = key in self._gone
        self._gone.pop(key, None)
        return was_gone

    def _remember_gone(self, key: Key) -> None:
        self._gone[key] = None
        if len(self._gone) > _MAX_GONE:
            del self._gone[next(iter(self._gone))]


def _has_ended(credential: Object | None) -> bool:
    status = (credential or {}).get("status") or {}
    return "deauthorization" in status or "userRemoval" in status


def _app_of(credential: Object | None) -> Key | None:
    if credential is None:
        return None
    app = credential.get("spec", {}).get("appSecretRef", {}).get("name")
    return Key(credential["metadata"]["namespace"], app) if app else None


def _remember(cache: ObjectCache, item: Object, *, deleted: bool) -> bool:
    """Update the cache, and return whether the object changed."""
    if not deleted:
        return cache.put(item)
    cache.drop(key_of(item), uid=item["metadata"].get("uid"))
    return True


class NoDifferences(kopf.DiffBaseStorage):
    """Every object has the same, empty essence.

    kopf copies each object of each event several times to find differences and progress for handlers that this operator
    does not have. With this storage and `NoProgress` an event costs no deep copy.
    """

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Return an empty essence."""
        return cast("kopf.BodyEssence", {})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """Return nothing."""
        return None

    def store(self, **_: Any) -> None:
        """Store nothing."""


class NoProgress(kopf.ProgressStorage):
    """Handlers have no progress."""

    def fetch(self, **_: Any) -> None:
        """Return nothing."""

    def store(self, **_: Any) -> None:
        """Store nothing."""

    def purge(self, **_: Any) -> None:
        """Remove nothing."""

    def touch(self, **_: Any) -> None:
        """Write nothing."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Return the essence unchanged."""
        return essence


class NoMemories(ResourceMemories):
    """Keeps nothing of an object. kopf's own keeps 2 KB of each for daemons, timers and indices, which do not exist."""

    async def recall(self, raw_body: kopf.RawBody, **options: Any) -> ResourceMemory:
        """Return an empty memory."""
        return await super().recall(raw_body, **{**options, "ephemeral": True})


def kopf_handlers(*, connection: Connection, dispatcher: Dispatcher) -> kopf.OperatorRegistry:
    """The handlers of one operator process."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(
            server=connection.server, aiohttp_session=connection.session(timeout=_REQUEST_TIMEOUT)
        )

    @kopf.on.event(*_selector(CREDENTIALS), registry=handlers)
    async def credential(event: kopf.RawEvent, **_: Any) -> None:
        dispatcher.credential(_taken(event), deleted=event["type"] == "DELETED")

    @kopf.on.event(*_selector(BOTS), registry=handlers)
    async def bot(event: kopf.RawEvent, **_: Any) -> None:
        kind = event["type"]
        dispatcher.bot(_taken(event), deleted=kind == "DELETED", listed=kind is None)

    @kopf.on.event(*_selector(PODS), registry=handlers)
    async def pod(event: kopf.RawEvent, **_: Any) -> None:
        dispatcher.pod(_taken(event), deleted=event["type"] == "DELETED")

    @kopf.on.event(*_selector(MAPPINGS), registry=handlers)
    async def live_mapping(event: kopf.RawEvent, **_: Any) -> None:
        dispatcher.live_mapping(_taken(event), deleted=event["type"] == "DELETED")

    return handlers


def _taken(event: kopf.RawEvent) -> Object:
    """The event's object. kopf keeps only its metadata, which it needs, in the task that waits for the next event."""
    item = dict(event["object"])
    for part in ("spec", "status"):
        cast("Object", event["object"]).pop(part, None)
    return item


def kopf_settings() -> kopf.OperatorSettings:
    """Watch only our Pods and the mappings of running meetings, and write nothing."""
    configured = kopf.OperatorSettings()
    configured.posting.enabled = False
    configured.peering.standalone = True
    configured.scanning.disabled = True
    configured.persistence.diffbase_storage = NoDifferences()
    configured.persistence.progress_storage = NoProgress()
    configured.networking.request_timeout = _REQUEST_TIMEOUT
    configured.networking.connect_timeout = _CONNECT_TIMEOUT
    configured.networking.error_backoffs = _RETRIES
    configured.watching.server_timeout = 300
    configured.watching.chunk_size = _PAGE
    configured.queueing.idle_timeout = _IDLE_TASK_SECONDS
    configured.watching.label_selectors["pods"] = f"{names.MANAGED_BY_LABEL}={names.MANAGED_BY}"
    configured.watching.label_selectors[names.MAPPING_PLURAL] = f"{names.LIVE_LABEL}={names.LIVE}"
    return configured


def _selector(resource: Resource) -> tuple[str, str, str]:
    return resource.group, resource.version, resource.plural
