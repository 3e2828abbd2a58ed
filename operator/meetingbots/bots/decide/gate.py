"""The late-token gate: when the tokens are asked for, when the bot goes without, and that its Pod then starts.

Reached when the Pod could start but for its Secret (or, with tokenDelivery BeforePod, when the Pod is yet to be made).
"""

from __future__ import annotations

import math
from datetime import datetime

from meetingbots.bots.decide import attempts as bot_attempts
from meetingbots.bots.decide import status as bot_status
from meetingbots.bots.decide.actions import BotPlan, Commit, DeliverWithout, IssueTokens, PrepareTokens, TouchPod
from meetingbots.bots.decide.facts import BotFacts, TokenFailure
from meetingbots.bots.decide.pod_names import join_secret_name
from meetingbots.bots.decide.pod_state import PodState
from meetingbots.bots.decide.schedule import attempt_due, prepare_time, shifted, start_deadline, until
from meetingbots.models.bot import BotPhase, BotReason, MeetingBot, TokenPolicy
from meetingbots.models.conditions import ConditionType, find

TOUCH_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""When the Pod is touched, after the delivery, while its container has not started."""
_LEAST_PAUSE_SECONDS = 0.5
"""From when Kubernetes has taken a touch to the next one."""
START_AFTER_DELIVERY_SECONDS = 60.0
"""A container that has not started by then gets a new Pod with new tokens: a join token lives 120 s (Zoom)."""
_JOINING_IS_TOLD_AFTER = 1.0
"""A start takes about 0.1 s. Where many start at once it takes longer, and would with this write take longer still."""
_LAST_TRY_SECONDS = 5.0


def at_gate(facts: BotFacts, name: str) -> BotPlan:
    """Decide at the gate of the Pod `name`: is it time, is the person there, and is there a token."""
    bot, failure = facts.bot, facts.token_failure
    if must_prepare(facts):
        return BotPlan(status=bot.status, action=PrepareTokens(name))
    if facts.now < bot.join_at:
        following = bot.join_at if facts.prepared else prepare_time(bot)
        return BotPlan(status=bot_status.staged(facts, name), requeue_after=until(facts, following))
    if awaits_user(facts):
        return _for_person(facts, name)
    if failure is None:
        return BotPlan(status=bot.status, action=IssueTokens(name))
    if failure.transient:
        return _try_again(facts, name, failure)
    return _without(facts, name, failure)


def must_prepare(facts: BotFacts) -> bool:
    """Whether it is time to read ahead: nothing that could be read before joinAt is to be read after it."""
    return not facts.prepared and facts.now >= prepare_time(facts.bot)


def awaits_user(facts: BotFacts) -> bool:
    """Whether the bot comes on behalf of somebody who is known not to be there, by events or by Zoom's refusal.

    Zoom's refusal tells it also where nobody is known here, as in a meeting that was only looked up.
    """
    failure = facts.token_failure
    return _known_absent(facts) or (failure is not None and failure.reason is BotReason.USER_NOT_IN_MEETING)


def gate_deadline(facts: BotFacts) -> datetime:
    """Until when the Pod may wait at its gate: `startDeadlineSeconds`, or as long as a person may be waited for."""
    limit = start_deadline(facts.bot)
    if facts.on_behalf_user is None and not (facts.token_failure is not None and facts.token_failure.user_absent):
        return limit
    return max(limit, shifted(_wait_end(facts), seconds=facts.bot.spec.token_wait_seconds + _LAST_TRY_SECONDS))


def _wait_end(facts: BotFacts) -> datetime:
    bot = facts.bot
    return shifted(bot_attempts.waits_since(bot) or attempt_due(bot), seconds=bot.spec.on_behalf.wait_seconds)


def waited_before(bot: MeetingBot, *, now: datetime) -> TokenFailure | None:
    """What the tries of an operator that is gone ended with, if it waited for the bot's user; else None.

    A restart asks Zoom no sooner for it: the tries go on in steps of `retrySeconds` from the first one on.
    """
    status, told = bot.status, find(bot.status.conditions, ConditionType.TOKEN_ISSUED)
    waits = status.phase is BotPhase.WAITING_FOR_USER and not bot_status.accounted(status)
    if not waits or told is None or told.reason != BotReason.USER_NOT_IN_MEETING:
        return None
    first, step = told.last_transition_time, bot.spec.on_behalf.retry_seconds
    steps = 1 + math.floor(max(0.0, (now - first).total_seconds()) / step)
    return TokenFailure(
        reason=BotReason.USER_NOT_IN_MEETING,
        message=told.message,
        transient=True,
        first_try_at=first,
        next_try_at=shifted(first, seconds=steps * step),
        tried_at=first,
        user_absent=True,
    )


def _for_person(facts: BotFacts, name: str) -> BotPlan:
    """Wait until the person has come; after `onBehalf.waitSeconds` go without, or fail."""
    bot, failure, end = facts.bot, facts.token_failure, _wait_end(facts)
    words = _whom_it_waits_for(facts)
    if facts.now >= end:
        return _person_given_up(facts, name, words, end=end)
    if failure is not None and facts.now >= _next_try(facts, failure) and not _known_absent(facts):
        return BotPlan(status=bot.status, action=IssueTokens(name))
    told = bot_status.in_trouble(facts, BotPhase.WAITING_FOR_USER, BotReason.USER_NOT_IN_MEETING, words)
    following = end if failure is None or _known_absent(facts) else min(end, _next_try(facts, failure))
    return BotPlan(status=told, requeue_after=until(facts, following))


def _whom_it_waits_for(facts: BotFacts) -> str:
    if facts.on_behalf_user is not None:
        whose = f"the user of ZoomCredential {facts.on_behalf_user.credential}"
        return f"The bot comes on behalf of {whose}, who is not in the meeting yet."
    said = f" {facts.token_failure.message}" if facts.token_failure is not None else ""
    return f"The user on whose behalf the bot comes is not in the meeting yet.{said}"


def _person_given_up(facts: BotFacts, name: str, words: str, *, end: datetime) -> BotPlan:
    """The person has not come by `end`: fail, or go with the other tokens, if there are any."""
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
    told = bot_status.in_trouble(facts, BotPhase.WAITING_FOR_USER, failure.reason, failure.message)
    return BotPlan(status=told, requeue_after=until(facts, min(limit, failure.next_try_at)))


def _refused_for_absence(failure: TokenFailure) -> bool:
    """Whether Zoom was asked, and said so; what was not asked for as nobody is there does not pass."""
    return failure.transient and failure.reason is BotReason.USER_NOT_IN_MEETING


def _known_absent(facts: BotFacts) -> bool:
    return facts.on_behalf_user is not None and facts.on_behalf_user.present is False


def _next_try(facts: BotFacts, failure: TokenFailure) -> datetime:
    """When Zoom may be asked again: at once if the person has come since the last try."""
    person, tried = facts.on_behalf_user, failure.tried_at
    came = person is not None and person.present is True and person.since is not None
    if came and tried is not None and person is not None and person.since is not None and person.since > tried:
        return tried
    return failure.next_try_at


def _without(facts: BotFacts, name: str, failure: TokenFailure) -> BotPlan:
    """What is missing will not come: go with what there is, if the author allows that."""
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
        # A mapping is waited for a few seconds only, whatever the deadline.
        if failure.reason is not BotReason.NO_MAPPING:
            words = f"{words} The bot does not go without, and waits until {limit:%Y-%m-%d %H:%M:%S} UTC."
    else:
        limit = shifted(failure.first_try_at, seconds=bot.spec.token_wait_seconds)
        if facts.now >= limit:
            return _without(facts, name, failure)
    if facts.now >= failure.next_try_at:
        return BotPlan(status=bot.status, action=IssueTokens(name))
    told = bot_status.in_trouble(facts, BotPhase.STAGING, failure.reason, words)
    return BotPlan(status=told, requeue_after=until(facts, min(limit, failure.next_try_at)))


def behind_gate(facts: BotFacts, pod: PodState, *, since: float) -> BotPlan:
    """What follows `since` seconds after the delivery, while the container has not started."""
    trouble = pod.trouble(secret=join_secret_name(pod.name), now=facts.now)
    if since >= START_AFTER_DELIVERY_SECONDS:
        words = f"Pod {pod.name} had not started {START_AFTER_DELIVERY_SECONDS:.0f} s after its token was delivered."
        return bot_attempts.lost(facts, f"{words} {trouble[1]}." if trouble else words)
    due = _next_touch(facts, since=since)
    if since >= due:
        # Touches that were missed meanwhile are not made up for.
        return BotPlan(status=facts.bot.status, action=TouchPod(pod.name, number=touches_due(since)))
    fixed = bot_status.joined_with(facts)
    if trouble is not None:
        reason = bot_attempts.TROUBLES[trouble[0]]
        told = bot_status.in_trouble(facts, BotPhase.JOINING, reason, trouble[1], spec_hash=fixed)
    else:
        words = f"Pod {pod.name} starts.{bot_status.without_token(facts)}"
        told = bot_status.going_well(facts, BotPhase.JOINING, words, spec_hash=fixed)
    # The very status that was read: nothing is written.
    status = facts.bot.status if since < _JOINING_IS_TOLD_AFTER else told
    return BotPlan(status=status, requeue_after=due - since)


def _next_touch(facts: BotFacts, *, since: float) -> float:
    """When the Pod is touched next, in seconds after the delivery.

    Where the API server is slow, the last touch has come late: a kubelet has its time from then on.
    """
    if facts.touches >= len(TOUCH_SECONDS):
        return START_AFTER_DELIVERY_SECONDS
    due = TOUCH_SECONDS[facts.touches]
    if facts.touched_at is None:
        return due
    return max(due, since - (facts.now - facts.touched_at).total_seconds() + _LEAST_PAUSE_SECONDS)


def touches_due(since: float) -> int:
    """How many touches were due by `since` seconds after the delivery."""
    return sum(1 for moment in TOUCH_SECONDS if moment <= since)
