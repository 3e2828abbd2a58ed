"""The rules of a run, each a function from its record to sentences about what breaks the rule."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

from tests.soak.record import INFINITE, Meeting, PodRun, Presentation, Record

Rule = Callable[[Record], Iterator[str]]


def no_token_twice(record: Record) -> Iterator[str]:
    """Each token gets into one start of one container."""
    pods: defaultdict[str, list[str]] = defaultdict(list)
    for run in record.pods:
        for token in run.tokens:
            pods[token].append(f"{run.namespace}/{run.pod}")
        if run.starts > 1:
            yield f"container bot of Pod {run.namespace}/{run.pod} started {run.starts} times"
    for found in pods.values():
        if len(found) > 1:
            yield f"the Pods {', '.join(sorted(found))} got the same token"


def nothing_created_twice(record: Record) -> Iterator[str]:
    """Each Pod, and each Secret for a Pod, is created once: a second create is a second Pod or token of an attempt."""
    for name, count in sorted(Counter(record.created).items()):
        if count > 1:
            yield f"{name} was created {count} times"


def one_pod_at_a_time(record: Record) -> Iterator[str]:
    """The containers of a bot's Pods run one after another."""
    bots: defaultdict[tuple[str, str], list[PodRun]] = defaultdict(list)
    for run in record.pods:
        bots[run.namespace, run.bot].append(run)
    for (namespace, bot), runs in sorted(bots.items()):
        runs.sort(key=lambda run: run.began)
        for before, after in pairwise(runs):
            if after.began < before.ended:
                yield f"bot {namespace}/{bot}: Pod {after.pod} ran while Pod {before.pod} did"


def no_dead_refresh_token(record: Record) -> Iterator[str]:
    """A replaced refresh token is presented only when the answer with the new one was lost.

    An answer is lost when it was spoilt on its way, or when an operator was killed or frozen before it was stored.
    """
    first: dict[str, Presentation] = {}
    for use in sorted(record.presentations, key=lambda use: use.time):
        if not use.rotated:
            first.setdefault(use.token, use)
            continue
        redeemed = first.get(use.token)
        if redeemed is None:
            yield f"credential {use.credential}: a replaced refresh token was presented that nobody had exchanged"
        elif not redeemed.lost and not _interrupted(record, redeemed, use):
            yield (
                f"credential {use.credential}: a replaced refresh token was presented {use.time - redeemed.time:.1f} s "
                "after its exchange, and no answer was lost"
            )


def every_bot_ended(record: Record) -> Iterator[str]:
    """Each bot ends, in a phase and with a number of attempts that its story allows."""
    for bot in record.bots:
        who = f"bot {bot.namespace}/{bot.name} ({bot.story})"
        if bot.phase not in bot.allowed:
            yield f"{who} is {bot.phase or 'without a phase'}, not {' or '.join(sorted(bot.allowed))}: {bot.reason}"
        if bot.attempts > bot.most_attempts:
            yield f"{who} made {bot.attempts} attempts, {bot.most_attempts} at most are allowed"


def nothing_left(record: Record) -> Iterator[str]:
    """No Pod, Secret or claim is left of what was deleted."""
    yield from (f"{name} is left" for name in record.left)


def mappings_are_true(record: Record) -> Iterator[str]:
    """Each meeting of Zoom is mapped as it is there, and nothing else is mapped."""
    for meeting_id in sorted(record.mappings.keys() - record.zoom.keys()):
        yield f"meeting {meeting_id} is mapped, and no user has this meeting"
    for meeting_id, wanted in sorted(record.zoom.items()):
        found = record.mappings.get(meeting_id)
        if wanted.phase == "Deleted":
            if found is not None and found.phase != "Deleted":
                yield f"meeting {meeting_id} is deleted, and its mapping is {found.phase}"
        elif found is None:
            yield f"meeting {meeting_id} is {wanted.phase}, and not mapped"
        elif found != wanted:
            yield f"meeting {meeting_id} is {_shown(found)}, not {_shown(wanted)}"


RULES: Final[dict[str, Rule]] = {
    "no token twice": no_token_twice,
    "nothing created twice": nothing_created_twice,
    "no two Pods of a bot at once": one_pod_at_a_time,
    "no dead refresh token without a lost answer": no_dead_refresh_token,
    "every bot ended": every_bot_ended,
    "nothing left": nothing_left,
    "mappings equal to Zoom": mappings_are_true,
}
ALWAYS: Final = ("no token twice", "nothing created twice", "no two Pods of a bot at once")
"""The rules that hold at any time, not only at the end."""


def broken(record: Record, *, rules: tuple[str, ...] = tuple(RULES)) -> dict[str, list[str]]:
    """Sentences about what breaks each of these rules; a rule that holds is not in it."""
    found = {name: list(RULES[name](record)) for name in rules}
    return {name: sentences for name, sentences in found.items() if sentences}


def _interrupted(record: Record, redeemed: Presentation, use: Presentation) -> bool:
    writes = record.writes.get(redeemed.credential, ())
    stored = min((time for time in writes if time > redeemed.time), default=INFINITE)
    until = min(stored, use.time)
    return any(one.began <= until and one.ended >= redeemed.time for one in record.interruptions)


def _shown(meeting: Meeting) -> str:
    people = ", ".join(f"{name} ({role})" for name, role in sorted(meeting.people))
    return f"{meeting.phase} of {people or 'nobody'}"
