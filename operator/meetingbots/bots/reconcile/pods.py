"""Apply, for Pods: try them, make them, have the kubelet look at them, end them.

Each act is idempotent: taken twice, or after a lost answer, it does no harm.
"""

from __future__ import annotations

import contextlib
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from meetingbots.bots.decide.facts import BotFacts
from meetingbots.bots.decide.meeting import MeetingRef, Problem
from meetingbots.bots.decide.pod_names import pod_name
from meetingbots.bots.manifests.pod import bot_pod
from meetingbots.bots.manifests.pod_shape import pod_shape
from meetingbots.bots.reconcile.default_template import DefaultTemplate
from meetingbots.bots.reconcile.gather import owned
from meetingbots.bots.reconcile.memory import BotMemory
from meetingbots.kube.errors import (
    AlreadyExistsError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    KubeError,
    NotFoundError,
    UnavailableError,
)
from meetingbots.kube.resources import PODS
from meetingbots.models import names
from meetingbots.models.bot import BotReason, MeetingBot
from meetingbots.runtime.context import OperatorContext

_log = logging.getLogger(__name__)
_REFUSED_SECONDS = 5.0
_TEMPLATE_REFUSED_SECONDS = 25.0
_TAKEN_LIFE = timedelta(seconds=60)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NO_DRY_RUN = "does not support dry run"
"""What the API server says where an admission webhook has side effects: then the template cannot be checked."""


class BotPods:
    """The acts on Pods; what they find out goes into the bot's memory."""

    def __init__(self, *, services: OperatorContext, default_template: DefaultTemplate) -> None:
        self._services = services
        self._default_template = default_template
        self._taken: dict[tuple[str, str], datetime] = {}
        """When a dry run last took a Pod of a shape, by namespace and shape."""

    async def create(self, facts: BotFacts, memory: BotMemory, name: str) -> None:
        """Create the claimed Pod; a refusal is remembered as the template's problem or as transient."""
        pod, attempt = self._pod(facts, name), memory.of_attempt(name)
        fresh, attempt.fresh = attempt.fresh, False
        try:
            answer = await self._services.kube.create(PODS, namespace=facts.bot.namespace, body=pod, strict=True)
        except AlreadyExistsError:
            await self._look_at_existing(facts, memory, name)
            return
        except (InvalidError, ForbiddenError) as error:
            attempt.fresh = fresh
            self._refused(memory, error, facts.now)
            return
        except UnavailableError as error:
            if not _webhook_fails(error):
                raise
            self._refused(memory, error, facts.now)
            return
        attempt.pod_seen, attempt.pod_looked_at = True, facts.now
        self._services.caches.pods.put(answer)

    async def check_template(self, facts: BotFacts, memory: BotMemory) -> None:
        """Ask by a dry run whether the Pod would be taken, unless one of this shape was taken just now."""
        pod = self._pod(facts, pod_name(facts.bot, attempt=1))
        shape = (facts.bot.namespace, pod_shape(pod))
        if self._taken.get(shape, _LONG_AGO) > facts.now - _TAKEN_LIFE and not facts.doubtful:
            memory.checked_hash = facts.pod_hash
            return
        try:
            await self._services.kube.create(PODS, namespace=facts.bot.namespace, body=pod, dry_run=True, strict=True)
        except AlreadyExistsError:
            pass
        except (InvalidError, ForbiddenError) as error:
            if _NO_DRY_RUN not in str(error):
                self._refused(memory, error, facts.now)
        except UnavailableError as error:
            if not _webhook_fails(error):
                raise
            self._refused(memory, error, facts.now)
        if memory.refused is None:
            memory.checked_hash = facts.pod_hash
        if memory.refused is None and memory.template is None:
            self._taken = {key: when for key, when in self._taken.items() if when > facts.now - _TAKEN_LIFE}
            self._taken[shape] = facts.now

    async def delete(self, bot: MeetingBot, name: str, uid: str) -> None:
        """Ask the Pod to end within its grace period; another Pod of that name is none of our business."""
        with contextlib.suppress(ConflictError):
            await self._services.kube.delete(PODS, namespace=bot.namespace, name=name, uid=uid)

    async def touch(self, facts: BotFacts, memory: BotMemory, name: str, *, number: int) -> None:
        """Change an annotation of the Pod, upon which the kubelet looks at it at once."""
        attempt = memory.of_attempt(name)
        attempt.touches = number
        stamp = f"{facts.now.isoformat()} {number}"
        patch = {"metadata": {"annotations": {names.TOKEN_DELIVERED_AT_ANNOTATION: stamp}}}
        try:
            answer = await self._services.kube.patch(PODS, namespace=facts.bot.namespace, name=name, patch=patch)
            attempt.touched_at = self._services.clock()
            self._services.caches.pods.put(answer)
        except NotFoundError:
            _log.info("Pod %s/%s vanished before it could be touched", facts.bot.namespace, name)

    async def _look_at_existing(self, facts: BotFacts, memory: BotMemory, name: str) -> None:
        pod = await self._services.kube.get(PODS, namespace=facts.bot.namespace, name=name)
        if owned(pod, facts.bot):
            # Ours, by an answer that was lost or by another process; if it is going away, it is a loss once it is gone.
            memory.of_attempt(name).pod_seen = True
            self._services.caches.pods.put(pod)
            return
        words = f"A Pod called {name} exists, which does not belong to this MeetingBot."
        memory.refused = Problem(BotReason.CONFIG_ERROR, words, mendable=True)
        memory.refused_until = facts.now + timedelta(seconds=_REFUSED_SECONDS)

    def _pod(self, facts: BotFacts, name: str) -> dict[str, Any]:
        assert isinstance(facts.meeting, MeetingRef)  # noqa: S101 - decide makes Pods for known meetings only
        return bot_pod(
            facts.bot,
            name=name,
            meeting_id=facts.meeting.meeting_id,
            bot_image=self._services.settings.bot_image,
            token_url=self._services.settings.token_url,
            default_template=self._default_template.current(),
            now=facts.now,
        )

    def _refused(self, memory: BotMemory, error: KubeError, now: datetime) -> None:
        transient = isinstance(error, UnavailableError)
        if transient or (isinstance(error, ForbiddenError) and not _forbids_this_pod(error)):
            quota = isinstance(error, ForbiddenError) and error.quota_exceeded
            reason = BotReason.QUOTA_EXCEEDED if quota else BotReason.CONFIG_ERROR
            memory.refused = Problem(reason, str(error), mendable=True)
            memory.refused_until = now + timedelta(seconds=_REFUSED_SECONDS)
        else:
            memory.template = Problem(BotReason.TEMPLATE_INVALID, str(error))
            memory.template_until = now + timedelta(seconds=_TEMPLATE_REFUSED_SECONDS)


def _forbids_this_pod(error: ForbiddenError) -> bool:
    """Whether it is the Pod that is not wanted (Pod Security, an admission webhook), not a quota or a missing right."""
    words = str(error)
    # A webhook "denied the request"; a ValidatingAdmissionPolicy "denied request".
    return any(said in words for said in ("violates PodSecurity", "denied the request", "denied request"))


def _webhook_fails(error: UnavailableError) -> bool:
    """Whether an admission webhook gave no answer, which is no matter of ours but lasts."""
    return error.status >= 500 and "webhook" in str(error)
