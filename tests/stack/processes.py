"""Operator and receiver as the processes that they will be: started, waited for, stopped, killed, their logs kept."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.flags import HOST
from tests.cluster.ports import free_ports
from tests.cluster.service import Service
from tests.cluster.warden import Warden


class Program:
    """One process of the product. `environment` is added to a bare one; the log is appended to over restarts."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        ready_url: str,
        log: Path,
        warden: Warden,
    ) -> None:
        bare = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
        settings = [f"{key}={value}" for key, value in {**bare, **environment}.items()]
        command = ["/usr/bin/env", "-i", *settings, sys.executable, "-m", *arguments]
        self._service = Service(command, log=log, warden=warden)
        self._ready_url = ready_url
        self.log = log

    def start(self, *, wait: bool = True) -> None:
        """Start the process, and wait until it says that it is ready."""
        self._service.start()
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Wait for /readyz; an error with the log's tail if the process ends or is not ready in time."""
        self._service.wait_ready(lambda: self.ready, limit_seconds=120)

    def stop(self) -> None:
        """SIGTERM, and wait for the end."""
        if self._service.running:
            self._service.terminate()
            self._service.wait_stopped(limit_seconds=120)

    def kill(self) -> None:
        """SIGKILL, as a crash would, and wait for the end."""
        if self._service.running:
            self._service.kill()
            self._service.wait_stopped()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._service.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._service.running

    @property
    def exit_code(self) -> int | None:
        """Exit code once it has ended by itself."""
        return self._service.exit_code

    def text(self) -> str:
        """All that it has logged."""
        return self.log.read_text(errors="replace") if self.log.is_file() else ""

    @property
    def ready(self) -> bool:
        """Whether /readyz answers 200."""
        try:
            with urllib.request.urlopen(self._ready_url, timeout=5) as answer:  # noqa: S310 - loopback
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def free_port(host: str = HOST) -> int:
    """A port of the loopback address `host` on which nobody listens now."""
    (port,) = free_ports(1, host=host)
    return port
