"""`python -m tests.bench [PART ...]`: run the parts (default: all), each in a process of its own, one after another."""

import subprocess
import sys
from pathlib import Path


def main(wanted: list[str]) -> int:
    """Exit code 0 when every part ran to its end: figures are printed with their targets, never judged."""
    known = sorted(found.parent.name for found in Path(__file__).parent.glob("*/__main__.py"))
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        print(f"unknown parts: {', '.join(unknown)}; known are {', '.join(known)}", file=sys.stderr)
        return 2
    failed = 0
    for part in wanted or known:
        print(f"== {part}", flush=True)
        failed |= subprocess.run([sys.executable, "-m", f"tests.bench.{part}"], check=False).returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
