"""The demo's output: numbered steps, checks (✓ and ✗), and objects as kubectl shows them."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator


class Narration:
    """Prints to standard output and records the checks that fail."""

    def __init__(self) -> None:
        self._step = 0
        self._begun = time.monotonic()
        self.failures: list[str] = []

    def step(self, text: str) -> None:
        """Print the heading of a new step."""
        self._step += 1
        self._print(f"\n[{time.monotonic() - self._begun:5.1f} s] {self._step}. {text}")

    def say(self, text: str) -> None:
        """Print a remark."""
        self._print(f"   {text}")

    def show(self, command: str, output: str) -> None:
        """Print a command as a reader would type it, and its output."""
        self._print(f"   $ {command}")
        for line in output.rstrip().splitlines():
            self._print(f"     {line}")

    def check(self, text: str, holds: bool) -> None:
        """Print a check, and record it if it fails."""
        self._print(f"   {'✓' if holds else '✗'} {text}")
        if not holds:
            self.failures.append(text)

    @contextlib.contextmanager
    def patience(self, what: str, *, every_seconds: float) -> Iterator[None]:
        """While the body runs, print every `every_seconds` that the demo still waits for `what`."""
        done = threading.Event()

        def remind() -> None:
            begun = time.monotonic()
            while not done.wait(every_seconds):
                self._print(f"   … waiting for {time.monotonic() - begun:.0f} s: {what}")

        reminder = threading.Thread(target=remind, name="patience", daemon=True)
        reminder.start()
        try:
            yield
        finally:
            done.set()
            reminder.join()

    def close(self) -> int:
        """Print the result. Returns the exit code."""
        seconds = time.monotonic() - self._begun
        if self.failures:
            self._print(f"\nThese checks failed ({seconds:.1f} s):")
            for failure in self.failures:
                self._print(f"  ✗ {failure}")
            return 1
        self._print(f"\nAll checks passed in {seconds:.1f} s.")
        return 0

    def _print(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
