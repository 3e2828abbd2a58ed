"""The late-token gate: issue the tokens at the last moment, deliver them, and make the kubelet start the Pod.

A Pod is at its gate when it could start but for its Secret (with tokenDelivery BeforePod: before it is created).
"""

from __future__ import annotations

import math
from datetime import datetime

from meetingbots.bots.decide import attempts as bot_attempts
from meetingbots.bots.decide import status as bot_status
from meetingbots.bots.decide.facts import (
    BotFacts,
    BotPlan,
    Commit,
    DeliverWithout,
    IssueTokens,
    PrepareTokens,
    TokenFailure,
    TouchPod,
)
from meetingbots.bots.decide.pod_state import SANDBOX_SECONDS, PodState
from meetingbots.bots.decide.schedule import (
    gate_deadline,
    prepare_time,
    shifted,
    start_deadline,
    until,
    user_deadline,
)
from meetingbots.bots.decide.tokens import without_token
from meetingbots.models.bot import BotPhase, BotReason, MeetingBot, TokenPolicy
from meetingbots.models.conditions import ConditionType, find

TOUCH_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""When to touch the Pod after the delivery, while its container has not started."""
_LEAST_PAUSE_SECONDS = 0.5
"""Least time between Kubernetes' acknowledgement of a touch and the next touch."""
START_AFTER_DELIVERY_SECONDS = 60.0
"""A container that has not started by then gets a new Pod with new tokens: a join token lives 120 s (Zoom)."""
_JOINING_IS_WRITTEN_AFTER = 1.0
"""A start takes about 0.1 s. Where many bots start at once, writing Joining for each would slow them down."""
SANDBOX_LOST_SECONDS = 90.0
"""A Pod that its node does not prepare for so long is replaced; the time doubles with each replacement."""
_QUOTA_SECONDS = 5.0
_STUMBLE_TOUCH_SECONDS = 2.0


def staging(facts: BotFacts, pod: PodState) -> BotPlan:
    """The next step while the Pod is being prepared, up to its gate."""
    waits, trouble = pod.at_gate, pod.trouble(now=facts.now)
    deadline = gate_deadline(facts) if waits else start_deadline(facts.bot)
    if facts.now >= deadline:
        return bot_attempts.missed(facts, trouble.message if trouble else _what_is_missing(facts, pod))
    if not waits and pod.stumbles:
        return _past_stumble(facts, pod, deadline)
    unprepared = _sandbox_deadline(facts, pod)
    if unprepared is not None and facts.now >= unprepared:
        where = f" on node {pod.node}" if pod.node else ""
        return bot_attempts.lost(facts, f"Pod {pod.name}{where} did not get its volumes and network.")
    following = deadline if unprepared is None else min(deadline, unprepared)
    if trouble is not None:
        new_status = bot_status.obstructed(facts, BotPhase.STAGING, trouble)
        return BotPlan(status=new_status, requeue_after=until(facts, following))
    if not waits:
        return _being_prepared(facts, pod, following)
    if facts.refused is not None:
        # Kubernetes refused the Secret, by a quota or a policy. Each further try costs tokens.
        new_status = bot_status.blocked(facts, BotPhase.STAGING, facts.refused)
        return BotPlan(status=new_status, requeue_after=until(facts, deadline, at_most=_QUOTA_SECONDS))
    return at_gate(facts, pod.name)


def _being_prepared(facts: BotFacts, pod: PodState, deadline: datetime) -> BotPlan:
    if must_prepare(facts):
        return BotPlan(status=facts.bot.status, action=PrepareTokens(pod.name))
    look = deadline if facts.prepared else min(deadline, prepare_time(facts.bot))
    if pod.sandbox_waits_since is not None:
        reported = shifted(pod.sandbox_waits_since, seconds=SANDBOX_SECONDS)
        look = min(look, reported) if facts.now < reported else look
    return BotPlan(status=bot_status.staged(facts, pod.name), requeue_after=until(facts, look))


def _past_stumble(facts: BotFacts, pod: PodState, deadline: datetime) -> BotPlan:
    """Touch a Pod that a transient failure of the kubelet holds; the kubelet retries no sooner than after 10 s."""
    due = facts.now if facts.touched_at is None else shifted(facts.touched_at, seconds=_STUMBLE_TOUCH_SECONDS)
    if facts.now >= due:
        return BotPlan(status=facts.bot.status, action=TouchPod(pod.name, number=0))
    return BotPlan(status=bot_status.staged(facts, pod.name), requeue_after=until(facts, min(due, deadline)))


def _sandbox_deadline(facts: BotFacts, pod: PodState) -> datetime | None:
    """By when the Pod's node must have prepared it; a Pod that holds no token can be replaced without harm."""
    if pod.sandbox_waits_since is None:
        return None
    patience = SANDBOX_LOST_SECONDS * 2**facts.bot.status.infrastructure_restarts
    return shifted(pod.sandbox_waits_since, seconds=patience)


def _what_is_missing(facts: BotFacts, pod: PodState) -> str:
    if facts.refused is not None:
        return facts.refused.message
    if facts.token_failure is not None:
        return facts.token_failure.message
    return f"Pod {pod.name} was still being prepared{f' on node {pod.node}' if pod.node else ''}."


def at_gate(facts: BotFacts, name: str) -> BotPlan:
    """The next step at the gate of the Pod `name`: has joinAt come, is the user present, are there tokens."""
    bot, failure = facts.bot, facts.token_failure
    if must_prepare(facts):
        return BotPlan(status=bot.status, action=PrepareTokens(name))
    if facts.now < bot.join_at:
        following = bot.join_at if facts.prepared else prepare_time(bot)
        return BotPlan(status=bot_status.staged(facts, name), requeue_after=until(facts, following))
    if awaits_user(facts):
        return _wait_for_user(facts, name)
    if failure is None:
        return BotPlan(status=bot.status, action=IssueTokens(name))
    if failure.transient:
        return _try_again(facts, name, failure)
    return _without(facts, name, failure)


def must_prepare(facts: BotFacts) -> bool:
    """Whether it is time to read ahead, so that joinAt waits for nothing that can be read before it."""
    return not facts.prepared and facts.now >= prepare_time(facts.bot)


def awaits_user(facts: BotFacts) -> bool:
    """Whether the bot comes on behalf of a user who is not in the meeting, by events or by Zoom's refusal.

    Zoom's refusal also counts where no user is known, as in a meeting that was only looked up.
    """
    failure = facts.token_failure
    return _known_absent(facts) or (failure is not None and failure.reason is BotReason.USER_NOT_IN_MEETING)


def waited_before(bot: MeetingBot, *, now: datetime) -> TokenFailure | None:
    """The failure of an earlier operator process that waited for the bot's user, from the status; else None.

    A restart does not ask Zoom sooner: tries continue in steps of `retrySeconds` from the first one.
    """
    status, condition = bot.status, find(bot.status.conditions, ConditionType.TOKEN_ISSUED)
    waits = status.phase is BotPhase.WAITING_FOR_USER and not status.accounted
    if not waits or condition is None or condition.reason != BotReason.USER_NOT_IN_MEETING:
        return None
    first, step = condition.last_transition_time, bot.spec.on_behalf.retry_seconds
    steps = 1 + math.floor(max(0.0, (now - first).total_seconds()) / step)
    return TokenFailure(
        reason=BotReason.USER_NOT_IN_MEETING,
        message=condition.message,
        transient=True,
        first_try_at=first,
        next_try_at=shifted(first, seconds=steps * step),
        tried_at=first,
        user_absent=True,
    )


def _wait_for_user(facts: BotFacts, name: str) -> BotPlan:
    """Wait for the user; after `onBehalf.waitSeconds` join without, or fail."""
    bot, failure, end = facts.bot, facts.token_failure, user_deadline(facts.bot)
    words = _waits_for(facts)
    if facts.now >= end:
        return _user_given_up(facts, name, words, end=end)
    if failure is not None and facts.now >= _next_try(facts, failure) and not _known_absent(facts):
        return BotPlan(status=bot.status, action=IssueTokens(name))
    new_status = bot_status.in_trouble(facts, BotPhase.WAITING_FOR_USER, BotReason.USER_NOT_IN_MEETING, words)
    following = end if failure is None or _known_absent(facts) else min(end, _next_try(facts, failure))
    return BotPlan(status=new_status, requeue_after=until(facts, following))


def _waits_for(facts: BotFacts) -> str:
    users = [user.credential for user in facts.on_behalf_users]
    if len(users) == 1:
        return f"The bot comes on behalf of the user of ZoomCredential {users[0]}, who is not in the meeting yet."
    if users:
        return f"The bot comes on behalf of a user of ZoomCredential {', '.join(users)}; none is in the meeting yet."
    said = f" {facts.token_failure.message}" if facts.token_failure is not None else ""
    return f"The user on whose behalf the bot comes is not in the meeting yet.{said}"


def _user_given_up(facts: BotFacts, name: str, words: str, *, end: datetime) -> BotPlan:
    """The user has not come by `end`: fail, or join with the other tokens, if there are any."""
    bot, failure, last_try = facts.bot, facts.token_failure, IssueTokens(name, absent=True, settle=True)
    if bot.spec.token_policy is TokenPolicy.REQUIRED:
        return BotPlan(status=bot_status.failed(facts, BotReason.USER_NOT_IN_MEETING, words), action=Commit())
    tried_as_absent = failure is not None and failure.settled and not _refused_for_absence(failure)
    if failure is None or not tried_as_absent:
        return BotPlan(status=bot.status, action=last_try)
    limit = shifted(end, seconds=bot.spec.token_wait_seconds)
    if not failure.transient or facts.now >= limit:
        return _without(facts, name, failure)
    if facts.now >= failure.next_try_at:
        return BotPlan(status=bot.status, action=last_try)
    new_status = bot_status.in_trouble(facts, BotPhase.WAITING_FOR_USER, failure.reason, failure.message)
    return BotPlan(status=new_status, requeue_after=until(facts, min(limit, failure.next_try_at)))


def _refused_for_absence(failure: TokenFailure) -> bool:
    """Whether Zoom refused because of the absence; a token that was not requested at all is no transient failure."""
    return failure.transient and failure.reason is BotReason.USER_NOT_IN_MEETING


def _known_absent(facts: BotFacts) -> bool:
    return facts.on_behalf_user is not None and facts.on_behalf_user.present is False


def _next_try(facts: BotFacts, failure: TokenFailure) -> datetime:
    """When Zoom may be asked again: at once if the user has come since the last try."""
    person, tried = facts.on_behalf_user, failure.tried_at
    came = person is not None and person.present is True and person.since is not None
    if came and tried is not None and person is not None and person.since is not None and person.since > tried:
        return tried
    return failure.next_try_at


def _without(facts: BotFacts, name: str, failure: TokenFailure) -> BotPlan:
    """The missing tokens will not come: join with the others, if the author allows that."""
    bot = facts.bot
    if bot.spec.token_policy is TokenPolicy.REQUIRED:
        words = f"No token, and tokenPolicy is Required. {failure.message}"
        return BotPlan(status=bot_status.failed(facts, failure.reason, words), action=Commit())
    if failure.partial and not failure.settled:
        return BotPlan(status=bot.status, action=IssueTokens(name, settle=True))
    return BotPlan(status=bot.status, action=DeliverWithout(name, failure.reason, failure.message))


def _try_again(facts: BotFacts, name: str, failure: TokenFailure) -> BotPlan:
    bot, limit, words = facts.bot, gate_deadline(facts), failure.message
    if bot.spec.token_policy is TokenPolicy.REQUIRED:
        # The wait for a mapping takes a few seconds only, whatever the deadline.
        if failure.reason is not BotReason.NO_MAPPING:
            words = f"{words} The bot does not join without a token, and waits until {limit:%Y-%m-%d %H:%M:%S} UTC."
    else:
        limit = shifted(failure.first_try_at, seconds=bot.spec.token_wait_seconds)
        if facts.now >= limit:
            return _without(facts, name, failure)
    if facts.now >= failure.next_try_at:
        return BotPlan(status=bot.status, action=IssueTokens(name))
    new_status = bot_status.in_trouble(facts, BotPhase.STAGING, failure.reason, words)
    return BotPlan(status=new_status, requeue_after=until(facts, min(limit, failure.next_try_at)))


def behind_gate(facts: BotFacts, pod: PodState, *, since: float) -> BotPlan:
    """The next step `since` seconds after the delivery, while the container has not started."""
    trouble = pod.trouble(now=facts.now)
    if since >= START_AFTER_DELIVERY_SECONDS:
        words = (
            f"Pod {pod.name} did not start within {START_AFTER_DELIVERY_SECONDS:.0f} s after its token was delivered."
        )
        return bot_attempts.lost(facts, f"{words} {trouble.message}." if trouble else words)
    due = _next_touch(facts, since=since)
    if since >= due:
        # Missed touches are skipped.
        return BotPlan(status=facts.bot.status, action=TouchPod(pod.name, number=touches_due(since)))
    fixed = bot_status.joined_with(facts)
    if trouble is not None:
        new_status = bot_status.obstructed(facts, BotPhase.JOINING, trouble, spec_hash=fixed)
    else:
        words = f"Pod {pod.name} starts.{without_token(facts)}"
        new_status = bot_status.going_well(facts, BotPhase.JOINING, words, spec_hash=fixed)
    # The very status that was read: nothing is written.
    status = facts.bot.status if since < _JOINING_IS_WRITTEN_AFTER else new_status
    return BotPlan(status=status, requeue_after=due - since)


def _next_touch(facts: BotFacts, *, since: float) -> float:
    """When the Pod is touched next, in seconds after the delivery.

    If a slow API server delayed the last touch, the pause counts from its acknowledgement.
    """
    if facts.touches >= len(TOUCH_SECONDS):
        return START_AFTER_DELIVERY_SECONDS
    due = TOUCH_SECONDS[facts.touches]
    if facts.touched_at is None:
        return due
    return max(due, since - (facts.now - facts.touched_at).total_seconds() + _LEAST_PAUSE_SECONDS)


def touches_due(since: float) -> int:
    """How many touches are due by `since` seconds after the delivery."""
    return sum(1 for moment in TOUCH_SECONDS if moment <= since)
