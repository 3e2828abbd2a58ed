"""From a watch event to the queues: remember the newest state, and say whose turn it is."""

from __future__ import annotations

from typing import Final

from meetingbots.models import names
from meetingbots.runtime.context import ObjectCaches, Queues
from meetingbots.runtime.object_cache import Key, Object, ObjectCache, key_of

_MOST_GONE: Final = 10_000


class Dispatcher:
    """Feeds the caches and queues. It decides nothing: each queue's worker looks at the whole state again."""

    def __init__(self, *, caches: ObjectCaches, queues: Queues) -> None:
        self._caches = caches
        self._queues = queues
        self._gone: dict[Key, None] = {}

    def credential(self, item: Object, *, deleted: bool) -> None:
        """A ZoomCredential changed: its own turn, and that of the projections of its app, and of the one before."""
        key = key_of(item)
        before = self._caches.credentials.get(key)
        _remember(self._caches.credentials, item, deleted=deleted)
        self._queues.credentials.add(key)
        self._queues.notices.add(key)
        if deleted or _tells_of_an_end(item) or _tells_of_an_end(before) or self._is_made_anew(item, before=before):
            self._queues.tidying.add(key)
        if deleted:
            self._remember_gone(key)
        for app in {_app_of(item), _app_of(before)}:
            if app is not None:
                self._queues.receiver.add(app)

    def bot(self, item: Object, *, deleted: bool) -> None:
        """A MeetingBot changed: its turn, and that of the meeting that it is in, which it may have left.

        The echo of our own write is no news to the bot: whoever wrote it went on from there.
        """
        if _remember(self._caches.bots, item, deleted=deleted):
            self._queues.bots.add(key_of(item))
        meeting = item.get("status", {}).get("meetingId")
        if meeting:
            key = Key(item["metadata"]["namespace"], meeting)
            if self._caches.live_mappings.get(key) is not None:
                self._queues.meetings.add(key)

    def pod(self, item: Object, *, deleted: bool) -> None:
        """A bot's Pod changed: the turn of its MeetingBot, which its label names."""
        news = _remember(self._caches.pods, item, deleted=deleted)
        bot = item["metadata"].get("labels", {}).get(names.BOT_LABEL)
        if not bot:
            return
        key = Key(item["metadata"]["namespace"], bot)
        known = self._caches.bots.get(key)
        if deleted and known is not None and known.get("status", {}).get("podName") == item["metadata"]["name"]:
            # How its containers ended is told here for the last time.
            self._caches.gone_pods.put(item)
        if news:
            self._queues.bots.add(key)

    def live_mapping(self, item: Object, *, deleted: bool) -> None:
        """A meeting started, ended, or stopped being watched: its own turn, and that of the bots that are in it."""
        _remember(self._caches.live_mappings, item, deleted=deleted)
        key = key_of(item)
        if deleted:
            for owner, uid in self._caches.gone_mappings.note(item).items():
                known = self._caches.credentials.get(owner)
                if known is not None and known["metadata"].get("uid") != uid:
                    self._queues.tidying.add(owner)
        self._queues.meetings.add(key)
        for bot in self._caches.bots.indexed(f"{key.namespace}/{key.name}"):
            self._queues.bots.add(bot)

    def _is_made_anew(self, credential: Object, *, before: Object | None) -> bool:
        """Whether there was another object of this name before."""
        if before is not None:
            return bool(before["metadata"].get("uid") != credential["metadata"].get("uid"))
        key = key_of(credential)
        was_gone = key in self._gone
        self._gone.pop(key, None)
        return was_gone

    def _remember_gone(self, key: Key) -> None:
        self._gone[key] = None
        if len(self._gone) > _MOST_GONE:
            del self._gone[next(iter(self._gone))]


def _tells_of_an_end(credential: Object | None) -> bool:
    status = (credential or {}).get("status") or {}
    return "deauthorization" in status or "userRemoval" in status


def _app_of(credential: Object | None) -> Key | None:
    if credential is None:
        return None
    app = credential.get("spec", {}).get("appSecretRef", {}).get("name")
    return Key(credential["metadata"]["namespace"], app) if app else None


def _remember(cache: ObjectCache, item: Object, *, deleted: bool) -> bool:
    """Whether it is news."""
    if not deleted:
        return cache.put(item)
    cache.drop(key_of(item), uid=item["metadata"].get("uid"))
    return True
