"""Checks that a bot keeps its side of the contract: `python -m tests.zoomsim.conformance -- python3 bot.py`.

The bot runs as a process against a simulator of its own, once for each check, with the environment that the operator
gives to container `bot` and with `ZOOM_SIMULATOR_URL`, the base of the routes `/sim/join` and `/sim/participants`.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from .client import SimClient
from .scenario import Scenario
from .server import serving_in_thread
from .visits import Participant, State
from .world import Account, App, HostAnswer, Meeting, User

PASSCODE = "Conformance.1"
CUSTOMER_KEY = "0123456789abcdef0123456789abcdef"
# The operator sets each of them for every bot, empty where there is no value.
VARIABLES = (
    "ZOOM_MEETING_ID",
    "ZOOM_MEETING_PASSCODE",
    "ZOOM_MEETING_URL",
    "ZOOM_HOST",
    "ZOOM_REGISTRANT_TOKEN",
    "ZOOM_DISPLAY_NAME",
    "ZOOM_CUSTOMER_KEY",
    "ZOOM_JOIN_TOKEN",
    "ZOOM_OBF_TOKEN",
    "ZOOM_ZAK",
    "ZOOM_LIVE_STREAMING_TOKEN",
    "ZOOM_LOCAL_ARCHIVING_TOKEN",
    "ZOOM_SDK_JWT",
    "ZOOM_TOKEN_REASON",
)

Token = Literal["bypass", "waiting room", "none"]


class Failed(Exception):  # noqa: N818 - a result of a check
    """The bot does not pass a check; the text has the reason."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The bot under test, and the simulator with a running meeting of one user."""

    zoom: SimClient
    command: Sequence[str]
    seconds: float
    user: User
    app: App
    meeting: Meeting


class Run:
    """One run of the bot. Use it as a context: the process ends with it."""

    def __init__(self, subject: Subject, *, token: Token, passcode: str = PASSCODE) -> None:
        self._subject = subject
        self._environment = _environment(subject, token=token, passcode=passcode)

    def __enter__(self) -> Self:
        self._tries_before = len(self._subject.zoom.joins())
        self._process = subprocess.Popen(list(self._subject.command), env=self._environment)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def joined(self) -> Participant:
        """Wait for the bot's first try to join."""
        self._wait("it does not join", lambda: len(self._subject.zoom.joins()) > self._tries_before)
        return self._subject.zoom.joins()[self._tries_before]

    def becomes(self, bot: Participant, state: State) -> None:
        """Wait for a state of the bot at Zoom."""
        self._wait(f"it is not {state}", lambda: self._subject.zoom.participant(bot.id).state == state)

    def ends(self) -> int:
        """Wait until the process ends by itself; return its exit code."""
        self._wait("it does not end", lambda: self._process.poll() is not None)
        return self._process.returncode

    def terminate(self) -> None:
        """Send SIGTERM, as Kubernetes does when it deletes the Pod."""
        self._process.send_signal(signal.SIGTERM)

    def _wait(self, problem: str, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + self._subject.seconds
        while not holds():
            if time.monotonic() >= until:
                raise Failed(f"{problem} within {self._subject.seconds:g} s")
            time.sleep(0.05)


def records_with_its_token(subject: Subject) -> None:
    """Join with the recording token, pass the name and the customer key on, and end with the meeting (exit code 0)."""
    with Run(subject, token="bypass") as run:
        bot = run.joined()
        _expect("state", bot.state, "recording")
        _expect("display_name", bot.display_name, "Conformance bot")
        _expect("customer_key", bot.customer_key, CUSTOMER_KEY)
        subject.zoom.act(subject.meeting.id, "end", emit=False)
        _expect("exit code after the meeting", run.ends(), 0)


def waits_in_the_waiting_room(subject: Subject) -> None:
    """Stay in the waiting room until the host admits the bot; then record."""
    with Run(subject, token="waiting room") as run:
        bot = run.joined()
        _expect("state", bot.state, "waiting_room")
        subject.zoom.answer(bot.id, "granted")
        run.becomes(bot, "recording")


def asks_the_host_without_a_token(subject: Subject) -> None:
    """Join without a token and wait for the host's permission."""
    with Run(subject, token="none") as run:
        bot = run.joined()
        _expect("state", bot.state, "asks_host")
        subject.zoom.answer(bot.id, "granted")
        run.becomes(bot, "recording")


def ends_when_the_host_refuses(subject: Subject) -> None:
    """End with an exit code other than 0 when the host denies the permission, or does not answer."""
    answers: tuple[HostAnswer, ...] = ("denied", "timeout")
    for answer in answers:
        with Run(subject, token="none") as run:
            bot = run.joined()
            subject.zoom.answer(bot.id, answer)
            _expect_failure(f"exit code after {answer}", run.ends())


def ends_when_it_is_removed(subject: Subject) -> None:
    """End with an exit code other than 0 when the host removes the bot; 75 requests a new Pod with new tokens."""
    with Run(subject, token="bypass") as run:
        subject.zoom.put_out(run.joined().id)
        _expect_failure("exit code after a removal", run.ends())


def ends_when_zoom_refuses_it(subject: Subject) -> None:
    """End with an exit code other than 0 when Zoom refuses the join, here for a wrong passcode."""
    with Run(subject, token="bypass", passcode="wrong") as run:
        _expect("state", run.joined().state, "refused")
        _expect_failure("exit code after a refusal", run.ends())


def leaves_at_sigterm(subject: Subject) -> None:
    """Leave the meeting at SIGTERM, and end with exit code 0."""
    with Run(subject, token="bypass") as run:
        bot = run.joined()
        run.terminate()
        _expect("exit code after SIGTERM", run.ends(), 0)
        _expect("state", subject.zoom.participant(bot.id).state, "left")


CHECKS: tuple[Callable[[Subject], None], ...] = (
    records_with_its_token,
    waits_in_the_waiting_room,
    asks_the_host_without_a_token,
    ends_when_the_host_refuses,
    ends_when_it_is_removed,
    ends_when_zoom_refuses_it,
    leaves_at_sigterm,
)


def check_all(command: Sequence[str], *, seconds: float) -> dict[str, str]:
    """Run all checks; return the reason of each failed one, by its name."""
    failures = {}
    for check in CHECKS:
        with serving_in_thread() as zoom:
            try:
                check(_subject(zoom, command=command, seconds=seconds))
            except (Failed, OSError) as error:
                failures[check.__name__] = str(error)
    return failures


def _subject(zoom: SimClient, *, command: Sequence[str], seconds: float) -> Subject:
    user = User(account_id="example", email="host@example.com")
    app = App(client_id="example-app", owner_account_id="example")
    zoom.load(Scenario(accounts=(Account(id="example"),), users=(user,), apps=(app,)))
    meeting = zoom.add_meeting(Meeting(host_id=user.id, passcode=PASSCODE, start_time=time.time()), emit=False)
    zoom.act(meeting.id, "start", emit=False)
    return Subject(zoom=zoom, command=command, seconds=seconds, user=user, app=app, meeting=meeting)


def _environment(subject: Subject, *, token: Token, passcode: str) -> dict[str, str]:
    number = subject.meeting.id
    values = {
        "ZOOM_MEETING_ID": str(number),
        "ZOOM_MEETING_PASSCODE": passcode,
        "ZOOM_MEETING_URL": f"https://zoom.us/j/{number}?pwd={passcode}",
        "ZOOM_HOST": "zoom.us",
        "ZOOM_DISPLAY_NAME": "Conformance bot",
        "ZOOM_CUSTOMER_KEY": CUSTOMER_KEY,
    }
    if token == "none":
        values["ZOOM_TOKEN_REASON"] = "NoMapping"
    else:
        values["ZOOM_JOIN_TOKEN"] = subject.zoom.join_token(
            client_id=subject.app.client_id,
            user=subject.user.id,
            meeting_id=number,
            bypass_waiting_room=token == "bypass",
        )
    bare = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**bare, "ZOOM_SIMULATOR_URL": subject.zoom.base_url, **dict.fromkeys(VARIABLES, ""), **values}


def _expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Failed(f"{what} is {found!r}, not {wanted!r}")


def _expect_failure(what: str, code: int) -> None:
    if code == 0:
        raise Failed(f"{what} is 0: the operator takes the bot for successful")


def main() -> int:
    """Print each check with its result; return 1 when one fails."""
    parser = argparse.ArgumentParser(description="Checks that a bot keeps its side of the contract.")
    parser.add_argument("--seconds", type=float, default=20, help="time for each step of the bot")
    parser.add_argument("command", nargs="+", help="command that starts the bot")
    given = parser.parse_args()
    failures = check_all(given.command, seconds=given.seconds)
    for check in CHECKS:
        name = check.__name__.replace("_", " ")
        print(f"FAIL {name}: {failures[check.__name__]}" if check.__name__ in failures else f"ok   {name}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
