"""The example bot as a process against the simulator: its exit codes, its words, and what it must not say."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import httpx
import pytest

from tests.zoomsim.client import SimClient
from tests.zoomsim.scenario import Scenario
from tests.zoomsim.server import serving_in_thread
from tests.zoomsim.world import Account, App, Meeting, User

BOT = Path(__file__).parents[3] / "examples" / "bot" / "bot.py"
PASSCODE = "pass-code-of-a-test"
ALICE = User(account_id="acme", email="alice@example.com")
MEETING = Meeting(host_id=ALICE.id, passcode=PASSCODE)


@pytest.fixture
def zoom() -> Iterator[SimClient]:
    with serving_in_thread() as client:
        client.load(
            Scenario(
                accounts=(Account(id="acme"),),
                users=(ALICE,),
                apps=(App(client_id="app-1", owner_account_id="acme"),),
            )
        )
        client.add_meeting(MEETING, emit=False)
        yield client


class Bot:
    """A running bot. `ended` gives its exit code and lines."""

    def __init__(self, zoom: SimClient, **env: str) -> None:
        given = {
            "PATH": os.environ.get("PATH", ""),
            "ZOOM_SIMULATOR_URL": zoom.base_url,
            "ZOOM_MEETING_ID": str(MEETING.id),
            "ZOOM_MEETING_PASSCODE": PASSCODE,
            "ZOOM_DISPLAY_NAME": "Notetaker",
        }
        self.process = subprocess.Popen(
            [sys.executable, str(BOT)], env=given | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def says(self, wanted: str) -> None:
        """Read its lines up to this one."""
        assert self.process.stdout is not None
        while (line := self.process.stdout.readline().rstrip("\n")) != wanted:
            assert self.process.poll() is None, line

    def ended(self) -> tuple[int, list[str]]:
        output, _ = self.process.communicate(timeout=30)
        assert PASSCODE not in output
        return self.process.returncode, output.splitlines()


@pytest.fixture
def start(zoom: SimClient) -> Iterator[Callable[..., Bot]]:
    bots: list[Bot] = []

    def start(**env: str) -> Bot:
        bots.append(Bot(zoom, **env))
        return bots[-1]

    yield start
    for bot in bots:
        bot.process.kill()
        bot.process.communicate()


def minted(zoom: SimClient, path: str, **query: str) -> str:
    tokens = zoom.consent(client_id="app-1", user=ALICE.id)
    headers = {"Authorization": f"Bearer {tokens.access_token}"}
    answer = httpx.get(f"{zoom.api_url}{path}", params=query, headers=headers, trust_env=False)
    return str(answer.json()["token"])


def join_token(zoom: SimClient) -> str:
    return minted(zoom, f"/meetings/{MEETING.id}/jointoken/local_recording", bypass_waiting_room="true")


def state_of_bot(zoom: SimClient, wanted: str) -> None:
    until = time.monotonic() + 15
    while [visit.state for visit in zoom.participants()] != [wanted]:
        assert time.monotonic() < until, zoom.joins()
        time.sleep(0.02)


def test_records_with_a_token_until_the_meeting_ends(zoom: SimClient, start: Callable[..., Bot]) -> None:
    token = join_token(zoom)
    bot = start(ZOOM_JOIN_TOKEN=token)
    state_of_bot(zoom, "recording")
    zoom.act(MEETING.id, "end")
    code, lines = bot.ended()
    assert code == 0
    assert lines == [f"Joining meeting {MEETING.id} as Notetaker", "Recording", "Over: the meeting has ended"]
    assert token not in "".join(lines)


def test_without_a_token_it_asks_and_says_why(zoom: SimClient, start: Callable[..., Bot]) -> None:
    bot = start(ZOOM_TOKEN_REASON="NoMapping")
    state_of_bot(zoom, "asks_host")
    zoom.change_meeting(MEETING.id, host_answer="denied")
    code, lines = bot.ended()
    assert (code, lines[0], lines[-1]) == (1, "No recording token: NoMapping", "Over: the host refused it")


def test_granted_it_records(zoom: SimClient, start: Callable[..., Bot]) -> None:
    bot = start()
    state_of_bot(zoom, "asks_host")
    zoom.change_meeting(MEETING.id, host_answer="granted")
    bot.says("Recording")
    zoom.act(MEETING.id, "end")
    assert bot.ended() == (0, ["Over: the meeting has ended"])


def test_sigterm_leaves_the_meeting(zoom: SimClient, start: Callable[..., Bot]) -> None:
    bot = start(ZOOM_JOIN_TOKEN=join_token(zoom))
    bot.says("Recording")
    bot.process.send_signal(signal.SIGTERM)
    code, lines = bot.ended()
    assert (code, lines[-1]) == (0, "Asked to stop: left the meeting")
    state_of_bot(zoom, "left")


def test_stays_as_long_as_it_is_configured_to(zoom: SimClient, start: Callable[..., Bot]) -> None:
    code, lines = start(ZOOM_JOIN_TOKEN=join_token(zoom), BOT_STAY_SECONDS="0.1").ended()
    assert (code, lines[-1]) == (0, "Stayed for BOT_STAY_SECONDS: left the meeting")
    state_of_bot(zoom, "left")


def test_refused_it_says_why_in_the_last_line(zoom: SimClient, start: Callable[..., Bot]) -> None:
    code, lines = start(ZOOM_JOIN_TOKEN="forged-token").ended()
    assert (code, lines[-1]) == (1, "Not let in: the local_recording join token is not one of Zoom's (code 500)")
    assert "forged-token" not in "".join(lines)


def test_501_and_being_put_out_ask_for_new_tokens(zoom: SimClient, start: Callable[..., Bot]) -> None:
    obf = minted(zoom, "/users/me/token", type="onbehalf", meeting_id=str(MEETING.id))
    code, lines = start(ZOOM_OBF_TOKEN=obf).ended()
    assert (code, "(code 501)" in lines[-1], obf in "".join(lines)) == (75, True, False)
    bot = start(ZOOM_JOIN_TOKEN=join_token(zoom))
    state_of_bot(zoom, "recording")
    zoom.put_out(zoom.participants()[0].id)
    code, lines = bot.ended()
    assert (code, lines[-1]) == (75, "Removed from the meeting: removed by the host")


def test_zak_and_the_rest_are_presented(zoom: SimClient, start: Callable[..., Bot]) -> None:
    start(ZOOM_ZAK=minted(zoom, "/users/me/zak"), BOT_STAY_SECONDS="0.1").ended()
    stream = minted(zoom, f"/meetings/{MEETING.id}/jointoken/live_streaming")
    start(ZOOM_LIVE_STREAMING_TOKEN=stream, BOT_STAY_SECONDS="0.1").ended()
    assert [visit.presented for visit in zoom.joins()] == [("ZAK",), ("LiveStreaming",)]
    assert [visit.display_name for visit in zoom.joins()] == ["Notetaker"] * 2


def test_without_a_simulator_it_says_so(start: Callable[..., Bot]) -> None:
    code, lines = start(ZOOM_SIMULATOR_URL="").ended()
    assert (code, "ZOOM_SIMULATOR_URL" in lines[-1]) == (1, True)


def test_waits_a_few_seconds_for_the_simulator(zoom: SimClient, start: Callable[..., Bot]) -> None:
    with serving_in_thread() as gone:
        port = int(gone.base_url.rpartition(":")[2])
    bot = start(ZOOM_SIMULATOR_URL=f"http://127.0.0.1:{port}")
    bot.says(f"Joining meeting {MEETING.id} as Notetaker")
    with serving_in_thread(port=port):
        code, lines = bot.ended()
    assert (code, lines[-1]) == (1, "Not let in: the meeting does not exist (code 8)")


class Reports(BaseHTTPRequestHandler):
    """Stands in for the operator's endpoint, and fails the first report once."""

    seen: ClassVar[list[tuple[str | None, str]]] = []

    def do_POST(self) -> None:
        """Store a report."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.headers["Authorization"], json.loads(body)["state"]))
        self.send_response(503 if len(self.seen) == 1 else 204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Print nothing."""


def test_the_bot_reports_its_progress(zoom: SimClient, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("pods-own-token")
    Reports.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Reports) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/report"
        bot = Bot(zoom, ZOOM_REPORT_URL=url, ZOOM_TOKEN_URL_TOKEN_FILE=str(token), BOT_STAY_SECONDS="1")
        code, _ = bot.ended()
        server.shutdown()
    assert code == 0
    states = [state for _, state in Reports.seen]
    assert states[0] == states[1], "a report that fails with 503 is sent again"
    assert states[-1] == "left"
    assert set(states) <= {"waiting_room", "asking_host", "recording", "left"}
    assert {authorization for authorization, _ in Reports.seen} == {"Bearer pods-own-token"}
