"""Each rule of a soak run: a good record holds it, and a spoiled one breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.soak.invariants import RULES, broken
from tests.soak.record import BotEnd, Interruption, Meeting, PodRun, Presentation, Record

FIRST = PodRun(namespace="a", bot="b", pod="b-12345-1", starts=1, began=10.0, ended=20.0, tokens=frozenset({"t1"}))
SECOND = replace(FIRST, pod="b-12345-2", began=20.5, ended=30.0, tokens=frozenset({"t2"}))
EXCHANGE = Presentation(credential="a/alice", token="r1", time=100.0, rotated=False, lost=False)
NEXT = replace(EXCHANGE, token="r2", time=120.0)
DEAD = replace(EXCHANGE, time=110.0, rotated=True)
END = BotEnd(
    namespace="a",
    name="b",
    story="now",
    phase="Succeeded",
    attempts=2,
    allowed=frozenset({"Succeeded"}),
    most_attempts=2,
)
ALICE = frozenset({("alice", "Host")})
GOOD = Record(
    pods=(FIRST, SECOND),
    created=("pods a/b-12345-1", "secrets a/b-12345-1-zoom", "pods a/b-12345-2", "secrets a/b-12345-2-zoom"),
    presentations=(EXCHANGE, NEXT),
    writes={"a/alice": (90.0, 101.0, 121.0)},
    interruptions=(Interruption(began=50.0, ended=60.0),),
    bots=(END,),
    zoom={"a/1": Meeting(phase="Ended", people=ALICE), "a/2": Meeting(phase="Deleted", people=ALICE)},
    mappings={"a/1": Meeting(phase="Ended", people=ALICE), "a/2": Meeting(phase="Deleted")},
)
SPOILED = {
    "no token twice": (
        replace(GOOD, pods=(FIRST, replace(SECOND, tokens=FIRST.tokens))),
        replace(GOOD, pods=(replace(FIRST, starts=2), SECOND)),
    ),
    "nothing created twice": (
        replace(GOOD, created=(*GOOD.created, "pods a/b-12345-1")),
        replace(GOOD, created=(*GOOD.created, "secrets a/b-12345-2-zoom")),
    ),
    "no two Pods of a bot at once": (
        replace(GOOD, pods=(FIRST, replace(SECOND, began=19.9))),
        replace(GOOD, pods=(SECOND, replace(FIRST, ended=float("inf")))),
    ),
    "no dead refresh token without a lost answer": (
        replace(GOOD, presentations=(EXCHANGE, DEAD)),
        replace(GOOD, presentations=(DEAD,)),
        replace(GOOD, presentations=(EXCHANGE, DEAD), interruptions=(Interruption(began=105.0, ended=105.0),)),
        replace(GOOD, presentations=(EXCHANGE, DEAD), interruptions=(Interruption(began=90.0, ended=99.0),)),
        replace(
            GOOD, presentations=(EXCHANGE, DEAD), writes={}, interruptions=(Interruption(began=111.0, ended=111.0),)
        ),
    ),
    "every bot ended": (
        replace(GOOD, bots=(replace(END, phase="Running"),)),
        replace(GOOD, bots=(replace(END, phase=""),)),
        replace(GOOD, bots=(replace(END, phase="Deleted"),)),
        replace(GOOD, bots=(replace(END, attempts=3),)),
    ),
    "nothing left": (replace(GOOD, left=("Pod a/b-12345-1",)),),
    "mappings equal to Zoom": (
        replace(GOOD, mappings={}),
        replace(GOOD, mappings=GOOD.mappings | {"a/3": Meeting(phase="Live")}),
        replace(GOOD, mappings=GOOD.mappings | {"a/1": Meeting(phase="Live", people=ALICE)}),
        replace(GOOD, mappings=GOOD.mappings | {"a/1": Meeting(phase="Ended")}),
        replace(GOOD, mappings=GOOD.mappings | {"a/2": Meeting(phase="Ended", people=ALICE)}),
    ),
}
EXCUSED = {
    "the answer was spoilt": replace(GOOD, presentations=(replace(EXCHANGE, lost=True), DEAD)),
    "an operator was killed before it stored the answer": replace(
        GOOD, presentations=(EXCHANGE, DEAD), interruptions=(Interruption(began=100.5, ended=100.5),)
    ),
    "an operator was frozen over the answer": replace(
        GOOD, presentations=(EXCHANGE, DEAD), interruptions=(Interruption(began=95.0, ended=115.0),)
    ),
    "nothing was stored, and an operator was killed": replace(
        GOOD, presentations=(EXCHANGE, DEAD), writes={}, interruptions=(Interruption(began=109.0, ended=109.0),)
    ),
}


def test_every_rule_has_spoiled_records() -> None:
    assert SPOILED.keys() == RULES.keys()


def test_a_good_record_breaks_no_rule() -> None:
    assert broken(GOOD) == {}


@pytest.mark.parametrize(
    ("rule", "record"), [pytest.param(rule, record, id=rule) for rule, found in SPOILED.items() for record in found]
)
def test_a_spoiled_record_breaks_its_rule_alone(rule: str, record: Record) -> None:
    assert broken(record).keys() == {rule}


@pytest.mark.parametrize("record", EXCUSED.values(), ids=EXCUSED)
def test_a_lost_answer_excuses_a_dead_refresh_token(record: Record) -> None:
    assert broken(record) == {}
