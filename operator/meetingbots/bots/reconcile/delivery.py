"""Carries out the actions on tokens: get them at the last moment, and deliver them to the Pod in a Secret.

The create of the Secret is the commit. The process whose create succeeds has delivered; any other gets AlreadyExists.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import SecretStr

from meetingbots.bots.decide.facts import BotFacts, Delivery, MeetingRef, Problem, TokenFailure
from meetingbots.bots.decide.pod_state import join_secret_name
from meetingbots.bots.decide.status import fixed_spec_hash
from meetingbots.bots.decide.tokens import named_reason, serving
from meetingbots.bots.manifests.environment import (
    OPEN,
    is_of_attempt,
    join_secret,
    read_delivery,
    read_values,
    sdk_jwt,
    secret_values,
)
from meetingbots.bots.manifests.pod_status import pod_state
from meetingbots.bots.reconcile.memory import BotMemory
from meetingbots.bots.reconcile.token_issuer import Issued, NotIssued, TokenIssuer
from meetingbots.bots.reconcile.token_requests import BotTokenRequest
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import AlreadyExistsError, ConflictError, ForbiddenError, InvalidError, NotFoundError
from meetingbots.kube.resources import BOTS, PODS, SECRETS
from meetingbots.mappings.store import read_mapping
from meetingbots.models.bot import BotReason, MeetingBot, TokenDelivery, TokenKind
from meetingbots.runtime.context import ObjectCaches
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.oauth import Environment

_REFUSED_SECONDS: Final = 15.0
_FIRST_RETRY_SECONDS: Final = 1.0
_LAST_RETRY_SECONDS: Final = 15.0
_MAPPING_LIFE: Final = timedelta(seconds=60)
_STALE_AFTER: Final = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True)
class _Content:
    """What is delivered. `reason` and `message` go into the status, `reason_for_bot` into ZOOM_TOKEN_REASON."""

    reason: str
    message: str
    reason_for_bot: str
    tokens: Mapping[TokenKind, SecretStr] = field(default_factory=dict, repr=False)
    issued_at: datetime | None = None
    credential: str | None = None
    environment: Environment | None = None


class BotDelivery:
    """Acts on tokens and their Secret, and keeps the results in the bot's memory."""

    def __init__(self, *, kube: Kube, caches: ObjectCaches, issuer: TokenIssuer, clock: Callable[[], datetime]) -> None:
        self._kube = kube
        self._caches = caches
        self._issuer = issuer
        self._clock = clock

    async def prepare(self, facts: BotFacts, memory: BotMemory, name: str) -> None:
        """Read ahead what the token requests need, so that the time after joinAt is spared it."""
        memory.of_attempt(name).prepared = True
        meeting = facts.meeting
        if isinstance(meeting, MeetingRef) and facts.bot.requested_tokens:
            live = self._caches.live_mappings.get(Key(facts.bot.namespace, meeting.meeting_id))
            if live is None:
                await self._read_mapping(facts.bot, memory, meeting.meeting_id)
            else:
                memory.watch(live)
                memory.mapping_read_at = self._clock()
            await self._issuer.prepare(
                serving(facts.bot, facts.on_behalf_users), mapping=memory.mapping_of(meeting.meeting_id)
            )

    async def issue(
        self, facts: BotFacts, memory: BotMemory, name: str, *, absent: bool = False, settle: bool = False
    ) -> None:
        """Get tokens and deliver them; a failure goes into the memory. Raises `KubeError`."""
        meeting = facts.joinable
        read_at, known = memory.mapping_read_at, memory.mapping_of(meeting.meeting_id)
        old = known is None or read_at is None or self._clock() - read_at > _MAPPING_LIFE
        if old and (facts.bot.requested_tokens or not meeting.host_given):
            await self._read_mapping(facts.bot, memory, meeting.meeting_id)
        bot = serving(facts.bot, facts.on_behalf_users)
        request = BotTokenRequest(bot=bot, meeting=meeting, absent=absent, settle=settle)
        outcome = await self._issuer.issue(request, mapping=memory.mapping_of(meeting.meeting_id))
        if isinstance(outcome, NotIssued):
            self._remember_failure(memory, name, outcome, settled=settle)
            return
        memory.of_attempt(name).found_credential = (outcome.credential or "") if outcome.by_lookup else ""
        await self._deliver(facts, memory, name, _content(outcome))

    async def without(self, facts: BotFacts, memory: BotMemory, name: str, *, reason: str, message: str) -> None:
        """Open the gate without a token. Raises `KubeError`."""
        failure = facts.token_failure
        environment = failure.environment if failure is not None else None
        content = _Content(reason=reason, message=message, reason_for_bot=reason, environment=environment)
        await self._deliver(facts, memory, name, content)

    async def delete_secret(self, bot: MeetingBot, memory: BotMemory, pod: str) -> None:
        """Delete the Secret of a Pod that has started, and record a credential that no mapping lists.

        A Secret of the same name that this attempt does not own stays.
        """
        attempt = memory.of_attempt(pod)
        uid = attempt.secret_uid or await self._own_secret_uid(bot, pod)
        if uid is not None:
            with contextlib.suppress(ConflictError):  # another Secret has the name now
                await self._kube.delete(SECRETS, namespace=bot.namespace, name=join_secret_name(pod), uid=uid)
        attempt.secret_gone = True
        found, attempt.found_credential = attempt.found_credential, ""
        if found and bot.status.meeting_id:
            await self._issuer.record(bot, meeting_id=bot.status.meeting_id, credential=found)

    async def _own_secret_uid(self, bot: MeetingBot, pod: str) -> str | None:
        """The uid of the attempt's Secret; None if there is none, or one with another owner."""
        try:
            secret = await self._kube.get(SECRETS, namespace=bot.namespace, name=join_secret_name(pod))
        except NotFoundError:
            return None
        uid: str = secret["metadata"]["uid"]
        cached = self._caches.pods.get(Key(bot.namespace, pod))
        pod_uid = cached["metadata"]["uid"] if cached is not None else None
        return uid if is_of_attempt(secret, bot, pod_name=pod, pod_uid=pod_uid) else None

    async def _deliver(self, facts: BotFacts, memory: BotMemory, name: str, content: _Content) -> None:
        """Create the Pod's Secret, unless the bot or its Pod has changed since the token request."""
        if self._clock() - facts.now > _STALE_AFTER:
            await self._refresh(facts, name)
        if self._outdated(facts, name):
            return
        meeting = facts.joinable.at(content.environment)
        delivery = Delivery(
            pod_name=name,
            kinds=tuple(content.tokens),
            delivered_at=self._clock(),
            issued_at=content.issued_at,
            credential=content.credential,
            reason=content.reason,
            message=content.message,
            spec_hash=fixed_spec_hash(facts.bot),
        )
        values = secret_values(
            meeting,
            tokens=content.tokens,
            reason=content.reason_for_bot,
            sdk_jwt=_sdk_jwt(facts.bot, meeting, now=delivery.delivered_at),
        )
        secret = join_secret(
            namespace=facts.bot.namespace,
            bot=facts.bot.name,
            owner=_owner(facts, name),
            delivery=delivery,
            values=values,
        )
        attempt = memory.of_attempt(name)
        attempt.looked_at_gate, attempt.secrets = (
            False,
            tuple(value for key, value in values.items() if value and key not in OPEN),
        )
        delivered = await self._create(facts, memory, secret, delivery)
        if delivered is not None:
            attempt.delivery = delivered

    async def _create(self, facts: BotFacts, memory: BotMemory, secret: Object, delivery: Delivery) -> Delivery | None:
        """Create the Secret; returns the delivery that counts, which may be an earlier one. None: it was refused."""
        name = secret["metadata"]["name"]
        try:
            created = await self._kube.create(SECRETS, namespace=facts.bot.namespace, body=secret)
        except AlreadyExistsError:
            before = await self._earlier_delivery(facts, memory, secret)
            if before is None:
                message = f"A Secret called {name} exists, which does not belong to this bot's Pod."
                self._refused(memory, BotReason.CONFIG_ERROR, message, facts.now)
            return before
        except (InvalidError, ForbiddenError) as error:
            if isinstance(error, ForbiddenError) and error.quota_exceeded:
                self._refused(memory, BotReason.QUOTA_EXCEEDED, str(error), facts.now)
                return None
            # A policy's message may quote the object, which holds tokens.
            message = f"Kubernetes refuses Secret {name}: by a policy, a webhook, or a missing right."
            self._refused(memory, BotReason.CONFIG_ERROR, message, facts.now)
            return None
        memory.of_attempt(delivery.pod_name).secret_uid = created["metadata"]["uid"]
        return delivery

    async def _earlier_delivery(self, facts: BotFacts, memory: BotMemory, secret: Object) -> Delivery | None:
        """The delivery in the existing Secret, by a create with a lost answer or by another process.

        None: the existing Secret belongs to something else. The new tokens are dropped in either case.
        """
        metadata = secret["metadata"]
        existing = await self._kube.get(SECRETS, namespace=facts.bot.namespace, name=metadata["name"])
        [owner] = metadata["ownerReferences"]
        if not any(one.get("uid") == owner["uid"] for one in existing["metadata"].get("ownerReferences", ())):
            return None
        try:
            delivery = read_delivery(existing)
        except ValueError:
            return None
        attempt = memory.of_attempt(delivery.pod_name)
        attempt.secret_uid, attempt.secrets = existing["metadata"]["uid"], read_values(existing)
        return delivery

    def _refused(self, memory: BotMemory, reason: BotReason, message: str, now: datetime) -> None:
        # Each try costs tokens, so the next one waits longer than for a Pod.
        memory.refuse(Problem(reason, message, recoverable=True), now=now, seconds=_REFUSED_SECONDS)

    async def _read_mapping(self, bot: MeetingBot, memory: BotMemory, meeting_id: str) -> None:
        memory.mapping = await read_mapping(self._kube, namespace=bot.namespace, meeting_id=meeting_id)
        memory.mapping_read_at = self._clock()

    async def _refresh(self, facts: BotFacts, name: str) -> None:
        """Read bot and Pod into the caches: a process that was frozen has missed what its watches report later."""
        places = [(BOTS, self._caches.bots, facts.bot.name)]
        if facts.pod is not None:
            places.append((PODS, self._caches.pods, name))
        for resource, cache, one in places:
            try:
                cache.put(await self._kube.get(resource, namespace=facts.bot.namespace, name=one))
            except NotFoundError:
                cache.drop(Key(facts.bot.namespace, one))

    def _outdated(self, facts: BotFacts, name: str) -> bool:
        """Whether the watches have reported an edit of the bot, a deletion, or another process's delivery meanwhile."""
        namespace = facts.bot.namespace
        bot = self._caches.bots.get(Key(namespace, facts.bot.name))
        if bot is None or bot["metadata"].get("resourceVersion") != facts.bot.metadata.resource_version:
            return True
        if facts.pod is None:
            return False
        pod = self._caches.pods.get(Key(namespace, name))
        if pod is None or pod["metadata"]["uid"] != facts.pod.uid:
            return True
        state = pod_state(pod)
        return state.started or state.over or state.deleting

    def _remember_failure(self, memory: BotMemory, name: str, outcome: NotIssued, *, settled: bool) -> None:
        attempt, now = memory.of_attempt(name), self._clock()
        earlier = attempt.token_failure
        absent = outcome.reason is BotReason.USER_NOT_IN_MEETING
        waited_for_user = earlier is not None and earlier.reason is BotReason.USER_NOT_IN_MEETING and not absent
        # After a wait for the user, tokenWaitSeconds starts again for failures of Zoom.
        first = earlier.first_try_at if earlier and not waited_for_user else now
        # Waiting as long again as so far doubles the pauses.
        pause = min(_LAST_RETRY_SECONDS, max(_FIRST_RETRY_SECONDS, (now - first).total_seconds()))
        attempt.token_failure = TokenFailure(
            reason=outcome.reason,
            message=outcome.message,
            transient=outcome.transient,
            first_try_at=first,
            next_try_at=now + timedelta(seconds=pause if outcome.retry_after is None else outcome.retry_after),
            tried_at=now,
            partial=outcome.partial,
            settled=settled,
            user_absent=absent or (earlier is not None and earlier.user_absent),
            environment=outcome.environment or (earlier.environment if earlier is not None else None),
        )


def _sdk_jwt(bot: MeetingBot, meeting: MeetingRef, *, now: datetime) -> SecretStr | None:
    if meeting.sdk_app is None:
        return None
    return sdk_jwt(meeting.sdk_app, now=now, max_duration_seconds=bot.spec.max_duration_seconds)


def _content(issued: Issued) -> _Content:
    refusals = issued.refusals
    return _Content(
        tokens=issued.tokens,
        issued_at=issued.issued_at,
        credential=issued.credential,
        environment=issued.environment,
        reason=refusals[0].reason if refusals else "",
        message=" ".join([issued.trail, *(f"{refusal.message}." for refusal in refusals)]).strip(),
        reason_for_bot=named_reason(refusals, had=tuple(issued.tokens)),
    )


def _owner(facts: BotFacts, name: str) -> dict[str, Any]:
    if facts.bot.spec.token_delivery is TokenDelivery.BEFORE_POD or facts.pod is None:
        return facts.bot.owner_reference().to_dict()
    return {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": facts.pod.uid}
