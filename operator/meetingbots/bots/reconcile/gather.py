"""Gathers the facts that a bot's next step is decided from, with as few requests as its phase allows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from meetingbots.bots.decide import status as bot_status
from meetingbots.bots.decide.facts import BotFacts, Delivery, MeetingRef, OnBehalfUser, Problem, template_problem
from meetingbots.bots.decide.gate import waited_before
from meetingbots.bots.decide.in_meeting import merge, sightings
from meetingbots.bots.decide.pod_ends import ended_from_outside
from meetingbots.bots.decide.pod_state import PodState, attempt_of, join_secret_name, pod_name
from meetingbots.bots.decide.pod_texts import presentable
from meetingbots.bots.decide.schedule import join_time, lead_time, meeting_end
from meetingbots.bots.decide.tokens import recorded_delivery, token_status
from meetingbots.bots.manifests.environment import is_of_attempt, read_delivery, read_values
from meetingbots.bots.manifests.pod import (
    PodSettings,
    accepted_hash,
    bot_pod,
    default_is_invalid,
    is_foreign_hash,
    spec_hash,
)
from meetingbots.bots.manifests.pod_status import belongs_to, pod_state
from meetingbots.bots.manifests.template import TemplateError
from meetingbots.bots.reconcile.credentials import OnBehalfUsers
from meetingbots.bots.reconcile.meeting import MeetingReader
from meetingbots.bots.reconcile.memory import AttemptMemory, BotMemory
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import CREDENTIALS, PODS, SECRETS
from meetingbots.mappings.store import read_mapping
from meetingbots.models.bot import BotReason, MeetingBot
from meetingbots.runtime.context import ObjectCaches
from meetingbots.runtime.object_cache import Key

_POD_LIFE: Final = timedelta(seconds=300)
_DELETED_POD_LIFE: Final = timedelta(seconds=30)
_INVALID_TEMPLATE: Final = "invalid"
"""Stands for the fingerprint of a template that has none."""


class BotGatherer:
    """Reads the caches first, and the API server only for what they cannot know."""

    def __init__(
        self,
        *,
        kube: Kube,
        caches: ObjectCaches,
        meetings: MeetingReader,
        on_behalf_users: OnBehalfUsers,
        pod_settings: Callable[[], PodSettings],
        notices_due: Callable[[MeetingBot], bool],
        default_ttl: int | None,
    ) -> None:
        self._kube = kube
        self._caches = caches
        self._meetings = meetings
        self._on_behalf_users = on_behalf_users
        self._pod_settings = pod_settings
        self._notices_due = notices_due
        self._default_ttl = default_ttl

    async def gather(self, bot: MeetingBot, memory: BotMemory, *, now: datetime) -> BotFacts:
        """The facts at `now`. Raises `KubeError`."""
        status = bot.status
        accounted, finished = status.accounted, status.finished
        settled = finished or status.joined
        meeting = _known_meeting(bot) if settled else await self._meetings.read(bot, memory, now=now)
        wanted = ""
        if isinstance(meeting, MeetingRef) and not settled:
            wanted = self._check_template(bot, memory, meeting=meeting, now=now)
        attempt = memory.of_attempt(status.pod_name) if status.pod_name else None
        if attempt is None or accounted or finished:
            self._caches.gone_pods.drop(Key(bot.namespace, status.pod_name or ""))
        pod = await self._pod(bot, attempt, now=now, ask=not finished)
        if attempt is not None and not finished:
            attempt.delivery = await self._delivery(bot, attempt, pod, accounted=accounted)
            pod = await self._redacted(bot, memory, attempt, pod, now=now)
            attempt.token_failure = attempt.token_failure or waited_before(bot, now=now)
        memory.forget_refusals(now)
        ended_at, in_meeting = None, status.in_meeting
        on_behalf_users: tuple[OnBehalfUser, ...] = ()
        if isinstance(meeting, MeetingRef) and not finished:
            ended_at = await self._meeting_end(bot, memory, meeting.meeting_id, pod=pod, now=now)
            mapping = memory.mapping_of(meeting.meeting_id)
            if mapping is not None and mapping.status.bots:
                in_meeting = merge(in_meeting, sightings(bot, mapping))
            if _may_be_at_gate(bot, attempt, settled=settled, now=now):
                on_behalf_users = await self._on_behalf_users.find(bot, mapping)
        foreign = pod is not None and is_foreign_hash(wanted, pod.spec_hash)
        waits_for_its_time = status.pod_name is None and not finished and now < lead_time(bot)
        return BotFacts(
            bot=bot,
            now=now,
            meeting=meeting,
            pod_hash=accepted_hash(wanted, pod.spec_hash) if pod is not None else wanted,
            pod=None if accounted and not finished else pod,
            pod_seen=attempt is not None and attempt.pod_seen,
            previous_pod=pod if accounted and not finished else None,
            kept_pods=self._kept_pods(bot) if finished else (),
            template=memory.template if memory.template_hash == wanted and not foreign else None,
            checked=memory.checked_hash == wanted,
            doubtful=memory.doubtful,
            refused=memory.refused,
            delivery=attempt.delivery if attempt else None,
            token_failure=attempt.token_failure if attempt else None,
            touches=attempt.touches if attempt else 0,
            touched_at=attempt.touched_at if attempt else None,
            secret_gone=attempt is not None and attempt.secret_gone,
            prepared=attempt is None or attempt.prepared,
            meeting_ended_at=ended_at,
            in_meeting=in_meeting,
            on_behalf_users=on_behalf_users,
            absent_credentials=await self._absent_credentials(bot) if waits_for_its_time else (),
            notices_due=finished and self._notices_due(bot),
            default_ttl=self._default_ttl,
            done_before=bot.join_at in memory.done_before,
        )

    def _kept_pods(self, bot: MeetingBot) -> tuple[PodState, ...]:
        """The Pods of a bot's attempts that the cache has."""
        last = attempt_of(bot.status.pod_name) if bot.status.pod_name else 0
        keys = [Key(bot.namespace, pod_name(bot, attempt=number)) for number in range(1, last + 1)]
        pods = [pod for key in keys if (pod := self._caches.pods.get(key)) is not None and belongs_to(pod, bot)]
        return tuple(pod_state(pod) for pod in pods)

    async def read_pod(self, namespace: str, name: str) -> Object | None:
        """Read the Pod into the cache; None if there is none. Raises `KubeError`."""
        try:
            pod = await self._kube.get(PODS, namespace=namespace, name=name)
        except NotFoundError:
            self._caches.pods.drop(Key(namespace, name))
            return None
        self._caches.pods.put(pod)
        return pod

    async def _absent_credentials(self, bot: MeetingBot) -> tuple[str, ...]:
        """The ZoomCredentials that the spec names and that do not exist."""
        on_behalf = bot.spec.on_behalf
        references = (bot.spec.credential_ref, on_behalf.credential_ref, *(on_behalf.credential_refs or ()))
        named = dict.fromkeys(reference.name for reference in references if reference is not None)
        return tuple([name for name in named if not await self._exists(Key(bot.namespace, name))])

    async def _exists(self, key: Key) -> bool:
        if self._caches.credentials.get(key) is not None:
            return True
        try:
            await self._kube.get(CREDENTIALS, namespace=key.namespace, name=key.name)
        except NotFoundError:
            return False
        return True

    def _check_template(self, bot: MeetingBot, memory: BotMemory, *, meeting: MeetingRef, now: datetime) -> str:
        """The fingerprint of the wanted Pod. A new one is checked as far as that works without the API server."""
        settings = self._pod_settings()
        source = (bot.metadata.generation, meeting, settings)
        if memory.template_source == source:
            return memory.template_hash
        memory.template_source = source
        wanted, doubtful = _INVALID_TEMPLATE, bot_status.has_invalid_template(bot.status)
        try:
            wanted = spec_hash(bot, meeting=meeting, settings=settings)
            # A refusal by Kubernetes outlasts edits that leave the Pod as it is; a fault of the template does not.
            if memory.template_hash == wanted and (memory.template is None or memory.template_until is not None):
                return wanted
            memory.expect_template(wanted, doubtful=doubtful)
            bot_pod(bot, name=pod_name(bot, attempt=1), meeting=meeting, settings=settings, now=now)
            memory.template = bot_status.refused_for_its_template(bot)
        except TemplateError as error:
            memory.expect_template(wanted, doubtful=doubtful)
            memory.template = template_problem(str(error), by_default=default_is_invalid(bot, meeting, settings, now))
        return wanted

    async def _pod(
        self, bot: MeetingBot, attempt: AttemptMemory | None, *, now: datetime, ask: bool
    ) -> PodState | None:
        if attempt is None:
            return None
        key = Key(bot.namespace, attempt.pod_name)
        pod = self._caches.pods.get(key)
        if ask and not attempt.fresh and (pod is None or _is_stale(pod, attempt, now)):
            pod = await self.read_pod(key.namespace, key.name)
            attempt.pod_looked_at = now
        if pod is None:
            pod = self._last_state(key)
        if pod is None or not belongs_to(pod, bot):
            return None
        attempt.fresh, attempt.pod_seen = False, True
        attempt.pod_looked_at = attempt.pod_looked_at or now
        return pod_state(pod)

    def _last_state(self, key: Key) -> Object | None:
        """A deleted Pod, if its last state says how its bot ended."""
        pod = self._caches.gone_pods.get(key)
        return pod if pod is not None and pod_state(pod).over else None

    async def _meeting_end(
        self, bot: MeetingBot, memory: BotMemory, meeting_id: str, *, pod: PodState | None, now: datetime
    ) -> datetime | None:
        """When the meeting ended, from the watch of running meetings, or from the mapping that was read last."""
        item = self._caches.live_mappings.get(Key(bot.namespace, meeting_id))
        if item is not None:
            memory.watch(item)
        elif memory.mapping_read_at is None and _may_have_missed_the_end(bot, pod):
            memory.mapping = await read_mapping(self._kube, namespace=bot.namespace, meeting_id=meeting_id)
            memory.mapping_read_at = now
        return meeting_end(bot, memory.mapping_of(meeting_id))

    async def _delivery(
        self, bot: MeetingBot, attempt: AttemptMemory, pod: PodState | None, *, accounted: bool
    ) -> Delivery | None:
        """The delivery in memory; after a restart the one in the status, or else in the Secret."""
        known, recorded = attempt.delivery, recorded_delivery(bot.status, attempt.pod_name)
        if recorded is not None and (known is None or token_status(known) != bot.status.token):
            # Another process has delivered and recorded it.
            return recorded
        if known is not None:
            return known
        started = pod is not None and pod.started
        if accounted or (attempt.looked_after_start if started else attempt.looked_at_gate):
            return None
        if pod is not None and not (started or pod.at_gate):
            return None
        delivery = await self._read_secret(bot, attempt, pod)
        if delivery is None:
            attempt.looked_at_gate, attempt.looked_after_start = True, started
            return None
        if pod is None and not attempt.fresh:
            # The Pod existed and may have used the Secret, which no other Pod must get.
            attempt.pod_seen = True
        return delivery

    async def _read_secret(self, bot: MeetingBot, attempt: AttemptMemory, pod: PodState | None) -> Delivery | None:
        """Read the delivery and its values from the attempt's Secret; None without a Secret of this attempt."""
        try:
            name = join_secret_name(attempt.pod_name)
            secret = await self._kube.get(SECRETS, namespace=bot.namespace, name=name)
        except NotFoundError:
            return None
        if not is_of_attempt(secret, bot, pod_name=attempt.pod_name, pod_uid=pod.uid if pod is not None else None):
            return None
        try:
            delivery = read_delivery(secret)
        except ValueError:
            return None
        attempt.secret_uid, attempt.secrets = secret["metadata"]["uid"], read_values(secret)
        return delivery

    async def _redacted(
        self, bot: MeetingBot, memory: BotMemory, attempt: AttemptMemory, pod: PodState | None, *, now: datetime
    ) -> PodState | None:
        """The Pod without secrets in its texts. After a restart the secrets are read before any text is used."""
        if pod is None or not pod.has_text:
            return pod
        if memory.meeting is None:
            await self._meetings.read(bot, memory, now=now)
        if attempt.secrets is None and not attempt.secret_gone and pod.may_quote_tokens:
            await self._read_secret(bot, attempt, pod)
        return presentable(pod, known=memory.secrets)


def _may_have_missed_the_end(bot: MeetingBot, pod: PodState | None) -> bool:
    """Whether a new process must read why the Pod was deleted: the Pod has ended, or is gone."""
    if pod is None:
        return bot.status.joined
    return pod.over and ended_from_outside(pod)


def _known_meeting(bot: MeetingBot) -> MeetingRef | Problem:
    if bot.status.meeting_id is None:
        return Problem(BotReason.INVALID_MEETING, "The meeting is not known.")
    return MeetingRef(meeting_id=bot.status.meeting_id)


def _may_be_at_gate(bot: MeetingBot, attempt: AttemptMemory | None, *, settled: bool, now: datetime) -> bool:
    """Whether it may matter now who is in the meeting."""
    return attempt is not None and attempt.delivery is None and not settled and now >= join_time(bot)


def _is_stale(pod: Object, attempt: AttemptMemory, now: datetime) -> bool:
    """Whether the watch's last report of a Pod is so old that the watch may have missed the Pod's end."""
    life = _DELETED_POD_LIFE if "deletionTimestamp" in pod["metadata"] else _POD_LIFE
    return attempt.pod_looked_at is not None and now - attempt.pod_looked_at >= life
