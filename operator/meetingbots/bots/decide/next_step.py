"""A MeetingBot's next step: one pure function from what is so to what is to be done.

The way of a bot: Scheduled -> (lead time) claim a Pod's name, create the Pod -> Staging (the image comes) -> the gate:
the Pod waits for its Secret only, and joinAt has come -> tokens -> Joining -> Running -> Succeeded or Failed.
Each step is small, can be taken again after a crash, and changes at most one object.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

from meetingbots.bots.decide import attempts as bot_attempts
from meetingbots.bots.decide import status as bot_status
from meetingbots.bots.decide.actions import (
    BotPlan,
    CheckTemplate,
    Commit,
    CreatePod,
    DeleteBot,
    DeletePod,
    DeleteSecret,
    PrepareTokens,
)
from meetingbots.bots.decide.facts import BotFacts
from meetingbots.bots.decide.gate import at_gate, behind_gate, gate_deadline, must_prepare
from meetingbots.bots.decide.leave import does_not_end, is_due, leave, overdue
from meetingbots.bots.decide.meeting import Problem
from meetingbots.bots.decide.pod_names import attempt_of, join_secret_name, pod_name
from meetingbots.bots.decide.pod_state import SANDBOX_SECONDS, PodState
from meetingbots.bots.decide.schedule import lead_time, prepare_time, shifted, start_deadline, until
from meetingbots.models.bot import BotPhase, BotReason, TokenDelivery

_LOOK_AGAIN_SECONDS = 30.0
_LOOK_AT_POD_SECONDS = 300.0
_QUOTA_SECONDS = 5.0
_LOOK_FOR_CREDENTIAL_SECONDS = 60.0


def decide(facts: BotFacts) -> BotPlan:
    """The next step for the bot; time is `facts.now`."""
    plan = _next_step(facts)
    if plan.action is not None or facts.pod is None or bot_status.is_finished(plan.status):
        return plan
    # A watch that broke may have missed the end of a Pod: its bot is never left alone for long.
    most = _LOOK_AGAIN_SECONDS if facts.pod.deleting else _LOOK_AT_POD_SECONDS
    return replace(plan, requeue_after=most if plan.requeue_after is None else min(plan.requeue_after, most))


def _next_step(facts: BotFacts) -> BotPlan:
    status, pod = facts.bot.status, facts.pod
    if bot_status.is_finished(status):
        return _finished(facts)
    if status.pod_name is None or bot_status.accounted(status):
        return _without_pod(facts)
    if pod is None:
        return _pod_missing(facts, status.pod_name)
    if pod.over:
        return _ended(facts, pod)
    if pod.started:
        return _running(facts, pod)
    if pod.deleting:
        return _ending(facts, pod)
    if facts.delivery is not None:
        if is_due(facts, pod):
            return BotPlan(status=status, action=DeletePod(pod.name, pod.uid))
        since = (facts.now - facts.delivery.delivered_at).total_seconds()
        return behind_gate(facts, pod, since=max(0.0, since))
    return _staging(facts, pod)


def _without_pod(facts: BotFacts) -> BotPlan:
    bot, status = facts.bot, facts.bot.status
    left_over = _clean_up(facts)
    if left_over is not None:
        return left_over
    if bot.spec.suspend:
        told = bot_status.in_trouble(facts, BotPhase.PENDING, BotReason.SUSPENDED, "The bot is suspended.")
        return BotPlan(status=told)
    deadline = start_deadline(bot)
    if _is_expired(facts, deadline):
        return _expired(facts, deadline)
    if facts.meeting_ended_at is not None:
        return bot_attempts.over_between_attempts(facts)
    if bot_status.is_suspended(status) and (status.start_time is not None or bot.spec.join_at is None):
        return bot_attempts.resumed(facts)
    return _unfit(facts, deadline) or _towards_pod(facts, deadline)


def _unfit(facts: BotFacts, deadline: datetime) -> BotPlan | None:
    """What keeps the bot from getting a Pod at all: its time is over, or its link or template is bad."""
    problem = facts.meeting if isinstance(facts.meeting, Problem) else facts.template
    if facts.now >= deadline:
        cause = problem or facts.refused
        return _missed(facts, cause.message if cause else bot_status.present_trouble(facts.bot.status))
    if problem is None:
        return None
    told = bot_status.in_trouble(facts, BotPhase.PENDING, problem.reason, problem.message, mendable=problem.mendable)
    return BotPlan(status=told, requeue_after=until(facts, deadline, at_most=_LOOK_AGAIN_SECONDS))


def _towards_pod(facts: BotFacts, deadline: datetime) -> BotPlan:
    """Wait for the time at which a Pod is made, and for the end of the one before, and claim the next."""
    bot, status = facts.bot, facts.bot.status
    if facts.now < lead_time(bot):
        return _scheduled(facts, lead_time(bot))
    if status.next_attempt_time is not None and facts.now < status.next_attempt_time:
        return BotPlan(status=bot_status.unchanged(facts), requeue_after=until(facts, status.next_attempt_time))
    if facts.previous_pod is not None and not facts.previous_pod.finished:
        # Never two Pods of a bot: the earlier one has to be over or gone first.
        plan = _ending(facts, facts.previous_pod)
        return replace(
            plan, requeue_after=until(facts, deadline, at_most=min(plan.requeue_after or math.inf, _LOOK_AGAIN_SECONDS))
        )
    return (_dry_run(facts, BotPhase.PENDING, deadline) if facts.doubtful else None) or _claim(facts)


def _ending(facts: BotFacts, pod: PodState) -> BotPlan:
    """Wait for the end of a Pod that was told to end, and tell if it does not come."""
    words, limit = does_not_end(facts, pod), overdue(pod)
    if not words:
        return BotPlan(status=bot_status.unchanged(facts), requeue_after=until(facts, limit) if limit else None)
    phase = facts.bot.status.phase or BotPhase.PENDING
    return BotPlan(status=bot_status.in_trouble(facts, phase, BotReason.INFRASTRUCTURE_LOST, words))


def _clean_up(facts: BotFacts) -> BotPlan | None:
    """End what an attempt that is accounted for has left: its Pod, and a Secret that no Pod takes along."""
    earlier, status = facts.previous_pod, facts.bot.status
    if earlier is not None and not earlier.finished and not earlier.deleting:
        return BotPlan(status=status, action=DeletePod(earlier.name, earlier.uid))
    if status.pod_name is not None and facts.delivery is not None and not facts.secret_gone:
        return BotPlan(status=status, action=DeleteSecret(status.pod_name))
    return None


def _claim(facts: BotFacts) -> BotPlan:
    status = facts.bot.status
    attempt = attempt_of(status.pod_name) + 1 if status.pod_name else 1
    name = pod_name(facts.bot, attempt=attempt)
    told = bot_status.claimed(facts, pod_name=name)
    return BotPlan(status=told, action=Commit())


def _scheduled(facts: BotFacts, lead: datetime) -> BotPlan:
    unfit = _dry_run(facts, BotPhase.SCHEDULED, lead)
    if unfit is not None:
        return unfit
    absent = "".join(f" There is no ZoomCredential {name} yet." for name in facts.absent_credentials)
    told = bot_status.going_well(
        facts,
        BotPhase.SCHEDULED,
        f"The bot joins at {facts.bot.join_at:%Y-%m-%d %H:%M:%S} UTC.{absent}",
        next_attempt_time=None,
    )
    most = _LOOK_FOR_CREDENTIAL_SECONDS if absent else math.inf
    return BotPlan(status=told, requeue_after=min(until(facts, lead), most))


def _dry_run(facts: BotFacts, phase: BotPhase, moment: datetime) -> BotPlan | None:
    """Ask Kubernetes whether it would take the Pod, and tell what it says; None once it has taken it."""
    if facts.refused is not None:
        told = bot_status.in_trouble(facts, phase, facts.refused.reason, facts.refused.message)
        return BotPlan(status=told, requeue_after=until(facts, moment, at_most=_LOOK_AGAIN_SECONDS))
    return None if facts.checked else BotPlan(status=facts.bot.status, action=CheckTemplate())


def _is_expired(facts: BotFacts, deadline: datetime) -> bool:
    """Whether a bot that never had a Pod was created too late, or was done before by one of its name."""
    created = facts.bot.metadata.creation_timestamp
    if facts.bot.status.pod_name is not None or created is None:
        return False
    return facts.done_before or (created > deadline and facts.now >= deadline)


def _expired(facts: BotFacts, deadline: datetime) -> BotPlan:
    words = f"Created after its time: it was to have started by {deadline:%Y-%m-%d %H:%M:%S} UTC. It never runs."
    if facts.done_before:
        words = "A bot of this name was done at this joinAt, and deleted by its time to live. This one never runs."
    told = bot_status.going_well(
        facts, BotPhase.EXPIRED, words, completion_time=bot_status.whole_seconds(facts.now), next_attempt_time=None
    )
    return BotPlan(status=told, action=Commit())


def _missed(facts: BotFacts, cause: str) -> BotPlan:
    words = f"The bot had not started within {facts.bot.spec.start_deadline_seconds} s."
    told = bot_status.failed(facts, BotReason.START_DEADLINE_EXCEEDED, f"{words} {cause}".strip())
    return BotPlan(status=told, action=Commit())


def _pod_missing(facts: BotFacts, name: str) -> BotPlan:
    bot, status = facts.bot, facts.bot.status
    if facts.pod_seen or status.phase in (BotPhase.JOINING, BotPhase.RUNNING):
        if bot.spec.suspend:
            return bot_attempts.withdrawn(facts, bot_attempts.LEFT_SUSPENDED)
        if facts.meeting_ended_at is not None and status.phase is BotPhase.RUNNING:
            return bot_attempts.left_after_end(facts)
        if _stayed_its_time(facts, name):
            return bot_attempts.stayed_too_long(facts)
        return bot_attempts.lost(facts, f"Pod {name} was deleted by someone.")
    withdrawn = _withdrawal(facts, None)
    if withdrawn is not None:
        return withdrawn
    first = bot.spec.token_delivery is TokenDelivery.BEFORE_POD and facts.delivery is None
    if facts.now >= (gate_deadline(facts) if first and facts.refused is None else start_deadline(bot)):
        return _missed(facts, facts.refused.message if facts.refused else bot_status.present_trouble(status))
    if facts.refused is not None:
        told = bot_status.in_trouble(facts, BotPhase.PENDING, facts.refused.reason, facts.refused.message)
        return BotPlan(status=told, requeue_after=until(facts, start_deadline(bot), at_most=_QUOTA_SECONDS))
    if first:
        return at_gate(facts, name)
    return BotPlan(status=status, action=CreatePod(name))


def _stayed_its_time(facts: BotFacts, name: str) -> bool:
    """Whether a Pod that is gone without a trace had run for maxDurationSeconds: then it was told to leave."""
    status = facts.bot.status
    delivered = facts.delivery.delivered_at if facts.delivery is not None else None
    began = status.start_time if attempt_of(name) == 1 else delivered
    if began is None or status.phase is not BotPhase.RUNNING:
        return False
    return facts.now >= shifted(began, seconds=facts.bot.spec.max_duration_seconds)


def _staging(facts: BotFacts, pod: PodState) -> BotPlan:
    withdrawn = _withdrawal(facts, pod)
    if withdrawn is not None:
        return withdrawn
    secret = join_secret_name(pod.name)
    waits, trouble = pod.waits_only_for(secret), pod.trouble(secret=secret, now=facts.now)
    deadline = gate_deadline(facts) if waits else start_deadline(facts.bot)
    if facts.now >= deadline:
        return _missed(facts, trouble[1] if trouble else _what_is_missing(facts, pod))
    if trouble is not None:
        told = bot_status.in_trouble(facts, BotPhase.STAGING, bot_attempts.TROUBLES[trouble[0]], trouble[1])
        return BotPlan(status=told, requeue_after=until(facts, deadline))
    if not waits:
        if must_prepare(facts):
            return BotPlan(status=facts.bot.status, action=PrepareTokens(pod.name))
        told = bot_status.staged(facts, pod.name)
        look = deadline if facts.prepared else min(deadline, prepare_time(facts.bot))
        if pod.sandbox_waits_since is not None:
            look = min(look, shifted(pod.sandbox_waits_since, seconds=SANDBOX_SECONDS))
        return BotPlan(status=told, requeue_after=until(facts, look))
    if facts.refused is not None:
        # Its Secret was, by a quota or a policy. Each further try costs tokens.
        told = bot_status.in_trouble(facts, BotPhase.STAGING, facts.refused.reason, facts.refused.message)
        return BotPlan(status=told, requeue_after=until(facts, deadline, at_most=_QUOTA_SECONDS))
    return at_gate(facts, pod.name)


def _what_is_missing(facts: BotFacts, pod: PodState) -> str:
    if facts.refused is not None:
        return facts.refused.message
    if facts.token_failure is not None:
        return facts.token_failure.message
    return f"Pod {pod.name} was still being prepared{f' on node {pod.node}' if pod.node else ''}."


def _withdrawal(facts: BotFacts, pod: PodState | None) -> BotPlan | None:
    """The author changed their mind before the bot joined: the staged Pod goes, uncounted."""
    bot = facts.bot
    if bot.spec.suspend:
        return bot_attempts.withdrawn(facts, "The bot was suspended before it joined.")
    if facts.meeting_ended_at is not None:
        return bot_attempts.too_late(facts, "The bot had not joined yet.")
    if facts.now < lead_time(bot):
        return bot_attempts.withdrawn(facts, "The bot was moved to a later time.")
    problem = facts.meeting if isinstance(facts.meeting, Problem) else facts.template
    if problem is not None:
        return bot_attempts.withdrawn(facts, problem.message)
    if pod is not None and pod.spec_hash != facts.pod_hash:
        return bot_attempts.withdrawn(facts, "The spec was changed before the bot joined.")
    return None


def _running(facts: BotFacts, pod: PodState) -> BotPlan:
    status, started_at = facts.bot.status, pod.bot.started_at if pod.bot else None
    told = bot_status.going_well(
        facts,
        BotPhase.RUNNING,
        f"The bot runs in Pod {pod.name}.{bot_status.without_token(facts)}",
        start_time=status.start_time or started_at,
        spec_hash=bot_status.joined_with(facts),
        next_attempt_time=None,
    )
    if status.phase is not BotPhase.RUNNING:
        # First the evidence of the delivery, then its Secret may go.
        return BotPlan(status=told, action=Commit())
    if not facts.secret_gone:
        return BotPlan(status=status, action=DeleteSecret(pod.name))
    if is_due(facts, pod):
        return BotPlan(status=status, action=DeletePod(pod.name, pod.uid))
    if pod.deleting:
        return _ending(facts, pod)
    following = leave(facts, pod)
    again = until(facts, following.at) if following is not None else None
    return BotPlan(status=bot_status.spec_change(facts, told), requeue_after=again)


def _ended(facts: BotFacts, pod: PodState) -> BotPlan:
    if pod.started and facts.delivery is not None and not facts.secret_gone:
        return _running(facts, pod)
    return bot_attempts.ended(facts, pod)


def _finished(facts: BotFacts) -> BotPlan:
    """A finished bot never runs again: what is left of it is put away."""
    status, pod = facts.bot.status, facts.pod
    if pod is not None and not pod.deleting and not pod.finished:
        return BotPlan(status=status, action=DeletePod(pod.name, pod.uid))
    if facts.delivery is not None and not facts.secret_gone and status.pod_name is not None:
        return BotPlan(status=status, action=DeleteSecret(status.pod_name))
    told = bot_status.spec_change(facts, bot_status.noted(facts, status, does_not_end(facts, pod)))
    ttl = facts.bot.spec.ttl_seconds_after_finished
    if ttl is None or status.completion_time is None:
        return BotPlan(status=told, requeue_after=_until_overdue(facts, pod))
    end = shifted(status.completion_time, seconds=ttl)
    if facts.now >= end:
        return BotPlan(status=status, action=DeleteBot())
    return BotPlan(status=told, requeue_after=min(until(facts, end), _until_overdue(facts, pod) or math.inf))


def _until_overdue(facts: BotFacts, pod: PodState | None) -> float | None:
    limit = overdue(pod) if pod is not None and not pod.finished else None
    return None if limit is None or facts.now >= limit else until(facts, limit)
