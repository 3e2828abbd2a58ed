"""Carries out the actions on Pods: dry run, create, touch, delete. Each can be repeated, also after a lost answer.

The cluster's default template is read again whenever its file changes, as a ConfigMap volume does.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cachetools import TTLCache

from meetingbots.bots.decide.facts import BotFacts, Problem, template_problem
from meetingbots.bots.decide.pod_state import pod_name
from meetingbots.bots.manifests.pod import PodSettings, bot_pod, pod_shape, with_default_template_only
from meetingbots.bots.manifests.pod_status import belongs_to
from meetingbots.bots.reconcile.default_template import read_template
from meetingbots.bots.reconcile.memory import BotMemory
from meetingbots.kube.client import Kube
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
from meetingbots.runtime.context import ObjectCaches
from meetingbots.runtime.settings import TemplateFileError

_log = logging.getLogger(__name__)
_REFUSED_SECONDS: Final = 5.0
_TEMPLATE_REFUSED_SECONDS: Final = 25.0
_ACCEPTED_SECONDS: Final = 60.0
_MAX_SHAPES: Final = 10_000
_POLICY_REFUSALS: Final = re.compile(
    r"violates PodSecurity|pod security policy"
    r"|denied (the )?request"  # an admission webhook, a ValidatingAdmissionPolicy
    r"|security context constraint"  # OpenShift
    r"|(maximum|minimum) \S+ usage per |limit to request ratio per "  # LimitRange
    r"|failed quota: \S+ must specify "  # ResourceQuota: the Pod names no amount
    r"|node label selector conflicts|not in the allowed whitelist|tolerations conflict"
    r"|image policy webhook backend denied"
)
"""Parts of the messages with which the API server rejects a Pod for its content."""
_NO_DRY_RUN: Final = "does not support dry run"
"""The API server's message where an admission webhook has side effects: then the template cannot be checked."""


class BotPods:
    """Acts on Pods, and keeps the results in the bot's memory."""

    def __init__(
        self,
        *,
        kube: Kube,
        caches: ObjectCaches,
        pod_settings: Callable[[], PodSettings],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._kube = kube
        self._caches = caches
        self._pod_settings = pod_settings
        self._clock = clock
        self._accepted: TTLCache[tuple[str, str], bool] = TTLCache(_MAX_SHAPES, ttl=_ACCEPTED_SECONDS, timer=monotonic)
        """Namespaces and Pod shapes that a dry run accepted."""

    async def create(self, facts: BotFacts, memory: BotMemory, name: str) -> str | None:
        """Create the claimed Pod and return its uid; a refusal goes into the memory. Raises `KubeError`."""
        pod, attempt = self._pod(facts, name), memory.of_attempt(name)
        fresh, attempt.fresh = attempt.fresh, False
        try:
            answer = await self._kube.create(PODS, namespace=facts.bot.namespace, body=pod, strict=True)
        except AlreadyExistsError:
            await self._adopt(facts, memory, name)
            return None
        except KubeError as error:
            if not _is_refusal(error):
                raise
            attempt.fresh = fresh and not isinstance(error, UnavailableError)
            await self._refused(facts, memory, error)
            return None
        attempt.pod_seen, attempt.pod_looked_at = True, facts.now
        memory.doubtful = False
        self._caches.pods.put(answer)
        uid: str = answer["metadata"]["uid"]
        return uid

    async def check_template(self, facts: BotFacts, memory: BotMemory) -> None:
        """Check by a dry run that Kubernetes accepts the Pod, unless it has just accepted one of this shape."""
        pod = self._pod(facts, pod_name(facts.bot, attempt=1))
        shape = (facts.bot.namespace, pod_shape(pod))
        if shape in self._accepted and not facts.doubtful:
            memory.checked_hash = facts.pod_hash
            return
        try:
            await self._kube.create(PODS, namespace=facts.bot.namespace, body=pod, dry_run=True, strict=True)
        except AlreadyExistsError:
            pass
        except KubeError as error:
            if not _is_refusal(error):
                raise
            if _NO_DRY_RUN not in str(error):
                await self._refused(facts, memory, error)
        if memory.refused is None:
            memory.checked_hash = facts.pod_hash
        if memory.refused is None and memory.template is None:
            self._accepted[shape] = True

    async def delete(self, bot: MeetingBot, name: str, uid: str) -> bool:
        """Delete the Pod with this uid; return whether the cache has it as one that ends in its grace period."""
        with contextlib.suppress(ConflictError):  # another Pod has the name now
            answer = await self._kube.delete(PODS, namespace=bot.namespace, name=name, uid=uid)
            if answer is not None and answer.get("metadata", {}).get("deletionGracePeriodSeconds"):
                self._caches.pods.put(answer)
                return True
        return False

    async def touch(self, facts: BotFacts, memory: BotMemory, name: str, *, number: int) -> None:
        """Change an annotation of the Pod, so that the kubelet syncs it at once."""
        attempt = memory.of_attempt(name)
        attempt.touches = number
        stamp = f"{facts.now.isoformat()} {number}"
        patch = {"metadata": {"annotations": {names.TOKEN_DELIVERED_AT_ANNOTATION: stamp}}}
        try:
            answer = await self._kube.patch(PODS, namespace=facts.bot.namespace, name=name, patch=patch)
        except NotFoundError:
            _log.info("Pod %s/%s vanished before it could be touched", facts.bot.namespace, name)
            return
        attempt.touched_at = self._clock()
        self._caches.pods.put(answer)

    async def _refused(self, facts: BotFacts, memory: BotMemory, error: KubeError) -> None:
        """Remember a refusal, with the template that is at fault."""
        if _is_about_this_pod(error):
            problem = template_problem(str(error), by_default=await self._default_is_refused(facts))
            memory.refuse_template(problem, now=facts.now, seconds=_TEMPLATE_REFUSED_SECONDS)
            return
        quota = isinstance(error, ForbiddenError) and error.quota_exceeded
        reason = BotReason.QUOTA_EXCEEDED if quota else BotReason.CONFIG_ERROR
        memory.refuse(Problem(reason, str(error), recoverable=True), now=facts.now, seconds=_REFUSED_SECONDS)

    async def _default_is_refused(self, facts: BotFacts) -> bool:
        """Whether Kubernetes refuses a Pod of the operator's default template alone, too."""
        settings, bot = self._pod_settings(), with_default_template_only(facts.bot)
        if not settings.template:
            return False
        name = pod_name(bot, attempt=1)
        pod = bot_pod(bot, name=name, meeting=facts.joinable, settings=settings, now=facts.now)
        try:
            await self._kube.create(PODS, namespace=bot.namespace, body=pod, dry_run=True, strict=True)
        except AlreadyExistsError:
            return False
        except KubeError as error:
            return _is_about_this_pod(error) and _NO_DRY_RUN not in str(error)
        return False

    async def _adopt(self, facts: BotFacts, memory: BotMemory, name: str) -> None:
        """Take the existing Pod, if it is the bot's: the answer of a create was lost, or another process created it."""
        pod = await self._kube.get(PODS, namespace=facts.bot.namespace, name=name)
        if belongs_to(pod, facts.bot):
            memory.of_attempt(name).pod_seen = True
            self._caches.pods.put(pod)
            return
        message = f"A Pod called {name} exists, which does not belong to this MeetingBot."
        memory.refuse(
            Problem(BotReason.CONFIG_ERROR, message, recoverable=True), now=facts.now, seconds=_REFUSED_SECONDS
        )

    def _pod(self, facts: BotFacts, name: str) -> dict[str, Any]:
        return bot_pod(
            facts.bot,
            name=name,
            meeting=facts.joinable,
            settings=self._pod_settings(),
            now=facts.now,
        )


def _is_refusal(error: KubeError) -> bool:
    """Whether a create is refused: for its content, a quota, a missing right, or by a webhook that does not answer.

    A webhook's failure may last, unlike an outage of the API server.
    """
    webhook_fails = isinstance(error, UnavailableError) and error.status >= 500 and "webhook" in str(error)
    return webhook_fails or isinstance(error, InvalidError | ForbiddenError)


def _is_about_this_pod(error: KubeError) -> bool:
    """Whether the API server rejects the Pod's content, rather than for a quota, a missing right or an outage."""
    by_policy = isinstance(error, ForbiddenError) and _POLICY_REFUSALS.search(str(error)) is not None
    return by_policy or isinstance(error, InvalidError)


class DefaultTemplate:
    """The template in the file `path`; None means that there is no default."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._version: tuple[int, int, int] | None = None
        self._template: Mapping[str, Any] = {}

    def complete(self, settings: PodSettings) -> PodSettings:
        """`settings` with the present template."""
        return replace(settings, template=self.current())

    def current(self) -> Mapping[str, Any]:
        """The present template; empty without one. An invalid file is logged, and the last valid template stays."""
        if self._path is None:
            return {}
        try:
            state = self._path.stat()
            version = (state.st_ino, state.st_mtime_ns, state.st_size)
            if version != self._version:
                self._version = version
                self._template = read_template(self._path)
        except (OSError, TemplateFileError) as error:
            message = str(error) if isinstance(error, TemplateFileError) else type(error).__name__
            _log.error("%s: %s; the default template stays as it was", self._path, message)
        return self._template
