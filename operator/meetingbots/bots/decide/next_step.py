"""A MeetingBot's next step: a pure function from the facts to a plan.

A bot goes from Scheduled to Staging when it claims a Pod's name and creates the Pod, `leadSeconds` before joinAt. At
the gate the Pod waits only for its Secret; when joinAt has come, the tokens are issued and delivered. Joining and
Running follow, then Succeeded or Failed. Each step is small, can be repeated after a crash, and changes at most one
object.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

from meetingbots.bots.decide import attempts as bot_attempts
from meetingbots.bots.decide import status as bot_status
from meetingbots.bots.decide.facts import (
    BotFacts,
    BotPlan,
    CheckTemplate,
    Commit,
    CreatePod,
    DeleteBot,
    DeletePod,
    DeleteSecret,
)
from meetingbots.bots.decide.gate import at_gate, behind_gate, staging
from meetingbots.bots.decide.notices import HOLD
from meetingbots.bots.decide.pod_state import PodState, attempt_of, pod_name
from meetingbots.bots.decide.schedule import (
    does_not_end,
    gate_deadline,
    is_due,
    is_expired,
    is_run_over,
    lead_time,
    leave,
    overdue,
    shifted,
    start_deadline,
    stayed_its_time,
    time_to_live,
    until,
)
from meetingbots.models.bot import BotPhase, BotReason, TokenDelivery

_LOOK_AT_POD_SECONDS = 300.0
_QUOTA_SECONDS = 5.0
_HELD_SECONDS = 1.0


def decide(facts: BotFacts) -> BotPlan:
    """The next step for the bot at the time `facts.now`."""
    plan = _next_step(facts)
    if plan.action is not None or facts.pod is None or plan.status.finished:
        return plan
    # A broken watch may have missed the end of a Pod, so the bot is looked at again soon.
    most = LOOK_AGAIN_SECONDS if facts.pod.deleting else _LOOK_AT_POD_SECONDS
    return replace(plan, requeue_after=most if plan.requeue_after is None else min(plan.requeue_after, most))


def _next_step(facts: BotFacts) -> BotPlan:
    status, pod = facts.bot.status, facts.pod
    if status.finished:
        return _finished(facts)
    if status.pod_name is None or status.accounted:
        return without_pod(facts)
    if pod is None:
        return _pod_missing(facts, status.pod_name)
    if pod.over:
        return _ended(facts, pod)
    if pod.started:
        return _running(facts, pod)
    if pod.deleting:
        return bot_attempts.ending(facts, pod)
    if facts.delivery is not None:
        if is_due(facts, pod):
            return BotPlan(status=status, action=DeletePod(pod.name, pod.uid))
        since = (facts.now - facts.delivery.delivered_at).total_seconds()
        return behind_gate(facts, pod, since=max(0.0, since))
    return _withdrawal(facts, pod) or staging(facts, pod)


def _pod_missing(facts: BotFacts, name: str) -> BotPlan:
    """The claimed Pod does not exist: it was deleted, or has yet to be created."""
    bot, status = facts.bot, facts.bot.status
    if facts.pod_seen or status.phase in (BotPhase.JOINING, BotPhase.RUNNING):
        if bot.spec.suspend:
            return bot_attempts.withdrawn(facts, bot_attempts.LEFT_SUSPENDED)
        if is_run_over(facts) and status.phase is BotPhase.RUNNING:
            return bot_attempts.left_after_end(facts)
        if stayed_its_time(facts, name):
            return bot_attempts.stayed_too_long(facts)
        return bot_attempts.lost(facts, f"Pod {name} was deleted by someone.")
    withdrawal = _withdrawal(facts, None)
    if withdrawal is not None:
        return withdrawal
    first = bot.spec.token_delivery is TokenDelivery.BEFORE_POD and facts.delivery is None
    if facts.now >= (gate_deadline(facts) if first and facts.refused is None else start_deadline(bot)):
        return bot_attempts.missed(
            facts, facts.refused.message if facts.refused else bot_status.present_trouble(status)
        )
    if facts.refused is not None:
        new_status = bot_status.blocked(facts, BotPhase.PENDING, facts.refused)
        return BotPlan(status=new_status, requeue_after=until(facts, start_deadline(bot), at_most=_QUOTA_SECONDS))
    if first:
        return at_gate(facts, name)
    return BotPlan(status=status, action=CreatePod(name))


def _withdrawal(facts: BotFacts, pod: PodState | None) -> BotPlan | None:
    """The end of an attempt, uncounted, that no longer matches the spec or the meeting before the bot joins."""
    bot = facts.bot
    if bot.spec.suspend:
        return bot_attempts.withdrawn(facts, "The bot was suspended before it joined.")
    if is_run_over(facts):
        return bot_attempts.too_late(facts, "The bot had not joined yet.")
    if facts.now < lead_time(bot):
        return bot_attempts.withdrawn(facts, "The bot was moved to a later time.")
    if facts.problem is not None:
        return bot_attempts.blocked(facts, facts.problem)
    if pod is not None and pod.spec_hash != facts.pod_hash and facts.now < gate_deadline(facts):
        return bot_attempts.withdrawn(facts, "The spec was changed before the bot joined.")
    return None


def _running(facts: BotFacts, pod: PodState) -> BotPlan:
    status = facts.bot.status
    new_status = bot_status.running(facts, pod)
    if status.phase is not BotPhase.RUNNING:
        # The evidence of the delivery must be written before its Secret is deleted.
        return BotPlan(status=new_status, action=Commit())
    if not facts.secret_gone:
        return BotPlan(status=status, action=DeleteSecret(pod.name))
    if is_due(facts, pod):
        return BotPlan(status=status, action=DeletePod(pod.name, pod.uid))
    if pod.deleting:
        return bot_attempts.ending(facts, pod)
    following = leave(facts, pod)
    requeue_after = until(facts, following.at) if following is not None else None
    return BotPlan(status=bot_status.spec_change(facts, new_status), requeue_after=requeue_after)


def _ended(facts: BotFacts, pod: PodState) -> BotPlan:
    if pod.started and facts.delivery is not None and not facts.secret_gone:
        return _running(facts, pod)
    return bot_attempts.ended(facts, pod)


def _finished(facts: BotFacts) -> BotPlan:
    """A finished bot never runs again: delete what it left, its Pods after their retention, and at last itself."""
    status, pod, spec = facts.bot.status, facts.pod, facts.bot.spec
    if pod is not None and not pod.deleting and not pod.finished:
        return BotPlan(status=status, action=DeletePod(pod.name, pod.uid))
    if facts.delivery is not None and not facts.secret_gone and status.pod_name is not None:
        return BotPlan(status=status, action=DeleteSecret(status.pod_name))
    new_status = bot_status.spec_change(facts, bot_status.noted(facts, status, does_not_end(facts, pod)))
    waits = [] if (overdue_in := _until_overdue(facts, pod)) is None else [overdue_in]
    if status.completion_time is not None:
        retained = shifted(status.completion_time, seconds=spec.pod_retention_seconds)
        kept = [one for one in facts.kept_pods if not one.deleting]
        if kept and facts.now >= retained:
            return BotPlan(status=status, action=DeletePod(kept[0].name, kept[0].uid))
        if kept:
            waits.append(until(facts, retained))
        if (seconds := time_to_live(facts)) is not None:
            end = shifted(status.completion_time, seconds=seconds)
            held = facts.notices_due and facts.now < status.completion_time + HOLD
            if facts.now >= end and not held:
                return BotPlan(status=status, action=DeleteBot())
            waits.append(max(until(facts, end), _HELD_SECONDS) if held else until(facts, end))
    return BotPlan(status=new_status, requeue_after=min(waits, default=None))


def _until_overdue(facts: BotFacts, pod: PodState | None) -> float | None:
    limit = overdue(pod) if pod is not None and not pod.finished else None
    return None if limit is None or facts.now >= limit else until(facts, limit)


LOOK_AGAIN_SECONDS = 30.0
_LOOK_FOR_CREDENTIAL_SECONDS = 60.0


def without_pod(facts: BotFacts) -> BotPlan:
    """The next step of a bot that has no current attempt."""
    bot, status = facts.bot, facts.bot.status
    clean_up = _clean_up(facts)
    if clean_up is not None:
        return clean_up
    if bot.spec.suspend:
        new_status = bot_status.in_trouble(facts, BotPhase.PENDING, BotReason.SUSPENDED, "The bot is suspended.")
        return BotPlan(status=new_status)
    deadline = start_deadline(bot)
    if is_expired(facts, deadline):
        return _expired(facts, deadline)
    if is_run_over(facts):
        return bot_attempts.over_between_attempts(facts)
    if bot_status.is_suspended(status) and (status.start_time is not None or bot.spec.join_at is None):
        return bot_attempts.resumed(facts)
    return _blocked(facts, deadline) or _towards_pod(facts, deadline)


def _clean_up(facts: BotFacts) -> BotPlan | None:
    """Delete what a recorded attempt left: a Pod that runs, and a Secret that outlives its Pod."""
    earlier, status = facts.previous_pod, facts.bot.status
    if earlier is not None and not earlier.finished and not earlier.deleting:
        return BotPlan(status=status, action=DeletePod(earlier.name, earlier.uid))
    if status.pod_name is not None and facts.delivery is not None and not facts.secret_gone:
        return BotPlan(status=status, action=DeleteSecret(status.pod_name))
    return None


def _blocked(facts: BotFacts, deadline: datetime) -> BotPlan | None:
    """Why the bot gets no Pod: its deadline has passed, or its link or template is invalid."""
    problem = facts.problem
    if facts.now >= deadline:
        cause = problem or facts.refused
        return bot_attempts.missed(facts, cause.message if cause else bot_status.present_trouble(facts.bot.status))
    if problem is None:
        return None
    new_status = bot_status.blocked(facts, BotPhase.PENDING, problem)
    return BotPlan(status=new_status, requeue_after=until(facts, deadline, at_most=LOOK_AGAIN_SECONDS))


def _towards_pod(facts: BotFacts, deadline: datetime) -> BotPlan:
    """Wait for the lead time and for the end of the Pod before; then claim the next name."""
    bot, status = facts.bot, facts.bot.status
    if facts.now < lead_time(bot):
        return _scheduled(facts, lead_time(bot))
    if status.next_attempt_time is not None and facts.now < status.next_attempt_time:
        following = until(facts, status.next_attempt_time)
        return BotPlan(status=bot_status.unchanged(facts), requeue_after=following)
    if facts.previous_pod is not None and _may_still_run(facts, facts.previous_pod):
        # Never two Pods of a bot in its meeting: the earlier one must end first.
        plan = bot_attempts.ending(facts, facts.previous_pod)
        most = min(plan.requeue_after or math.inf, LOOK_AGAIN_SECONDS)
        return replace(plan, requeue_after=until(facts, deadline, at_most=most))
    return (_dry_run(facts, BotPhase.PENDING, deadline) if facts.doubtful else None) or _claim(facts)


def _may_still_run(facts: BotFacts, pod: PodState) -> bool:
    """Whether the bot may run in an earlier Pod. Without its Secret and a prepared node, it can never have started."""
    token = facts.bot.status.token
    delivered = facts.delivery is not None or (token is not None and token.delivered_time is not None)
    return not pod.finished and (delivered or pod.started or pod.sandbox_waits_since is None)


def _claim(facts: BotFacts) -> BotPlan:
    status = facts.bot.status
    last = status.pod_name or (status.last_attempt.pod_name if status.last_attempt is not None else "")
    name = pod_name(facts.bot, attempt=attempt_of(last) + 1 if last else 1)
    return BotPlan(status=bot_status.claimed(facts, pod_name=name), action=Commit())


def _scheduled(facts: BotFacts, lead: datetime) -> BotPlan:
    blocked = _dry_run(facts, BotPhase.SCHEDULED, lead)
    if blocked is not None:
        return blocked
    absent = "".join(f" There is no ZoomCredential {name} yet." for name in facts.absent_credentials)
    new_status = bot_status.going_well(
        facts,
        BotPhase.SCHEDULED,
        f"The bot joins at {facts.bot.join_at:%Y-%m-%d %H:%M:%S} UTC.{absent}",
        next_attempt_time=None,
    )
    most = _LOOK_FOR_CREDENTIAL_SECONDS if absent else math.inf
    return BotPlan(status=new_status, requeue_after=min(until(facts, lead), most))


def _dry_run(facts: BotFacts, phase: BotPhase, moment: datetime) -> BotPlan | None:
    """Ask Kubernetes whether it accepts the Pod, and report a refusal; None once it has accepted the Pod."""
    if facts.refused is not None:
        new_status = bot_status.blocked(facts, phase, facts.refused)
        return BotPlan(status=new_status, requeue_after=until(facts, moment, at_most=LOOK_AGAIN_SECONDS))
    return None if facts.checked else BotPlan(status=facts.bot.status, action=CheckTemplate())


def _expired(facts: BotFacts, deadline: datetime) -> BotPlan:
    message = f"The bot was created after its start deadline, {deadline:%Y-%m-%d %H:%M:%S} UTC. It never runs."
    if facts.done_before:
        message = "An earlier bot of this name and joinAt was deleted by its time to live. This one never runs."
    new_status = bot_status.going_well(
        facts, BotPhase.EXPIRED, message, completion_time=bot_status.whole_seconds(facts.now), next_attempt_time=None
    )
    return BotPlan(status=new_status, action=Commit())
