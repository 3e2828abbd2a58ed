"""The command: a process with a scenario file, and the example bot against it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.zoomsim import scenario
from tests.zoomsim.client import SimClient

ROOT = Path(__file__).parents[3]

SEED = """
settings: {stranger: "300"}
accounts: [{id: acme, plan: Pro}]
users: [{account_id: acme, email: alice@example.com, pmi: 5551234567}]
apps: [{client_id: app-1, owner_account_id: acme}]
consents: [{client_id: app-1, user: alice@example.com}]
meetings: [{id: 81234567890, host_id: alice@example.com, start_in: 3600, passcode: not-a-real-one}]
"""


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.zoomsim", "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def test_prints_its_url_loads_the_seed_and_stops_at_sigterm(tmp_path: Path) -> None:
    seed = tmp_path / "scenario.yaml"
    seed.write_text(SEED)
    with process("--seed", str(seed), "--factor", "10") as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip()
        assert httpx.get(f"{url}/healthz", trust_env=False).text == "ok"
        with SimClient(url) as client:
            meeting = client.meeting(81234567890)
            assert meeting.passcode == "not-a-real-one"
            state = client.clock()
            assert state.factor == 10
            assert meeting.start_time is not None
            assert 3000 < meeting.start_time - state.now <= 3600
            assert client.settings().stranger == "300"
            assert "refresh token" in client.records().secrets.values()
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0


@pytest.mark.parametrize(
    ("text", "why"), [("users: [{email: a}]", "account_id"), ("planets: []", "planets"), ("accounts: {", "expected")]
)
def test_a_wrong_seed_ends_with_what_is_wrong(tmp_path: Path, text: str, why: str) -> None:
    seed = tmp_path / "scenario.yaml"
    seed.write_text(text)
    with process("--seed", str(seed)) as running:
        _, errors = running.communicate(timeout=30)
    assert running.returncode == 1
    assert why in errors
    assert "Traceback" not in errors


def test_json_seeds(tmp_path: Path) -> None:
    seed = tmp_path / "scenario.json"
    seed.write_text(json.dumps({"accounts": [{"id": "acme"}]}))
    assert scenario.read(seed).accounts[0].id == "acme"
