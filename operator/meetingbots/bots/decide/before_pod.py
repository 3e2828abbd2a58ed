"""A bot between its Pods: it waits for its time and for the end of the Pod before, and claims the name of the next."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

from meetingbots.bots.decide import attempts as bot_attempts
from meetingbots.bots.decide import status as bot_status
from meetingbots.bots.decide.actions import BotPlan, CheckTemplate, Commit, DeletePod, DeleteSecret
from meetingbots.bots.decide.facts import BotFacts
from meetingbots.bots.decide.leave import does_not_end, is_run_over, overdue
from meetingbots.bots.decide.meeting import Problem
from meetingbots.bots.decide.pod_names import attempt_of, pod_name
from meetingbots.bots.decide.pod_state import PodState
from meetingbots.bots.decide.schedule import lead_time, start_deadline, until
from meetingbots.models.bot import BotPhase, BotReason

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
    if _is_expired(facts, deadline):
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
    problem = facts.meeting if isinstance(facts.meeting, Problem) else facts.template
    if facts.now >= deadline:
        cause = problem or facts.refused
        return missed(facts, cause.message if cause else bot_status.present_trouble(facts.bot.status))
    if problem is None:
        return None
    new_status = bot_status.in_trouble(
        facts, BotPhase.PENDING, problem.reason, problem.message, recoverable=problem.recoverable
    )
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
        plan = ending(facts, facts.previous_pod)
        most = min(plan.requeue_after or math.inf, LOOK_AGAIN_SECONDS)
        return replace(plan, requeue_after=until(facts, deadline, at_most=most))
    return (_dry_run(facts, BotPhase.PENDING, deadline) if facts.doubtful else None) or _claim(facts)


def _may_still_run(facts: BotFacts, pod: PodState) -> bool:
    """Whether the bot may run in an earlier Pod. Without its Secret and a prepared node, it can never have started."""
    token = facts.bot.status.token
    delivered = facts.delivery is not None or (token is not None and token.delivered_time is not None)
    return not pod.finished and (delivered or pod.started or pod.sandbox_waits_since is None)


def ending(facts: BotFacts, pod: PodState) -> BotPlan:
    """Wait for the end of a Pod that is being deleted, and report it if it is overdue."""
    message, limit = does_not_end(facts, pod), overdue(pod)
    if not message:
        return BotPlan(status=bot_status.unchanged(facts), requeue_after=until(facts, limit) if limit else None)
    phase = facts.bot.status.phase or BotPhase.PENDING
    return BotPlan(status=bot_status.in_trouble(facts, phase, BotReason.INFRASTRUCTURE_LOST, message))


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
        new_status = bot_status.in_trouble(facts, phase, facts.refused.reason, facts.refused.message)
        return BotPlan(status=new_status, requeue_after=until(facts, moment, at_most=LOOK_AGAIN_SECONDS))
    return None if facts.checked else BotPlan(status=facts.bot.status, action=CheckTemplate())


def _is_expired(facts: BotFacts, deadline: datetime) -> bool:
    """Whether a bot that never had a Pod was created too late, or an earlier bot of its name did its work."""
    created = facts.bot.metadata.creation_timestamp
    if facts.bot.status.pod_name is not None or created is None:
        return False
    return facts.done_before or (created > deadline and facts.now >= deadline)


def _expired(facts: BotFacts, deadline: datetime) -> BotPlan:
    message = f"The bot was created after its start deadline, {deadline:%Y-%m-%d %H:%M:%S} UTC. It never runs."
    if facts.done_before:
        message = (
            "An earlier bot with this name and joinAt finished and was deleted by its time to live. This one never "
            "runs."
        )
    new_status = bot_status.going_well(
        facts, BotPhase.EXPIRED, message, completion_time=bot_status.whole_seconds(facts.now), next_attempt_time=None
    )
    return BotPlan(status=new_status, action=Commit())


def missed(facts: BotFacts, cause: str) -> BotPlan:
    """The bot did not start before its deadline."""
    message = f"The bot did not start within {facts.bot.spec.start_deadline_seconds} s. {cause}".strip()
    pod = facts.bot.status.pod_name if bot_status.accounted(facts.bot.status) else bot_status.known_pod(facts)
    new_status = bot_status.failed(facts, BotReason.START_DEADLINE_EXCEEDED, message, pod_name=pod)
    return BotPlan(status=new_status, action=Commit())
