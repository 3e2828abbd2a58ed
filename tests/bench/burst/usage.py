"""What a process has used: CPU seconds and resident memory."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """CPU in seconds since its start, memory in MiB."""

    cpu: float
    memory: float


def usage(pid: int) -> Usage:
    """The process's usage now; by /proc where there is one, else by ps (whole seconds)."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists():
        fields = stat.read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return Usage(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
    shown = subprocess.run(
        ["ps", "-o", "cputime=,rss=", "-p", str(pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    seconds = 0.0
    for part in shown[0].replace("-", ":").split(":"):
        seconds = seconds * 60 + float(part)
    return Usage(seconds, int(shown[1]) / 1024)
