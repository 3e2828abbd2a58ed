"""`python -m tests.soak [--minutes 10] [--seed N]`: exit code 0 when every rule held."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.soak.invariants import RULES
from tests.soak.plan import draw
from tests.soak.run import Outcome, Run
from tests.soak.scene import TENANTS, standing
from tests.soak.stories import STORIES


def main() -> int:
    """Run, print, and keep the logs of a run in which something broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long faults happen")
    parser.add_argument("--seed", type=int, help="repeats the bots, meetings and faults of a run")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"soak: seed {seed} (make soak MINUTES={given.minutes:g} SEED={seed} draws the same)", flush=True)
    plan = draw(seed=seed, minutes=given.minutes, stories=tuple(STORIES), tenants=TENANTS)
    folder = Path(tempfile.mkdtemp(prefix="meetingbots-soak-"))
    with standing(seed=seed, folder=folder) as scene:
        outcome = Run(scene, plan).play()
    _print(outcome)
    if outcome.broken:
        print(f"soak: FAILED with seed {seed}; logs: {folder}", flush=True)
        return 1
    shutil.rmtree(folder)
    print(f"soak: passed with seed {seed}", flush=True)
    return 0


def _print(outcome: Outcome) -> None:
    for what, count in outcome.counts.items():
        print(f"  {what:<46} {count:>6}")
    for rule in RULES:
        sentences = outcome.broken.get(rule, [])
        print(f"  {rule:<46} {'broken' if sentences else 'holds':>6}")
        for sentence in sentences:
            print(f"    {sentence}")


if __name__ == "__main__":
    sys.exit(main())
