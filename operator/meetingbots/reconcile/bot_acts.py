"""Apply: carry out one act for a bot. Each is idempotent: taken twice, or after a lost answer, it does no harm."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from meetingbots.decide.bot_facts import BotFacts, Shortfall
from meetingbots.decide.bot_status import fixed_spec_hash
from meetingbots.decide.bot_tokens import named_reason
from meetingbots.decide.meeting_ref import MeetingRef, Problem
from meetingbots.decide.pod_state import pod_state
from meetingbots.kube.errors import (
    AlreadyExistsError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    KubeError,
    NotFoundError,
    UnavailableError,
)
from meetingbots.kube.resources import PODS, SECRETS
from meetingbots.manifests.bot_environment import secret_values
from meetingbots.manifests.bot_pod import SPEC_HASH_ANNOTATION, bot_pod, pod_name
from meetingbots.manifests.join_secret import Delivery, join_secret, join_secret_name, read_delivery
from meetingbots.manifests.pod_shape import pod_shape
from meetingbots.models import names
from meetingbots.models.bot import BotReason, MeetingBot, TokenDelivery, TokenKind
from meetingbots.reconcile.bot_gather import owned
from meetingbots.reconcile.bot_memory import BotMemory
from meetingbots.reconcile.cache import Key
from meetingbots.reconcile.default_template import DefaultTemplate
from meetingbots.reconcile.join_tokens import Issued, NotIssued, TokenIssuer
from meetingbots.reconcile.mappings import read_mapping
from meetingbots.reconcile.services import Services

_log = logging.getLogger(__name__)
_REFUSED_SECONDS = 5.0
_TEMPLATE_REFUSED_SECONDS = 25.0
_SECRET_REFUSED_SECONDS = 15.0
_FIRST_RETRY_SECONDS = 1.0
_LAST_RETRY_SECONDS = 15.0
_MAPPING_LIFE = timedelta(seconds=60)
_TAKEN_LIFE = timedelta(seconds=60)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NO_DRY_RUN = "does not support dry run"
"""What the API server says where an admission webhook has side effects: then the template cannot be checked."""


class BotActs:
    """The acts on Pods and Secrets; what they find out goes into the bot's memory."""

    def __init__(self, *, services: Services, issuer: TokenIssuer, default_template: DefaultTemplate) -> None:
        self._services = services
        self._default_template = default_template
        self._issuer = issuer
        self._taken: dict[tuple[str, str], datetime] = {}
        """When a dry run last took a Pod of a shape, by namespace and shape."""

    async def create_pod(self, facts: BotFacts, memory: BotMemory, name: str) -> None:
        """Create the claimed Pod; a refusal is remembered as the template's problem or as passing."""
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

    async def delete_pod(self, bot: MeetingBot, name: str, uid: str) -> None:
        """Ask the Pod to end within its grace period; another Pod of that name is none of our business."""
        with contextlib.suppress(ConflictError):
            await self._services.kube.delete(PODS, namespace=bot.namespace, name=name, uid=uid)

    async def touch_pod(self, facts: BotFacts, memory: BotMemory, name: str, *, number: int) -> None:
        """Change an annotation of the Pod, upon which the kubelet looks at it at once."""
        memory.of_attempt(name).touches = number
        stamp = f"{facts.now.isoformat()} {number}"
        patch = {"metadata": {"annotations": {names.TOKEN_DELIVERED_AT_ANNOTATION: stamp}}}
        try:
            answer = await self._services.kube.patch(PODS, namespace=facts.bot.namespace, name=name, patch=patch)
            self._services.caches.pods.put(answer)
        except NotFoundError:
            _log.info("Pod %s/%s vanished before it could be touched", facts.bot.namespace, name)

    async def prepare_tokens(self, facts: BotFacts, memory: BotMemory, name: str) -> None:
        """Read ahead what the tokens will be asked with, so that the moment of joining is spared it."""
        memory.of_attempt(name).prepared = True
        meeting = facts.meeting
        if isinstance(meeting, MeetingRef) and facts.bot.requested_tokens:
            live = self._services.caches.live_mappings.get(Key(facts.bot.namespace, meeting.meeting_id))
            if live is None:
                await self.read_mapping(facts.bot, memory, meeting.meeting_id)
            else:
                memory.watch(live)
                memory.mapping_read_at = self._services.clock()
            await self._issuer.prepare(facts.bot, mapping=memory.mapping_of(meeting.meeting_id))

    async def read_mapping(self, bot: MeetingBot, memory: BotMemory, meeting_id: str) -> None:
        """Read the meeting's mapping into the bot's memory."""
        memory.mapping = await read_mapping(self._services.kube, namespace=bot.namespace, meeting_id=meeting_id)
        memory.mapping_read_at = self._services.clock()

    async def issue_tokens(
        self, facts: BotFacts, memory: BotMemory, name: str, *, absent: bool = False, settle: bool = False
    ) -> None:
        """Get tokens and deliver them; a failure is remembered as the shortfall."""
        meeting = facts.meeting
        assert isinstance(meeting, MeetingRef)  # noqa: S101 - decide asks for tokens of a known meeting only
        read_at = memory.mapping_read_at
        known = memory.mapping_of(meeting.meeting_id)
        old = known is None or read_at is None or self._services.clock() - read_at > _MAPPING_LIFE
        if old and facts.bot.requested_tokens:
            await self.read_mapping(facts.bot, memory, meeting.meeting_id)
        mapping = memory.mapping_of(meeting.meeting_id)
        outcome = await self._issuer.issue(facts.bot, meeting=meeting, mapping=mapping, absent=absent, settle=settle)
        if isinstance(outcome, NotIssued):
            self._remember_shortfall(memory, name, outcome, settled=settle)
            return
        refusals = outcome.refusals
        memory.of_attempt(name).found_credential = (outcome.credential or "") if outcome.by_lookup else ""
        await self.deliver(
            facts,
            memory,
            name,
            tokens=outcome.tokens,
            issued=outcome,
            reason=refusals[0].reason if refusals else "",
            message=" ".join([outcome.trail, *(f"{refusal.message}." for refusal in refusals)]).strip(),
            named=named_reason(refusals, had=tuple(outcome.tokens)),
        )

    async def deliver(
        self,
        facts: BotFacts,
        memory: BotMemory,
        name: str,
        *,
        tokens: Mapping[TokenKind, SecretStr],
        issued: Issued | None,
        reason: str,
        message: str,
        named: str | None = None,
    ) -> None:
        """Create the Pod's Secret, which is the commit: whoever creates it has delivered, anybody else has not.

        `named` is what the bot itself is told of what is missing. Nothing is delivered if the bot or its Pod changed
        while Zoom was being asked: then it is decided anew.
        """
        meeting = facts.meeting
        assert isinstance(meeting, MeetingRef)  # noqa: S101 - as above
        if self._overtaken(facts, name):
            return
        delivery = Delivery(
            pod_name=name,
            kinds=tuple(tokens),
            delivered_at=self._services.clock(),
            issued_at=issued.issued_at if issued else None,
            credential=issued.credential if issued else None,
            reason=reason,
            message=message,
            spec_hash=fixed_spec_hash(facts.bot),
        )
        values = secret_values(
            passcode=meeting.passcode,
            registrant_token=meeting.registrant_token,
            tokens=tokens,
            reason=reason if named is None else named,
        )
        owner = self._owner(facts, name)
        body = join_secret(
            namespace=facts.bot.namespace, bot=facts.bot.name, owner=owner, delivery=delivery, values=values
        )
        attempt = memory.of_attempt(name)
        attempt.looked_at_gate = False
        try:
            await self._services.kube.create(SECRETS, namespace=facts.bot.namespace, body=body)
        except AlreadyExistsError:
            before = await self._delivered_before(facts, name, owner_uid=owner["uid"])
            if before is None:
                words = f"A Secret called {join_secret_name(name)} exists, which does not belong to this bot's Pod."
                self._secret_refused(memory, BotReason.CONFIG_ERROR, words, facts.now)
                return
            delivery = before
        except (InvalidError, ForbiddenError) as error:
            if isinstance(error, ForbiddenError) and error.quota_exceeded:
                self._secret_refused(memory, BotReason.QUOTA_EXCEEDED, str(error), facts.now)
                return
            # What a policy says may quote the object, and this one is secret.
            words = f"Kubernetes refuses Secret {join_secret_name(name)}: by a policy, a webhook, or a missing right."
            self._secret_refused(memory, BotReason.CONFIG_ERROR, words, facts.now)
            return
        attempt.delivery = delivery

    async def delete_secret(self, bot: MeetingBot, memory: BotMemory, pod: str) -> None:
        """Remove the Secret of a Pod whose container has taken what was in it; and write down whose token it was."""
        await self._services.kube.delete(SECRETS, namespace=bot.namespace, name=join_secret_name(pod))
        attempt = memory.of_attempt(pod)
        attempt.secret_gone = True
        found, attempt.found_credential = attempt.found_credential, ""
        if found and bot.status.meeting_id:
            await self._issuer.record(bot, meeting_id=bot.status.meeting_id, credential=found)

    async def _delivered_before(self, facts: BotFacts, name: str, *, owner_uid: str) -> Delivery | None:
        """What a former answer that was lost, or another process, delivered: it counts, and our tokens are dropped.

        None: the Secret is not this Pod's.
        """
        secret = await self._services.kube.get(SECRETS, namespace=facts.bot.namespace, name=join_secret_name(name))
        owners = secret["metadata"].get("ownerReferences", ())
        if any(owner.get("uid") == owner_uid for owner in owners):
            return read_delivery(secret)
        return None

    def _overtaken(self, facts: BotFacts, name: str) -> bool:
        """Whether the watches have told meanwhile of another process's delivery, a deletion, or an edit of the bot."""
        caches, namespace = self._services.caches, facts.bot.namespace
        bot = caches.bots.get(Key(namespace, facts.bot.name))
        if bot is None or bot["metadata"].get("resourceVersion") != facts.bot.metadata.resource_version:
            return True
        if facts.pod is None:
            return False
        pod = caches.pods.get(Key(namespace, name))
        if pod is None or pod["metadata"]["uid"] != facts.pod.uid:
            return True
        state = pod_state(pod, spec_hash_annotation=SPEC_HASH_ANNOTATION)
        return state.started or state.over or state.deleting

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

    def _owner(self, facts: BotFacts, name: str) -> dict[str, Any]:
        if facts.bot.spec.token_delivery is TokenDelivery.BEFORE_POD or facts.pod is None:
            return facts.bot.owner_reference().to_dict()
        return {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": facts.pod.uid}

    def _remember_shortfall(self, memory: BotMemory, name: str, outcome: NotIssued, *, settled: bool) -> None:
        attempt, now = memory.of_attempt(name), self._services.clock()
        earlier = attempt.shortfall
        absent = outcome.reason is BotReason.USER_NOT_IN_MEETING
        waited_for_user = earlier is not None and earlier.reason is BotReason.USER_NOT_IN_MEETING and not absent
        # Zoom's trouble after a wait for the user has a patience of its own.
        first = earlier.first_try_at if earlier and not waited_for_user else now
        waited = (now - first).total_seconds()
        pause = min(_LAST_RETRY_SECONDS, max(_FIRST_RETRY_SECONDS, waited))
        attempt.shortfall = Shortfall(
            reason=outcome.reason,
            message=outcome.message,
            passing=outcome.passing,
            first_try_at=first,
            next_try_at=now + timedelta(seconds=outcome.retry_after if outcome.retry_after is not None else pause),
            tried_at=now,
            partial=outcome.partial,
            settled=settled,
            user_absent=absent or (earlier is not None and earlier.user_absent),
        )

    def _secret_refused(self, memory: BotMemory, reason: BotReason, words: str, now: datetime) -> None:
        # The tokens of this try are lost, so the next one is not soon.
        memory.refused = Problem(reason, words, mendable=True)
        memory.refused_until = now + timedelta(seconds=_SECRET_REFUSED_SECONDS)

    def _refused(self, memory: BotMemory, error: KubeError, now: datetime) -> None:
        passing = isinstance(error, UnavailableError)
        if passing or (isinstance(error, ForbiddenError) and not _forbids_this_pod(error)):
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
