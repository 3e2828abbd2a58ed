"""What the end of a Pod means, as a table: each row is an example that the code has judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from meetingbots.bots.decide.pod_ends import Outcome, pod_end
from meetingbots.bots.manifests.pod_status import pod_state

from tests.tables.places import with_table

MEANINGS: Final = {
    Outcome.DONE: "**done**: Succeeded",
    Outcome.FAILED: "**failed**: counts against `retry.limit`",
    Outcome.LOST: "**lost**: a new Pod, uncounted",
    Outcome.TOO_LONG: "**too long**: Failed, `MaxDurationExceeded`",
    Outcome.TRY_AGAIN: "**try again**: a new Pod with new tokens, uncounted",
}
_POD: Final = "weekly-4f1c2-1"
_CREATED, _ENDED, _ENDED_EARLIER = "2030-01-01T12:00:00Z", "2030-01-01T12:10:00Z", "2030-01-01T12:09:50Z"


@dataclass(frozen=True, kw_only=True)
class Example:
    """A Pod's end in words, and as the kubelet reports it. `ended_from_outside`: the Pod is also being deleted."""

    words: str
    status: dict[str, Any]
    ended_from_outside: bool = False


def _bot(code: int, reason: str = "Error", message: str = "", *, at: str = _ENDED) -> dict[str, Any]:
    ended = {"exitCode": code, "reason": reason, "message": message, "startedAt": _CREATED, "finishedAt": at}
    return {"name": "bot", "state": {"terminated": ended}}


def _of(*containers: dict[str, Any], phase: str = "Failed", **status: Any) -> dict[str, Any]:
    return {"phase": phase, "containerStatuses": list(containers), **status}


EXAMPLES: Final = (
    Example(words="Exit code 0", status=_of(_bot(0, "Completed"), phase="Succeeded")),
    Example(words="Exit code 75", status=_of(_bot(75))),
    Example(words="Any other exit code", status=_of(_bot(1, message="ValueError: no audio device"))),
    Example(words="Out of memory: `OOMKilled`", status=_of(_bot(137, "OOMKilled"))),
    Example(words="A signal that nobody asked for", status=_of(_bot(139))),
    Example(
        words="An init container fails",
        status={
            "phase": "Failed",
            "initContainerStatuses": [{**_bot(2), "name": "prepare"}],
            "containerStatuses": [{"name": "bot", "state": {"waiting": {"reason": "PodInitializing"}}}],
        },
    ),
    Example(
        words="The container's command does not exist: `StartError`",
        status=_of(_bot(128, "StartError", "exec: no such file")),
    ),
    Example(
        words="Evicted for a limit that the template sets",
        status=_of(reason="Evicted", message='Usage of EmptyDir volume "recordings" exceeds the limit "1Gi". '),
    ),
    Example(
        words="Evicted because the node is short of resources",
        status=_of(_bot(137), reason="Evicted", message="The node was low on resource: memory. "),
    ),
    Example(words="The Pod is deleted while the bot runs", status=_of(_bot(137)), ended_from_outside=True),
    Example(
        words="The bot fails, and its Pod is deleted afterwards",
        status=_of(_bot(1, at=_ENDED_EARLIER)),
        ended_from_outside=True,
    ),
    Example(words="The node shuts down: `Terminated`", status=_of(_bot(143), reason="Terminated")),
    Example(words="The node reboots: reason `Unknown`", status=_of(_bot(255, "Unknown"))),
    Example(
        words="The node loses the container: `ContainerStatusUnknown`", status=_of(_bot(137, "ContainerStatusUnknown"))
    ),
    Example(
        words="The kubelet rejects the Pod",
        status={"phase": "Failed", "reason": "OutOfcpu", "message": "Node didn't have enough resource: cpu"},
    ),
    Example(words="`activeDeadlineSeconds` are over", status=_of(_bot(137), reason="DeadlineExceeded")),
)
"""At least one for each outcome."""


def judged(example: Example) -> tuple[Outcome, str]:
    """The outcome and the message of an example."""
    metadata: dict[str, Any] = {"name": _POD, "uid": "u", "creationTimestamp": _CREATED}
    if example.ended_from_outside:
        # The deletion asked the Pod to end at 12:10:00, with 60 s of grace.
        metadata |= {"deletionTimestamp": "2030-01-01T12:11:00Z", "deletionGracePeriodSeconds": 60}
    end = pod_end(pod_state({"metadata": metadata, "status": example.status}))
    return end.outcome, end.message


def in_document(text: str) -> str:
    """The page about what a bot gets, with this table brought up to date."""
    head = ["| The Pod ends | Meaning | Message |", "| --- | --- | --- |"]
    rows = [(example.words, *judged(example)) for example in EXAMPLES]
    lines = [f"| {words} | {MEANINGS[outcome]} | {message} |" for words, outcome, message in rows]
    return with_table(text, name="pod ends", table="\n".join([*head, *lines]))
