"""The programs inside the kubelet double's built-in images `test/sleep`, `test/exit` and `test/env`.

Run as `python image_program.py sleep [SECONDS]`, `exit [CODE [SECONDS]]` or `env`.
"""

import json
import os
import signal
import sys
import time
from types import FrameType


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def main(arguments: list[str]) -> int:
    """Do what the image is for; the exit code is the container's."""
    signal.signal(signal.SIGTERM, _leave)
    program, *values = arguments
    if program == "exit":
        code, seconds, *_ = [*values, *("0", "0")[len(values) :]]
        time.sleep(float(seconds))
        return int(code)
    if program == "env":
        print(json.dumps(dict(os.environ)), flush=True)
        values = []
    deadline = time.monotonic() + float(values[0]) if values else float("inf")
    while time.monotonic() < deadline:
        time.sleep(min(60.0, max(0.0, deadline - time.monotonic())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
