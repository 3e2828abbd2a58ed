"""The kinds of bots: what is ordered, what happens to the bot and its meeting, and how it may end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

Act = Literal[
    "end meeting",
    "delete meeting",
    "delete bot",
    "suspend",
    "resume",
    "host grants",
    "host denies",
    "remove from meeting",
    "user joins",
    "user leaves",
]
Spec = dict[str, Any]

ENDS: Final = frozenset({"Succeeded", "Failed"})
"""Either: faults may use up the attempts of a good bot, and a bad one whose Pod is lost after the meeting succeeds."""
LATE: Final = frozenset({"Failed", "Expired"})
DELETED: Final = frozenset({"Deleted"})
STAYS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Story:
    """A kind of bot. `acts` are what happens so many seconds after its creation, stretched by up to two times.

    `spec` gets the time of the creation. `image` and `args` are the container's, `stay_seconds` is how long the example
    bot stays (0: to the end of the meeting). `mapped`: a user of the tenant hosts the meeting; otherwise
    Zoom has no such meeting.
    """

    spec: Callable[[datetime], Spec] = lambda _: {}
    acts: tuple[tuple[float, Act], ...] = ()
    allowed: frozenset[str] = ENDS
    most_attempts: int = 3
    image: str = "bot-example"
    args: tuple[str, ...] = ()
    stay_seconds: float = 0.0
    annotations: dict[str, str] = field(default_factory=dict)
    beside: tuple[Spec, ...] = ()
    passcode: str = ""
    mapped: bool = True


def _in(seconds: float) -> Callable[[datetime], str]:
    return lambda now: (now + timedelta(seconds=seconds)).astimezone(UTC).isoformat()


STORIES: Final[dict[str, Story]] = {
    "now": Story(stay_seconds=STAYS),
    "until the end": Story(acts=((10.0, "end meeting"),)),
    "scheduled": Story(spec=lambda now: {"joinAt": _in(8)(now), "leadSeconds": 4}, stay_seconds=STAYS),
    "before the Pod": Story(spec=lambda _: {"tokenDelivery": "BeforePod"}, stay_seconds=STAYS),
    "own template": Story(
        stay_seconds=STAYS,
        beside=({"name": "recorder", "image": "test/sleep", "args": ["2"]},),
        annotations={"kubelet.test/pull-seconds": "1.5"},
    ),
    "all tokens": Story(
        spec=lambda _: {"tokens": ["LocalRecording", "LiveStreaming", "LocalArchiving", "ZAK"]}, stay_seconds=STAYS
    ),
    "fails": Story(
        spec=lambda _: {"retry": {"limit": 1, "backoffSeconds": 1}},
        image="test/exit",
        args=("1", "0.3"),
        most_attempts=2,
    ),
    "refused": Story(spec=lambda _: {"retry": {"limit": 1, "backoffSeconds": 1}}, passcode="wrong", most_attempts=2),
    "removed": Story(acts=((6.0, "remove from meeting"), (14.0, "end meeting"))),
    "waiting room": Story(
        spec=lambda _: {"bypassWaitingRoom": False}, acts=((7.0, "host grants"), (14.0, "end meeting"))
    ),
    "denied": Story(
        spec=lambda _: {"bypassWaitingRoom": False, "retry": {"limit": 0}},
        acts=((7.0, "host denies"),),
        most_attempts=1,
    ),
    "deleted early": Story(acts=((0.5, "delete bot"),), allowed=DELETED),
    "deleted late": Story(acts=((7.0, "delete bot"),), allowed=DELETED),
    "meeting deleted": Story(
        spec=lambda _: {"leaveAfterMeetingEndSeconds": 1},
        image="test/sleep",
        acts=((8.0, "end meeting"), (11.0, "delete meeting")),
    ),
    "asked to leave": Story(
        spec=lambda _: {"leaveAfterMeetingEndSeconds": 1}, image="test/sleep", acts=((8.0, "end meeting"),)
    ),
    "too long": Story(
        spec=lambda _: {"maxDurationSeconds": 5, "retry": {"limit": 0}}, image="test/sleep", most_attempts=1
    ),
    "no token": Story(
        spec=lambda _: {"tokenPolicy": "Required", "tokenWaitSeconds": 2, "startDeadlineSeconds": 8},
        mapped=False,
        allowed=LATE,
    ),
    "no image": Story(
        spec=lambda _: {"startDeadlineSeconds": 10}, annotations={"kubelet.test/pull-fails": "true"}, allowed=LATE
    ),
    "suspended": Story(
        spec=lambda now: {"joinAt": _in(6)(now), "leadSeconds": 3},
        acts=((3.0, "suspend"), (9.0, "resume")),
        stay_seconds=STAYS,
    ),
    "on behalf": Story(
        spec=lambda _: {
            "tokens": ["LocalRecording", "OnBehalf"],
            "onBehalf": {"credentialRef": {"name": "alice"}, "retrySeconds": 2},
        },
        acts=((4.0, "user joins"), (16.0, "user leaves"), (20.0, "end meeting")),
    ),
    "reports": Story(spec=lambda _: {"tokenEndpoint": True}, stay_seconds=STAYS),
}
