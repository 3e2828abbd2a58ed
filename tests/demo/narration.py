"""How the demo speaks: numbered steps, what holds (✓) and what does not (✗), and objects as kubectl shows them."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator


class Narration:
    """Prints to standard output and remembers whether everything was as promised."""

    def __init__(self) -> None:
        self._step = 0
        self._begun = time.monotonic()
        self.failures: list[str] = []

    def step(self, text: str) -> None:
        """A new step begins."""
        self._step += 1
        self._print(f"\n[{time.monotonic() - self._begun:5.1f} s] {self._step}. {text}")

    def say(self, text: str) -> None:
        """A remark within the step."""
        self._print(f"   {text}")

    def show(self, command: str, output: str) -> None:
        """A command as a reader would type it, and what it printed."""
        self._print(f"   $ {command}")
        for line in output.rstrip().splitlines():
            self._print(f"     {line}")

    def check(self, text: str, holds: bool) -> None:
        """A promise, and whether it was kept."""
        self._print(f"   {'✓' if holds else '✗'} {text}")
        if not holds:
            self.failures.append(text)

    @contextlib.contextmanager
    def patience(self, what: str, *, every_seconds: float) -> Iterator[None]:
        """While the body takes long, say now and then that `what` is still waited for."""
        done = threading.Event()

        def remind() -> None:
            begun = time.monotonic()
            while not done.wait(every_seconds):
                self._print(f"   … waiting for this since {time.monotonic() - begun:.0f} s: {what}")

        reminder = threading.Thread(target=remind, name="patience", daemon=True)
        reminder.start()
        try:
            yield
        finally:
            done.set()
            reminder.join()

    def close(self) -> int:
        """The end; the exit code."""
        seconds = time.monotonic() - self._begun
        if self.failures:
            self._print(f"\nNot as promised ({seconds:.1f} s):")
            for failure in self.failures:
                self._print(f"  ✗ {failure}")
            return 1
        self._print(f"\nAll of it was so, in {seconds:.1f} s.")
        return 0

    def _print(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
