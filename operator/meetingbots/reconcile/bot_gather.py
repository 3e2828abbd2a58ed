"""Gather: everything that a bot's next step is decided from, with as few requests as its phase allows."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import SecretStr

from meetingbots.build.bot_pod import SPEC_HASH_ANNOTATION, TemplateError, bot_pod, pod_name, spec_hash
from meetingbots.build.join_secret import Delivery, join_secret_name, read_delivery
from meetingbots.decide.bot_facts import BotFacts
from meetingbots.decide.meeting_ref import MeetingRef, Problem, meeting_ref
from meetingbots.decide.pod_state import PodState, pod_state
from meetingbots.kube.client import Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import PODS, SECRETS
from meetingbots.models.bot import BotPhase, BotReason, MeetingBot
from meetingbots.models.conditions import ConditionType, find
from meetingbots.models.metadata import SecretKeyReference
from meetingbots.reconcile.bot_memory import AttemptMemory, BotMemory
from meetingbots.reconcile.cache import Key
from meetingbots.reconcile.secret_values import SecretValueError, secret_value
from meetingbots.reconcile.services import Services

_SECRET_LIFE = timedelta(seconds=150)
_PROBLEM_LIFE = timedelta(seconds=20)


class BotGatherer:
    """Reads caches first, the API server only for what they cannot know."""

    def __init__(self, *, services: Services) -> None:
        self._services = services

    async def gather(self, bot: MeetingBot, memory: BotMemory, *, now: datetime) -> BotFacts:
        """The facts at `now`. Raises `KubeError`."""
        status = bot.status
        accounted = status.last_attempt is not None and status.last_attempt.pod_name == status.pod_name
        finished = status.phase is not None and status.phase.finished
        meeting = await self._meeting(bot, memory, now) if not finished else _known_meeting(bot)
        wanted = ""
        if isinstance(meeting, MeetingRef) and not finished:
            wanted = spec_hash(bot, meeting_id=meeting.meeting_id, bot_image=self._services.settings.bot_image)
            self._check_template(bot, memory, meeting=meeting, wanted=wanted, now=now)
        attempt = memory.of_attempt(status.pod_name) if status.pod_name else None
        pod = await self._pod(bot, status.pod_name, attempt, ask=not finished and not accounted)
        if attempt is not None and attempt.delivery is None and not finished:
            attempt.delivery = await self._delivery(bot, pod, attempt)
        if memory.refused_until is not None and now >= memory.refused_until:
            memory.refused = memory.refused_until = None
        return BotFacts(
            bot=bot,
            now=now,
            meeting=meeting,
            pod_hash=wanted,
            pod=None if accounted and not finished else pod,
            pod_seen=attempt is not None and attempt.pod_seen,
            previous_pod=await self._previous(bot, pod) if accounted and not finished else None,
            template=memory.template if memory.template_hash == wanted else None,
            checked=memory.checked_hash == wanted,
            refused=memory.refused,
            delivery=attempt.delivery if attempt else None,
            shortfall=attempt.shortfall if attempt else None,
            touches=attempt.touches if attempt else 0,
            secret_gone=attempt is not None and attempt.secret_gone,
        )

    async def _meeting(self, bot: MeetingBot, memory: BotMemory, now: datetime) -> MeetingRef | Problem:
        known, read_at = memory.meeting, memory.meeting_read_at
        if known is not None and read_at is not None and memory.meeting_generation == bot.metadata.generation:
            from_secret = bot.spec.meeting.url_secret_key_ref or bot.spec.meeting.passcode_secret_key_ref
            life = _PROBLEM_LIFE if isinstance(known, Problem) else _SECRET_LIFE
            if not from_secret or now - read_at < life:
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
        return meeting_ref(bot, url=url, passcode=passcode)

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
        memory.template_hash, memory.template = wanted, None
        memory.refused = memory.refused_until = None
        try:
            bot_pod(
                bot,
                name=pod_name(bot, attempt=1),
                meeting_id=meeting.meeting_id,
                bot_image=self._services.settings.bot_image,
                now=now,
            )
        except TemplateError as error:
            memory.template = Problem(BotReason.TEMPLATE_INVALID, str(error))
        except (AttributeError, TypeError, ValueError) as error:
            words = f"The template does not have the shape of a Pod ({type(error).__name__})."
            memory.template = Problem(BotReason.TEMPLATE_INVALID, words)

    async def _pod(
        self, bot: MeetingBot, name: str | None, attempt: AttemptMemory | None, *, ask: bool
    ) -> PodState | None:
        if name is None or attempt is None:
            return None
        pod = self._services.caches.pods.get(Key(bot.namespace, name))
        if pod is None and ask and not attempt.fresh:
            pod = await self.read_pod(bot.namespace, name)
        if pod is None or not owned(pod, bot):
            return None
        attempt.fresh = False
        attempt.pod_seen = True
        return pod_state(pod, spec_hash_annotation=SPEC_HASH_ANNOTATION)

    async def _previous(self, bot: MeetingBot, cached: PodState | None) -> PodState | None:
        if cached is not None or bot.status.pod_name is None:
            return cached
        pod = await self.read_pod(bot.namespace, bot.status.pod_name)
        return pod_state(pod, spec_hash_annotation=SPEC_HASH_ANNOTATION) if pod and owned(pod, bot) else None

    async def read_pod(self, namespace: str, name: str) -> Object | None:
        """The Pod as it is now, also for the cache; None if there is none."""
        try:
            pod = await self._services.kube.get(PODS, namespace=namespace, name=name)
        except NotFoundError:
            self._services.caches.pods.drop(Key(namespace, name))
            return None
        self._services.caches.pods.put(pod)
        return pod

    async def _delivery(self, bot: MeetingBot, pod: PodState | None, attempt: AttemptMemory) -> Delivery | None:
        """After a restart: what was delivered stands in the status, or else in the Secret itself."""
        status = bot.status
        if status.token is not None and status.token.delivered_time is not None:
            told = find(status.conditions, ConditionType.TOKEN_ISSUED)
            return Delivery(
                pod_name=attempt.pod_name,
                kinds=tuple(status.token.kinds),
                delivered_at=status.token.delivered_time,
                issued_at=status.token.issued_time,
                credential=status.credential_name,
                reason=status.token.reason or "",
                message=told.message if told is not None and status.token.reason else "",
            )
        if pod is None or not (pod.started or status.phase is BotPhase.JOINING):
            return None
        try:
            secret = await self._services.kube.get(
                SECRETS, namespace=bot.namespace, name=join_secret_name(attempt.pod_name)
            )
            return read_delivery(secret)
        except (NotFoundError, ValueError):
            return None


def owned(item: Object, bot: MeetingBot) -> bool:
    """Whether an object belongs to this very MeetingBot, not to a namesake that was deleted."""
    return any(owner.get("uid") == bot.metadata.uid for owner in item["metadata"].get("ownerReferences", ()))


def _known_meeting(bot: MeetingBot) -> MeetingRef | Problem:
    if bot.status.meeting_id is None:
        return Problem(BotReason.INVALID_MEETING, "The meeting is not known.")
    return MeetingRef(meeting_id=bot.status.meeting_id)
