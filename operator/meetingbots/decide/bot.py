"""A MeetingBot's next step: one pure function from what is so to what is to be done.

The way of a bot: Scheduled -> (lead time) claim a Pod's name, create the Pod -> Staging (the image comes) -> the gate:
the Pod waits for its Secret only, and joinAt has come -> tokens -> Joining -> Running -> Succeeded or Failed.
Each step is small, can be taken again after a crash, and changes at most one object.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from meetingbots.build.bot_pod import attempt_of, pod_name
from meetingbots.build.join_secret import join_secret_name
from meetingbots.decide import bot_attempts, bot_status
from meetingbots.decide.bot_facts import (
    BotFacts,
    BotPlan,
    CheckTemplate,
    Commit,
    CreatePod,
    DeleteBot,
    DeletePod,
    DeleteSecret,
    DeliverWithout,
    IssueTokens,
    TouchPod,
)
from meetingbots.decide.meeting_ref import Problem
from meetingbots.decide.pod_state import PodState
from meetingbots.models.bot import BotPhase, BotReason, TokenDelivery, TokenPolicy

TOUCH_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""When the Pod is touched, after the delivery, while its container has not started."""
START_AFTER_DELIVERY_SECONDS = 60.0
"""A container that has not started by then gets a new Pod with new tokens: a join token lives 120 s (Zoom)."""
_JOINING_IS_TOLD_AFTER = 0.4
_LOOK_AGAIN_SECONDS = 30.0
_QUOTA_SECONDS = 5.0


def decide(facts: BotFacts) -> BotPlan:
    """The next step for the bot; time is `facts.now`."""
    status = facts.bot.status
    if status.phase is not None and status.phase.finished:
        return _finished(facts)
    accounted = status.last_attempt is not None and status.last_attempt.pod_name == status.pod_name
    if status.pod_name is None or accounted:
        return _without_pod(facts)
    if facts.pod is None:
        return _pod_missing(facts, status.pod_name)
    if facts.pod.over:
        return _ended(facts, facts.pod)
    if facts.pod.started:
        return _running(facts, facts.pod)
    if facts.pod.deleting:
        return BotPlan(status=facts.bot.status)
    if facts.delivery is not None:
        return _delivered(facts, facts.pod)
    return _staging(facts, facts.pod)


def start_deadline(facts: BotFacts) -> datetime:
    """Until when the present attempt must have started: counted from joinAt, or from when a new attempt was due."""
    status = facts.bot.status
    begun = max(facts.bot.join_at, status.next_attempt_time or facts.bot.join_at)
    return begun + timedelta(seconds=facts.bot.spec.start_deadline_seconds)


def _without_pod(facts: BotFacts) -> BotPlan:
    bot, status = facts.bot, facts.bot.status
    if bot.spec.suspend:
        return _tidy(facts) or BotPlan(
            status=bot_status.in_trouble(facts, BotPhase.PENDING, BotReason.SUSPENDED, "The bot is suspended.")
        )
    deadline = start_deadline(facts)
    problem = facts.meeting if isinstance(facts.meeting, Problem) else facts.template
    if facts.now > deadline:
        return _too_late(facts, problem)
    if problem is not None:
        plan = bot_status.in_trouble(
            facts, BotPhase.PENDING, problem.reason, problem.message, mendable=problem.mendable
        )
        return BotPlan(status=plan, again=_until(facts, deadline, at_most=_LOOK_AGAIN_SECONDS))
    lead = bot.join_at - timedelta(seconds=bot.spec.lead_seconds)
    if facts.now < lead:
        return _scheduled(facts, lead)
    if status.next_attempt_time is not None and facts.now < status.next_attempt_time:
        return BotPlan(status=status, again=_until(facts, status.next_attempt_time))
    return _tidy(facts) or _claim(facts)


def _tidy(facts: BotFacts) -> BotPlan | None:
    """Never two Pods of a bot: the earlier one has to be over or gone first."""
    earlier = facts.previous_pod
    if earlier is None or earlier.phase in ("Succeeded", "Failed"):
        return None
    if not earlier.deleting:
        return BotPlan(status=facts.bot.status, act=DeletePod(earlier.name, earlier.uid))
    return BotPlan(status=facts.bot.status, again=_LOOK_AGAIN_SECONDS)


def _claim(facts: BotFacts) -> BotPlan:
    status = facts.bot.status
    attempt = attempt_of(status.pod_name) + 1 if status.pod_name else 1
    name = pod_name(facts.bot, attempt=attempt)
    told = bot_status.going_well(
        facts,
        BotPhase.STAGING,
        f"Pod {name} is being prepared.",
        pod_name=name,
        attempts=status.attempts + 1,
        token=None,
        spec_hash=None,
    )
    return BotPlan(status=told, act=Commit())


def _scheduled(facts: BotFacts, lead: datetime) -> BotPlan:
    if not facts.checked:
        return BotPlan(status=facts.bot.status, act=CheckTemplate())
    if facts.refused is not None:
        told = bot_status.in_trouble(facts, BotPhase.SCHEDULED, facts.refused.reason, facts.refused.message)
        return BotPlan(status=told, again=_until(facts, lead, at_most=_LOOK_AGAIN_SECONDS))
    told = bot_status.going_well(
        facts,
        BotPhase.SCHEDULED,
        f"The bot joins at {facts.bot.join_at:%Y-%m-%d %H:%M:%S} UTC.",
        next_attempt_time=None,
    )
    return BotPlan(status=told, again=_until(facts, lead))


def _too_late(facts: BotFacts, problem: Problem | None) -> BotPlan:
    bot = facts.bot
    deadline = start_deadline(facts)
    created = bot.metadata.creation_timestamp
    if bot.status.pod_name is None and created is not None and created > deadline:
        words = f"Created after its time: it was to have started by {deadline:%Y-%m-%d %H:%M:%S} UTC. It never runs."
        told = bot_status.going_well(
            facts, BotPhase.EXPIRED, words, completion_time=bot_status.whole_seconds(facts.now), next_attempt_time=None
        )
        return BotPlan(status=told)
    cause = problem or facts.refused
    return _missed(facts, cause.message if cause else _present_trouble(facts))


def _missed(facts: BotFacts, cause: str) -> BotPlan:
    words = f"The bot had not started within {facts.bot.spec.start_deadline_seconds} s."
    told = bot_status.failed(facts, BotReason.START_DEADLINE_EXCEEDED, f"{words} {cause}".strip())
    return BotPlan(status=told)


def _present_trouble(facts: BotFacts) -> str:
    ready = bot_status.ready(facts.bot.status)
    return ready.message if ready is not None and ready.status == "False" else ""


def _pod_missing(facts: BotFacts, name: str) -> BotPlan:
    status = facts.bot.status
    if facts.pod_seen or status.phase in (BotPhase.JOINING, BotPhase.RUNNING):
        return bot_attempts.lost(facts, f"Pod {name} was deleted by someone.")
    withdrawn = _withdrawn(facts, None)
    if withdrawn is not None:
        return withdrawn
    if facts.now > start_deadline(facts):
        return _missed(facts, facts.refused.message if facts.refused else _present_trouble(facts))
    if facts.refused is not None:
        told = bot_status.in_trouble(facts, BotPhase.PENDING, facts.refused.reason, facts.refused.message)
        return BotPlan(status=told, again=_until(facts, start_deadline(facts), at_most=_QUOTA_SECONDS))
    if facts.bot.spec.token_delivery is TokenDelivery.BEFORE_POD and facts.delivery is None:
        return _gate(facts, name)
    return BotPlan(status=status, act=CreatePod(name))


def _staging(facts: BotFacts, pod: PodState) -> BotPlan:
    withdrawn = _withdrawn(facts, pod)
    if withdrawn is not None:
        return withdrawn
    trouble = pod.trouble(secret=join_secret_name(pod.name))
    if facts.now > start_deadline(facts):
        words = trouble[1] if trouble else (facts.shortfall.message if facts.shortfall else "")
        return _missed(facts, words)
    if trouble is not None:
        told = bot_status.in_trouble(facts, BotPhase.STAGING, bot_attempts.TROUBLES[trouble[0]], trouble[1])
        return BotPlan(status=told, again=_until(facts, start_deadline(facts)))
    if not pod.waits_only_for(join_secret_name(pod.name)):
        told = bot_status.going_well(facts, BotPhase.STAGING, f"Pod {pod.name} is being prepared.")
        return BotPlan(status=told, again=_until(facts, start_deadline(facts)))
    return _gate(facts, pod.name)


def _withdrawn(facts: BotFacts, pod: PodState | None) -> BotPlan | None:
    """The author changed their mind before the bot joined: the staged Pod goes, uncounted."""
    bot = facts.bot
    if bot.spec.suspend:
        return bot_attempts.given_back(facts, "The bot was suspended before it joined.")
    if facts.now < bot.join_at - timedelta(seconds=bot.spec.lead_seconds):
        return bot_attempts.given_back(facts, "The bot was moved to a later time.")
    if isinstance(facts.meeting, Problem) or facts.template is not None:
        return bot_attempts.given_back(facts, "The spec was changed before the bot joined.")
    if pod is not None and pod.spec_hash != facts.pod_hash:
        return bot_attempts.given_back(facts, "The spec was changed before the bot joined.")
    return None


def _gate(facts: BotFacts, name: str) -> BotPlan:
    """Decide at the gate, where the Pod could start but for its Secret: is it time, and is there a token."""
    bot, shortfall = facts.bot, facts.shortfall
    if facts.now < bot.join_at:
        words = f"Pod {name} is ready and waits for {bot.join_at:%H:%M:%S} UTC."
        return BotPlan(status=bot_status.going_well(facts, BotPhase.STAGING, words), again=_until(facts, bot.join_at))
    if shortfall is None:
        return BotPlan(status=bot.status, act=IssueTokens(name))
    required = bot.spec.token_policy is TokenPolicy.REQUIRED
    if not shortfall.passing:
        if required:
            words = f"No token, and tokenPolicy is Required. {shortfall.message}"
            return BotPlan(status=bot_status.failed(facts, shortfall.reason, words))
        return BotPlan(status=bot.status, act=DeliverWithout(name, shortfall.reason, shortfall.message))
    patience = shortfall.first_try_at + timedelta(seconds=bot.spec.token_wait_seconds)
    if not required and facts.now >= patience:
        return BotPlan(status=bot.status, act=DeliverWithout(name, shortfall.reason, shortfall.message))
    if facts.now >= shortfall.next_try_at:
        return BotPlan(status=bot.status, act=IssueTokens(name))
    limit = start_deadline(facts) if required else patience
    told = bot_status.in_trouble(facts, BotPhase.STAGING, shortfall.reason, shortfall.message)
    return BotPlan(status=told, again=_until(facts, min(limit, shortfall.next_try_at)))


def _delivered(facts: BotFacts, pod: PodState) -> BotPlan:
    assert facts.delivery is not None  # noqa: S101 - narrows the type
    since = (facts.now - facts.delivery.delivered_at).total_seconds()
    if since >= START_AFTER_DELIVERY_SECONDS:
        words = f"Pod {pod.name} had not started {START_AFTER_DELIVERY_SECONDS:.0f} s after its token was delivered."
        return bot_attempts.lost(facts, words)
    due = TOUCH_SECONDS[facts.touches] if facts.touches < len(TOUCH_SECONDS) else START_AFTER_DELIVERY_SECONDS
    if since >= due:
        return BotPlan(status=facts.bot.status, act=TouchPod(pod.name))
    trouble = pod.trouble(secret=join_secret_name(pod.name))
    if trouble is not None:
        told = bot_status.in_trouble(
            facts, BotPhase.JOINING, bot_attempts.TROUBLES[trouble[0]], trouble[1], spec_hash=_joined_with(facts)
        )
    else:
        told = bot_status.going_well(
            facts, BotPhase.JOINING, f"Pod {pod.name} starts.{_without_token(facts)}", spec_hash=_joined_with(facts)
        )
    # A start takes about 0.1 s: Joining is written down only when it takes longer.
    return BotPlan(status=told, again=due - since, hold=since < _JOINING_IS_TOLD_AFTER)


def _running(facts: BotFacts, pod: PodState) -> BotPlan:
    assert pod.bot is not None  # noqa: S101 - narrows the type
    status = facts.bot.status
    told = bot_status.going_well(
        facts,
        BotPhase.RUNNING,
        f"The bot runs in Pod {pod.name}.{_without_token(facts)}",
        start_time=status.start_time or pod.bot.started_at,
        spec_hash=_joined_with(facts),
        next_attempt_time=None,
    )
    if status.phase is not BotPhase.RUNNING:
        # First the evidence of the delivery, then its Secret may go.
        return BotPlan(status=told, act=Commit())
    if not facts.secret_gone:
        return BotPlan(status=status, act=DeleteSecret(pod.name))
    if facts.bot.spec.suspend and not pod.deleting:
        return BotPlan(status=status, act=DeletePod(pod.name, pod.uid))
    return BotPlan(status=bot_status.spec_change(facts, told))


def _ended(facts: BotFacts, pod: PodState) -> BotPlan:
    if facts.delivery is not None and not facts.secret_gone:
        return BotPlan(status=facts.bot.status, act=DeleteSecret(pod.name))
    return bot_attempts.ended(facts, pod)


def _finished(facts: BotFacts) -> BotPlan:
    """A finished bot never runs again: what is left of it is put away."""
    status, pod = facts.bot.status, facts.pod
    if pod is not None and not pod.deleting and pod.phase not in ("Succeeded", "Failed"):
        return BotPlan(status=status, act=DeletePod(pod.name, pod.uid))
    told = bot_status.spec_change(facts, status)
    ttl = facts.bot.spec.ttl_seconds_after_finished
    if ttl is None or status.completion_time is None:
        return BotPlan(status=told)
    end = status.completion_time + timedelta(seconds=ttl)
    if facts.now >= end:
        return BotPlan(status=status, act=DeleteBot())
    return BotPlan(status=told, again=_until(facts, end))


def _without_token(facts: BotFacts) -> str:
    if facts.delivery is None or not facts.delivery.reason:
        return ""
    return f" It goes without a token and asks the host ({facts.delivery.reason}: {facts.delivery.message})"


def _joined_with(facts: BotFacts) -> str:
    return facts.bot.status.spec_hash or bot_status.fixed_spec_hash(facts.bot)


def _until(facts: BotFacts, moment: datetime, *, at_most: float = 86_400.0) -> float:
    return min(at_most, max(0.0, (moment - facts.now).total_seconds()))
