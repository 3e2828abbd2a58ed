import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SLEEP = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
OWNER = """
import subprocess, sys, time
from tests.cluster.warden import Warden
warden = Warden()
children = [
    subprocess.Popen([sys.executable, "-S", "-c", code], start_new_session=True, stdout=subprocess.PIPE)
    for code in sys.argv[1:]
]
for child in children:
    warden.watch(child.pid)
print(*(child.pid for child in children), flush=True)
time.sleep(60)
"""


def gone(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip()[:1] in {"", "Z"}


@pytest.mark.parametrize("code", [SLEEP, STUBBORN])
def test_children_end_when_their_owner_is_killed(code: str) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, code, code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with owner:
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(pids) == 2
        assert not any(gone(pid) for pid in pids)
        owner.kill()
    deadline = time.monotonic() + 8
    while not all(gone(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.02)
