"""The clients, caches and queues of an operator process, from which each slice's assembly builds its classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from meetingbots.egress.client import EgressClient
from meetingbots.kube.client import Kube
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.models import names
from meetingbots.models.bot_status import BotPhase
from meetingbots.runtime.accounts import AppOwners, RateBudgets, account_of
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.object_cache import Key, Object, ObjectCache
from meetingbots.runtime.settings import OperatorSettings
from meetingbots.runtime.work_queue import WorkQueue
from meetingbots.zoom.api import ZoomAPI, followed_api_url
from meetingbots.zoom.oauth import OAuthClient

_FINISHED: Final = frozenset(phase.value for phase in BotPhase if phase.finished)


@dataclass(frozen=True)
class Queues:
    """One delay queue for each kind of work. Adding a key requests a reconciliation."""

    credentials: WorkQueue[Key]
    bots: WorkQueue[Key]
    meetings: WorkQueue[Key]
    """Mappings of meetings that are live or have just ended."""
    receiver: WorkQueue[Key]
    """App Secrets, for the projection into the receiver's Secret."""
    syncs: WorkQueue[Key]
    """Credentials whose meetings are to be listed; a long list delays no refresh."""
    notices: WorkQueue[Key]
    """Credentials with possible notifications for their namespace's webhook."""
    bot_notices: WorkQueue[Key]
    """MeetingBots with possible notifications for their namespace's webhook."""
    tidying: WorkQueue[Key]
    """Credentials to remove from mappings; a key without a name is a namespace (empty: all) to sweep."""


def meeting_of(bot: Object) -> str | None:
    """The meeting of an unfinished bot as `namespace/meetingId`; None while it is unknown."""
    meeting = bot.get("status", {}).get("meetingId")
    return f"{bot['metadata']['namespace']}/{meeting}" if meeting and not is_finished(bot) else None


def bot_of(pod: Object) -> str | None:
    """The name of the MeetingBot that a Pod's label names."""
    return pod["metadata"].get("labels", {}).get(names.BOT_LABEL) or None


def _reduced_pod(pod: Object) -> Object:
    """A Pod with the part of its spec that the operator reads; the rest is most of the object.

    That is its node, and whether container `bot` has the token endpoint.
    """
    spec = pod.get("spec", {})
    kept: Object = {"nodeName": spec.get("nodeName", "")}
    for container in spec.get("containers", ()):
        variables = {one.get("name") for one in container.get("env") or ()}
        if container.get("name") == names.BOT_CONTAINER and names.TOKEN_URL_VARIABLE in variables:
            kept["containers"] = [{"name": names.BOT_CONTAINER, "env": [{"name": names.TOKEN_URL_VARIABLE}]}]
    return {**pod, "spec": kept}


def _owner(pod: Object) -> str | None:
    bot = bot_of(pod)
    return f"{pod['metadata']['namespace']}/{bot}" if bot else None


def _phase(bot: Object) -> str:
    return str(bot.get("status", {}).get("phase", BotPhase.PENDING.value))


def is_finished(bot: Object) -> bool:
    """Whether a MeetingBot's phase is final."""
    return _phase(bot) in _FINISHED


@dataclass(frozen=True)
class ObjectCaches:
    """The newest known objects of the watched kinds."""

    credentials: ObjectCache = field(default_factory=lambda: ObjectCache(index=account_of))
    bots: ObjectCache = field(
        default_factory=lambda: ObjectCache(index=meeting_of, group=_phase, compressed=is_finished)
    )
    """Grouped by phase."""
    pods: ObjectCache = field(default_factory=lambda: ObjectCache(index=_owner, reduce=_reduced_pod))
    gone_pods: ObjectCache = field(default_factory=lambda: ObjectCache(reduce=_reduced_pod))
    """The last state of deleted Pods of current attempts, until it is written to the bot's status."""
    live_mappings: ObjectCache = field(default_factory=ObjectCache)


@dataclass(frozen=True)
class OperatorContext:
    """Everything that the slices share. `instance` names this process in claims and Events."""

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
    """The allowances that the limiter within `api` uses; None: no limits."""
    outside: EgressClient = field(default_factory=EgressClient)

    def zoom_api(self, api_url: str, *, account: str, asker: Key | None = None) -> ZoomAPI:
        """The REST client for a credential whose tokens came with this `api_url` (empty: the configured base).

        `account` is the Zoom account whose rate limit its calls use. `asker` is the credential's own key, given where
        its status may not have its account yet.
        """
        if asker is not None and self.rates is not None:
            self.rates.note(asker, account=account)
        base = followed_api_url(api_url, configured=self.settings.zoom_api_url)
        api = self.api if base == self.settings.zoom_api_url else self.api_at(base)
        return api.of_account(account)
