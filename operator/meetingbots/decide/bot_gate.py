"""The late-token gate: when the tokens are asked for, when the bot goes without, and that its Pod then starts.

Reached when the Pod could start but for its Secret (or, with tokenDelivery BeforePod, when the Pod is yet to be made).
"""

from __future__ import annotations

from meetingbots.build.join_secret import join_secret_name
from meetingbots.decide import bot_attempts, bot_status
from meetingbots.decide.bot_facts import BotFacts, BotPlan, Commit, DeliverWithout, IssueTokens, Shortfall, TouchPod
from meetingbots.decide.bot_times import shifted, start_deadline, until
from meetingbots.decide.pod_state import PodState
from meetingbots.models.bot import BotPhase, TokenPolicy

TOUCH_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""When the Pod is touched, after the delivery, while its container has not started."""
START_AFTER_DELIVERY_SECONDS = 60.0
"""A container that has not started by then gets a new Pod with new tokens: a join token lives 120 s (Zoom)."""
_JOINING_IS_TOLD_AFTER = 0.4


def at_gate(facts: BotFacts, name: str) -> BotPlan:
    """Decide at the gate of the Pod `name`: is it time, and is there a token."""
    bot, shortfall = facts.bot, facts.shortfall
    if facts.now < bot.join_at:
        words = f"Pod {name} is ready and waits for {bot.join_at:%H:%M:%S} UTC."
        return BotPlan(status=bot_status.going_well(facts, BotPhase.STAGING, words), again=until(facts, bot.join_at))
    if shortfall is None:
        return BotPlan(status=bot.status, act=IssueTokens(name))
    if not shortfall.passing and bot.spec.token_policy is TokenPolicy.REQUIRED:
        words = f"No token, and tokenPolicy is Required. {shortfall.message}"
        return BotPlan(status=bot_status.failed(facts, shortfall.reason, words), act=Commit())
    if not shortfall.passing:
        return BotPlan(status=bot.status, act=DeliverWithout(name, shortfall.reason, shortfall.message))
    return _try_again(facts, name, shortfall)


def _try_again(facts: BotFacts, name: str, shortfall: Shortfall) -> BotPlan:
    bot, limit = facts.bot, start_deadline(facts.bot)
    if bot.spec.token_policy is not TokenPolicy.REQUIRED:
        limit = shifted(shortfall.first_try_at, seconds=bot.spec.token_wait_seconds)
        if facts.now >= limit:
            return BotPlan(status=bot.status, act=DeliverWithout(name, shortfall.reason, shortfall.message))
    if facts.now >= shortfall.next_try_at:
        return BotPlan(status=bot.status, act=IssueTokens(name))
    told = bot_status.in_trouble(facts, BotPhase.STAGING, shortfall.reason, shortfall.message)
    return BotPlan(status=told, again=until(facts, min(limit, shortfall.next_try_at)))


def behind_gate(facts: BotFacts, pod: PodState, *, since: float) -> BotPlan:
    """What follows `since` seconds after the delivery, while the container has not started."""
    trouble = pod.trouble(secret=join_secret_name(pod.name))
    if since >= START_AFTER_DELIVERY_SECONDS:
        words = f"Pod {pod.name} had not started {START_AFTER_DELIVERY_SECONDS:.0f} s after its token was delivered."
        return bot_attempts.lost(facts, f"{words} {trouble[1]}." if trouble else words)
    due = TOUCH_SECONDS[facts.touches] if facts.touches < len(TOUCH_SECONDS) else START_AFTER_DELIVERY_SECONDS
    if since >= due:
        # Touches that were missed meanwhile are not made up for.
        return BotPlan(status=facts.bot.status, act=TouchPod(pod.name, number=touches_due(since)))
    fixed = bot_status.joined_with(facts)
    if trouble is not None:
        reason = bot_attempts.TROUBLES[trouble[0]]
        told = bot_status.in_trouble(facts, BotPhase.JOINING, reason, trouble[1], spec_hash=fixed)
    else:
        words = f"Pod {pod.name} starts.{bot_status.without_token(facts)}"
        told = bot_status.going_well(facts, BotPhase.JOINING, words, spec_hash=fixed)
    # A start takes about 0.1 s: Joining is written down only when it takes longer.
    return BotPlan(status=told, again=due - since, hold=since < _JOINING_IS_TOLD_AFTER)


def touches_due(since: float) -> int:
    """How many touches were due by `since` seconds after the delivery."""
    return sum(1 for moment in TOUCH_SECONDS if moment <= since)
