"""Apply, for tokens: get them at the last moment, and hand them to the Pod in a Secret whose create is the commit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from meetingbots.bots.decide.facts import BotFacts, Delivery, TokenFailure
from meetingbots.bots.decide.meeting import MeetingRef, Problem
from meetingbots.bots.decide.pod_names import join_secret_name
from meetingbots.bots.decide.status import fixed_spec_hash
from meetingbots.bots.decide.tokens import named_reason
from meetingbots.bots.manifests.environment import secret_values
from meetingbots.bots.manifests.join_secret import join_secret, read_delivery
from meetingbots.bots.manifests.pod_status import pod_state
from meetingbots.bots.reconcile.memory import BotMemory
from meetingbots.bots.reconcile.token_issuer import Issued, NotIssued, TokenIssuer
from meetingbots.kube.client import Object
from meetingbots.kube.errors import AlreadyExistsError, ForbiddenError, InvalidError
from meetingbots.kube.resources import SECRETS
from meetingbots.mappings.reader import read_mapping
from meetingbots.models.bot import BotReason, MeetingBot, TokenDelivery, TokenKind
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key

_REFUSED_SECONDS = 15.0
_FIRST_RETRY_SECONDS = 1.0
_LAST_RETRY_SECONDS = 15.0
_MAPPING_LIFE = timedelta(seconds=60)


class BotDelivery:
    """The acts on tokens and their Secret; what they find out goes into the bot's memory."""

    def __init__(self, *, services: OperatorContext, issuer: TokenIssuer) -> None:
        self._services = services
        self._issuer = issuer

    async def prepare(self, facts: BotFacts, memory: BotMemory, name: str) -> None:
        """Read ahead what the tokens will be asked with, so that the moment of joining is spared it."""
        memory.of_attempt(name).prepared = True
        meeting = facts.meeting
        if isinstance(meeting, MeetingRef) and facts.bot.requested_tokens:
            live = self._services.caches.live_mappings.get(Key(facts.bot.namespace, meeting.meeting_id))
            if live is None:
                await self._read_mapping(facts.bot, memory, meeting.meeting_id)
            else:
                memory.watch(live)
                memory.mapping_read_at = self._services.clock()
            await self._issuer.prepare(facts.bot, mapping=memory.mapping_of(meeting.meeting_id))

    async def issue(
        self, facts: BotFacts, memory: BotMemory, name: str, *, absent: bool = False, settle: bool = False
    ) -> None:
        """Get tokens and deliver them; a failure is remembered as the failure."""
        meeting = facts.meeting
        assert isinstance(meeting, MeetingRef)  # noqa: S101 - decide asks for tokens of a known meeting only
        read_at = memory.mapping_read_at
        known = memory.mapping_of(meeting.meeting_id)
        old = known is None or read_at is None or self._services.clock() - read_at > _MAPPING_LIFE
        if old and facts.bot.requested_tokens:
            await self._read_mapping(facts.bot, memory, meeting.meeting_id)
        mapping = memory.mapping_of(meeting.meeting_id)
        outcome = await self._issuer.issue(facts.bot, meeting=meeting, mapping=mapping, absent=absent, settle=settle)
        if isinstance(outcome, NotIssued):
            self._remember_failure(memory, name, outcome, settled=settle)
            return
        refusals = outcome.refusals
        memory.of_attempt(name).found_credential = (outcome.credential or "") if outcome.by_lookup else ""
        await self._deliver(
            facts,
            memory,
            name,
            tokens=outcome.tokens,
            issued=outcome,
            reason=refusals[0].reason if refusals else "",
            message=" ".join([outcome.trail, *(f"{refusal.message}." for refusal in refusals)]).strip(),
            named=named_reason(refusals, had=tuple(outcome.tokens)),
        )

    async def without(self, facts: BotFacts, memory: BotMemory, name: str, *, reason: str, message: str) -> None:
        """Open the gate without a token."""
        await self._deliver(facts, memory, name, tokens={}, issued=None, reason=reason, message=message)

    async def _deliver(
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
        owner = _owner(facts, name)
        body = join_secret(
            namespace=facts.bot.namespace, bot=facts.bot.name, owner=owner, delivery=delivery, values=values
        )
        memory.of_attempt(name).looked_at_gate = False
        delivered = await self._create(facts, memory, name, body=body, delivery=delivery, owner_uid=owner["uid"])
        if delivered is not None:
            memory.of_attempt(name).delivery = delivered

    async def delete_secret(self, bot: MeetingBot, memory: BotMemory, pod: str) -> None:
        """Remove the Secret of a Pod whose container has taken what was in it; and write down whose token it was."""
        await self._services.kube.delete(SECRETS, namespace=bot.namespace, name=join_secret_name(pod))
        attempt = memory.of_attempt(pod)
        attempt.secret_gone = True
        found, attempt.found_credential = attempt.found_credential, ""
        if found and bot.status.meeting_id:
            await self._issuer.record(bot, meeting_id=bot.status.meeting_id, credential=found)

    async def _read_mapping(self, bot: MeetingBot, memory: BotMemory, meeting_id: str) -> None:
        """Read the meeting's mapping into the bot's memory."""
        memory.mapping = await read_mapping(self._services.kube, namespace=bot.namespace, meeting_id=meeting_id)
        memory.mapping_read_at = self._services.clock()

    async def _create(
        self, facts: BotFacts, memory: BotMemory, name: str, *, body: Object, delivery: Delivery, owner_uid: str
    ) -> Delivery | None:
        """Create the Secret; gives what is delivered by it, or by who was first. None: it is refused, and told."""
        try:
            await self._services.kube.create(SECRETS, namespace=facts.bot.namespace, body=body)
        except AlreadyExistsError:
            before = await self._delivered_before(facts, name, owner_uid=owner_uid)
            if before is None:
                words = f"A Secret called {join_secret_name(name)} exists, which does not belong to this bot's Pod."
                self._refused(memory, BotReason.CONFIG_ERROR, words, facts.now)
            return before
        except (InvalidError, ForbiddenError) as error:
            if isinstance(error, ForbiddenError) and error.quota_exceeded:
                self._refused(memory, BotReason.QUOTA_EXCEEDED, str(error), facts.now)
                return None
            # What a policy says may quote the object, and this one is secret.
            words = f"Kubernetes refuses Secret {join_secret_name(name)}: by a policy, a webhook, or a missing right."
            self._refused(memory, BotReason.CONFIG_ERROR, words, facts.now)
            return None
        return delivery

    async def _delivered_before(self, facts: BotFacts, name: str, *, owner_uid: str) -> Delivery | None:
        """What a former answer that was lost, or another process, delivered: it counts, and our tokens are dropped.

        None: the Secret is not this Pod's.
        """
        secret = await self._services.kube.get(SECRETS, namespace=facts.bot.namespace, name=join_secret_name(name))
        owners = secret["metadata"].get("ownerReferences", ())
        if any(owner.get("uid") == owner_uid for owner in owners):
            return read_delivery(secret)
        return None

    def _refused(self, memory: BotMemory, reason: BotReason, words: str, now: datetime) -> None:
        # The tokens of this try are lost, so the next one is not soon.
        memory.refused = Problem(reason, words, mendable=True)
        memory.refused_until = now + timedelta(seconds=_REFUSED_SECONDS)

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
        state = pod_state(pod)
        return state.started or state.over or state.deleting

    def _remember_failure(self, memory: BotMemory, name: str, outcome: NotIssued, *, settled: bool) -> None:
        attempt, now = memory.of_attempt(name), self._services.clock()
        earlier = attempt.token_failure
        absent = outcome.reason is BotReason.USER_NOT_IN_MEETING
        waited_for_user = earlier is not None and earlier.reason is BotReason.USER_NOT_IN_MEETING and not absent
        # Zoom's trouble after a wait for the user has a patience of its own.
        first = earlier.first_try_at if earlier and not waited_for_user else now
        waited = (now - first).total_seconds()
        pause = min(_LAST_RETRY_SECONDS, max(_FIRST_RETRY_SECONDS, waited))
        attempt.token_failure = TokenFailure(
            reason=outcome.reason,
            message=outcome.message,
            transient=outcome.transient,
            first_try_at=first,
            next_try_at=now + timedelta(seconds=outcome.retry_after if outcome.retry_after is not None else pause),
            tried_at=now,
            partial=outcome.partial,
            settled=settled,
            user_absent=absent or (earlier is not None and earlier.user_absent),
        )


def _owner(facts: BotFacts, name: str) -> dict[str, Any]:
    if facts.bot.spec.token_delivery is TokenDelivery.BEFORE_POD or facts.pod is None:
        return facts.bot.owner_reference().to_dict()
    return {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": facts.pod.uid}
