"""Gather: everything that a bot's next step is decided from, with as few requests as its phase allows."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import SecretStr

from meetingbots.bots.decide import status as bot_status
from meetingbots.bots.decide.facts import BotFacts, Delivery
from meetingbots.bots.decide.gate import waited_before
from meetingbots.bots.decide.leave import meeting_end
from meetingbots.bots.decide.meeting import MeetingRef, Problem, meeting_link, meeting_ref
from meetingbots.bots.decide.pod_names import join_secret_name, pod_name
from meetingbots.bots.decide.pod_state import PodState
from meetingbots.bots.decide.redaction import presentable
from meetingbots.bots.decide.schedule import join_time, lead_time
from meetingbots.bots.manifests.join_secret import read_delivery
from meetingbots.bots.manifests.pod import TemplateError, bot_pod, spec_hash
from meetingbots.bots.manifests.pod_status import pod_state
from meetingbots.bots.reconcile.default_template import DefaultTemplate
from meetingbots.bots.reconcile.memory import AttemptMemory, BotMemory
from meetingbots.bots.reconcile.on_behalf import OnBehalfUsers
from meetingbots.bots.reconcile.personal_links import PersonalLinks
from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.kube.client import Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import CREDENTIALS, PODS, SECRETS
from meetingbots.kube.secret_values import SecretValueError, secret_value
from meetingbots.mappings.reader import read_mapping
from meetingbots.models.bot import BotReason, BotStatus, MeetingBot
from meetingbots.models.conditions import ConditionType, find
from meetingbots.models.metadata import SecretKeyReference
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key

_SECRET_LIFE = timedelta(seconds=150)
_PROBLEM_LIFE = timedelta(seconds=20)
_POD_LIFE = timedelta(seconds=300)
_DELETED_POD_LIFE = timedelta(seconds=30)


class BotGatherer:
    """Reads caches first, the API server only for what they cannot know."""

    def __init__(
        self, *, services: OperatorContext, access_tokens: AccessTokens, default_template: DefaultTemplate
    ) -> None:
        self._services = services
        self._default_template = default_template
        self._personal_links = PersonalLinks(services=services, access_tokens=access_tokens)
        self._persons = OnBehalfUsers(services=services)

    async def gather(self, bot: MeetingBot, memory: BotMemory, *, now: datetime) -> BotFacts:
        """The facts at `now`. Raises `KubeError`."""
        status = bot.status
        accounted, finished = bot_status.accounted(status), bot_status.is_finished(status)
        settled = finished or bot_status.joined(status)
        meeting = _known_meeting(bot) if settled else await self._meeting(bot, memory, now)
        wanted = ""
        if isinstance(meeting, MeetingRef) and not settled:
            settings = self._services.settings
            wanted = spec_hash(
                bot,
                meeting_id=meeting.meeting_id,
                bot_image=settings.bot_image,
                token_url=settings.token_url,
                default_template=self._default_template.current(),
            )
            self._check_template(bot, memory, meeting=meeting, wanted=wanted, now=now)
        attempt = memory.of_attempt(status.pod_name) if status.pod_name else None
        if attempt is None or accounted or finished:
            self._services.caches.gone_pods.drop(Key(bot.namespace, status.pod_name or ""))
        pod = await self._pod(bot, attempt, now=now, ask=not finished)
        if pod is not None:
            pod = presentable(pod, known=_secrets_of(memory.meeting))
        if attempt is not None and not finished:
            attempt.delivery = await self._delivery(bot, attempt, pod, accounted=accounted)
            attempt.token_failure = attempt.token_failure or waited_before(bot, now=now)
        memory.forget_refusals(now)
        ended_at = None
        if isinstance(meeting, MeetingRef) and not finished:
            ended_at = await self._meeting_end(bot, memory, meeting.meeting_id, pod=pod)
        person = None
        if isinstance(meeting, MeetingRef) and _may_be_at_gate(bot, attempt, settled=settled, now=now):
            person = await self._persons.of(bot, memory.mapping_of(meeting.meeting_id))
        waits = status.pod_name is None and not finished and now < lead_time(bot)
        return BotFacts(
            bot=bot,
            now=now,
            meeting=meeting,
            pod_hash=wanted,
            pod=None if accounted and not finished else pod,
            pod_seen=attempt is not None and attempt.pod_seen,
            previous_pod=pod if accounted and not finished else None,
            template=memory.template if memory.template_hash == wanted else None,
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
            on_behalf_user=person,
            absent_credentials=await self._absent_credentials(bot) if waits else (),
            done_before=bot.join_at in memory.done_before,
        )

    async def _absent_credentials(self, bot: MeetingBot) -> tuple[str, ...]:
        """Which of the ZoomCredentials that the spec names do not exist. The cache may not be filled yet."""
        references = (bot.spec.credential_ref, bot.spec.on_behalf.credential_ref)
        named = dict.fromkeys(reference.name for reference in references if reference is not None)
        return tuple([name for name in named if not await self._exists(Key(bot.namespace, name))])

    async def _exists(self, key: Key) -> bool:
        if self._services.caches.credentials.get(key) is not None:
            return True
        try:
            await self._services.kube.get(CREDENTIALS, namespace=key.namespace, name=key.name)
        except NotFoundError:
            return False
        return True

    async def _meeting(self, bot: MeetingBot, memory: BotMemory, now: datetime) -> MeetingRef | Problem:
        known, read_at = memory.meeting, memory.meeting_read_at
        if known is not None and read_at is not None and memory.meeting_generation == bot.metadata.generation:
            from_secret = bot.spec.meeting.url_secret_key_ref or bot.spec.meeting.passcode_secret_key_ref
            may_heal = from_secret or (isinstance(known, Problem) and known.mendable)
            life = _PROBLEM_LIFE if isinstance(known, Problem) else _SECRET_LIFE
            if not may_heal or now - read_at < life:
                return known
        memory.meeting = await self._read_meeting(bot)
        memory.meeting_read_at, memory.meeting_generation = now, bot.metadata.generation
        return memory.meeting

    async def _read_meeting(self, bot: MeetingBot) -> MeetingRef | Problem:
        meeting = bot.spec.meeting
        try:
            url = await self._referenced(bot, meeting.url_secret_key_ref)
            passcode = await self._referenced(bot, meeting.passcode_secret_key_ref)
        except SecretValueError as error:
            return Problem(BotReason.CONFIG_ERROR, str(error), mendable=True)
        link = meeting_link(bot, url=url)
        if isinstance(link, Problem):
            return link
        personal = await self._personal_links.meeting_id(bot, link) if link.vanity else None
        return meeting_ref(bot, link, passcode=passcode, personal_id=personal)

    async def _referenced(self, bot: MeetingBot, reference: SecretKeyReference | None) -> SecretStr | None:
        if reference is None:
            return None
        return await secret_value(self._services.kube, namespace=bot.namespace, name=reference.name, key=reference.key)

    def _check_template(
        self, bot: MeetingBot, memory: BotMemory, *, meeting: MeetingRef, wanted: str, now: datetime
    ) -> None:
        """Remember what is wrong with the template as far as that can be told without the API server."""
        if memory.template_hash == wanted:
            return
        memory.template_hash, memory.template, memory.template_until = wanted, None, None
        memory.refused = memory.refused_until = None
        memory.doubtful = False
        try:
            bot_pod(
                bot,
                name=pod_name(bot, attempt=1),
                meeting_id=meeting.meeting_id,
                bot_image=self._services.settings.bot_image,
                token_url=self._services.settings.token_url,
                default_template=self._default_template.current(),
                now=now,
            )
        except TemplateError as error:
            memory.template = Problem(BotReason.TEMPLATE_INVALID, str(error))

    async def _pod(
        self, bot: MeetingBot, attempt: AttemptMemory | None, *, now: datetime, ask: bool
    ) -> PodState | None:
        if attempt is None:
            return None
        pod = self._services.caches.pods.get(Key(bot.namespace, attempt.pod_name))
        if ask and not attempt.fresh and (pod is None or _overdue(pod, attempt, now)):
            pod = await self.read_pod(bot.namespace, attempt.pod_name)
            attempt.pod_looked_at = now
        if pod is None:
            pod = self._last_state(bot, attempt.pod_name)
        if pod is None or not owned(pod, bot):
            return None
        attempt.fresh, attempt.pod_seen = False, True
        attempt.pod_looked_at = attempt.pod_looked_at or now
        return pod_state(pod)

    def _last_state(self, bot: MeetingBot, name: str) -> Object | None:
        """A Pod that is gone, if it told before how its bot ended."""
        pod = self._services.caches.gone_pods.get(Key(bot.namespace, name))
        if pod is None or not pod_state(pod).over:
            return None
        return pod

    async def _meeting_end(
        self, bot: MeetingBot, memory: BotMemory, meeting_id: str, *, pod: PodState | None
    ) -> datetime | None:
        """When the meeting ended, by the watch of running meetings, or else by what was last read of it."""
        item = self._services.caches.live_mappings.get(Key(bot.namespace, meeting_id))
        if item is not None:
            memory.watch(item)
        elif memory.mapping_read_at is None and _ended_by_a_predecessor(bot, pod):
            memory.mapping = await read_mapping(self._services.kube, namespace=bot.namespace, meeting_id=meeting_id)
            memory.mapping_read_at = self._services.clock()
        return meeting_end(bot, memory.mapping_of(meeting_id))

    async def read_pod(self, namespace: str, name: str) -> Object | None:
        """The Pod as it is now, also for the cache; None if there is none."""
        try:
            pod = await self._services.kube.get(PODS, namespace=namespace, name=name)
        except NotFoundError:
            self._services.caches.pods.drop(Key(namespace, name))
            return None
        self._services.caches.pods.put(pod)
        return pod

    async def _delivery(
        self, bot: MeetingBot, attempt: AttemptMemory, pod: PodState | None, *, accounted: bool
    ) -> Delivery | None:
        """What is remembered; after a restart what stands in the status, or else in the Secret itself."""
        known, told = attempt.delivery, _told_delivery(bot.status, attempt.pod_name)
        if told is not None and (known is None or bot_status.token_status(known) != bot.status.token):
            # Where another process has told of its delivery, that one counts.
            return told
        if known is not None:
            return known
        name, started = join_secret_name(attempt.pod_name), pod is not None and pod.started
        if accounted or (attempt.looked_after_start if started else attempt.looked_at_gate):
            return None
        if pod is not None and not (started or pod.waits_only_for(name)):
            return None
        try:
            secret = await self._services.kube.get(SECRETS, namespace=bot.namespace, name=name)
            delivery = read_delivery(secret)
        except (NotFoundError, ValueError):
            attempt.looked_at_gate, attempt.looked_after_start = True, started
            return None
        if pod is None and not attempt.fresh:
            # Its Pod was there and may have used it: it must not come into the hands of another Pod.
            attempt.pod_seen = True
        return delivery


def owned(item: Object, bot: MeetingBot) -> bool:
    """Whether an object belongs to this very MeetingBot, not to a namesake that was deleted."""
    return any(owner.get("uid") == bot.metadata.uid for owner in item["metadata"].get("ownerReferences", ()))


def _secrets_of(meeting: MeetingRef | Problem | None) -> tuple[SecretStr | None, ...]:
    return (meeting.passcode, meeting.registrant_token) if isinstance(meeting, MeetingRef) else ()


def _ended_by_a_predecessor(bot: MeetingBot, pod: PodState | None) -> bool:
    """Whether a new process has to find out why the Pod was told to end: it is over, or gone already."""
    if pod is None:
        return bot_status.joined(bot.status)
    return pod.over and pod.ended_from_outside


def _known_meeting(bot: MeetingBot) -> MeetingRef | Problem:
    if bot.status.meeting_id is None:
        return Problem(BotReason.INVALID_MEETING, "The meeting is not known.")
    return MeetingRef(meeting_id=bot.status.meeting_id)


def _told_delivery(status: BotStatus, pod_name: str) -> Delivery | None:
    token = status.token
    if token is None or token.delivered_time is None:
        return None
    told = find(status.conditions, ConditionType.TOKEN_ISSUED)
    return Delivery(
        pod_name=pod_name,
        kinds=tuple(token.kinds),
        delivered_at=token.delivered_time,
        issued_at=token.issued_time,
        credential=status.credential_name,
        reason=token.reason or "",
        message=bot_status.told_of_tokens(status, told),
        spec_hash=status.spec_hash or "",
    )


def _may_be_at_gate(bot: MeetingBot, attempt: AttemptMemory | None, *, settled: bool, now: datetime) -> bool:
    """Whether it may matter now who is in the meeting."""
    return attempt is not None and attempt.delivery is None and not settled and now >= join_time(bot)


def _overdue(pod: Object, attempt: AttemptMemory, now: datetime) -> bool:
    """Whether what the watch last said of a Pod is too old to be taken for granted: its end may have been missed."""
    life = _DELETED_POD_LIFE if "deletionTimestamp" in pod["metadata"] else _POD_LIFE
    return attempt.pod_looked_at is not None and now - attempt.pod_looked_at >= life
