"""What every reconciliation is handed: clients, caches, queues, and the clock. Made once in the entry point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from meetingbots.egress.client import EgressClient
from meetingbots.kube.client import Kube
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.mappings.recently_deleted import RecentlyDeletedMappings
from meetingbots.runtime.app_owners import AppOwners
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.object_cache import Key, Object, ObjectCache
from meetingbots.runtime.rate_budgets import RateBudgets, account_of
from meetingbots.runtime.settings import OperatorSettings
from meetingbots.runtime.work_queue import WorkQueue
from meetingbots.zoom.api import ZoomAPI, followed_api_url
from meetingbots.zoom.oauth import OAuthClient


@dataclass(frozen=True)
class Queues:
    """One delay queue for each kind of work; adding a key is how one part asks another to look again."""

    credentials: WorkQueue[Key]
    bots: WorkQueue[Key]
    meetings: WorkQueue[Key]
    """Keys are mappings of running meetings, and of those that have just ended."""
    receiver: WorkQueue[Key]
    """Keys are app Secrets whose projection for the receiver may have to change."""
    syncs: WorkQueue[Key]
    """Keys are credentials whose meetings are to be read: a long read holds up nobody's refresh."""
    notices: WorkQueue[Key]
    """Keys are credentials whose namespace's webhook may have to be told something."""
    tidying: WorkQueue[Key]
    """Keys are credentials that mappings may have to let go; without a name, namespaces (empty: all) to be swept."""


def meeting_of(bot: Object) -> str | None:
    """The meeting a bot is in, as `namespace/meetingId`; None while it is not known."""
    meeting = bot.get("status", {}).get("meetingId")
    return f"{bot['metadata']['namespace']}/{meeting}" if meeting else None


@dataclass(frozen=True)
class ObjectCaches:
    """The newest known objects of the watched kinds."""

    credentials: ObjectCache = field(default_factory=lambda: ObjectCache(index=account_of))
    bots: ObjectCache = field(default_factory=lambda: ObjectCache(index=meeting_of))
    pods: ObjectCache = field(default_factory=ObjectCache)
    gone_pods: ObjectCache = field(default_factory=ObjectCache)
    """Pods of present attempts as they were when they went, until that is written down."""
    live_mappings: ObjectCache = field(default_factory=ObjectCache)
    gone_mappings: RecentlyDeletedMappings = field(default_factory=RecentlyDeletedMappings)


@dataclass(frozen=True)
class OperatorContext:
    """Everything a reconciliation needs from outside. `instance` names this process in claims and Events."""

    kube: Kube
    oauth: OAuthClient
    api: ZoomAPI
    settings: OperatorSettings
    clock: Callable[[], datetime]
    recorder: EventRecorder
    metrics: Metrics
    instance: str
    queues: Queues
    caches: ObjectCaches
    api_at: Callable[[str], ZoomAPI]
    app_accounts: AppOwners = field(default_factory=AppOwners)
    rates: RateBudgets | None = None
    """What the limiter within `api` asks for accounts' allowances; None: nothing is limited."""
    outside: EgressClient = field(default_factory=EgressClient)

    def zoom_api(self, api_url: str, *, account: str, asker: Key | None = None) -> ZoomAPI:
        """The REST client for a credential whose tokens came with this `api_url` (empty: the configured base).

        `account` is the Zoom account whose rate limit its calls use. `asker` is the credential's own key, given where
        its status may not tell its account yet.
        """
        if asker is not None and self.rates is not None:
            self.rates.note(asker, account=account)
        base = followed_api_url(api_url, configured=self.settings.zoom_api_url)
        api = self.api if base == self.settings.zoom_api_url else self.api_at(base)
        return api.of_account(account)
