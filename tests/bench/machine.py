"""The machine of a bench."""

import os


def machine() -> str:
    """Describe it: with a load above the number of processors, the figures are those of other programs, too."""
    return f"machine: {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before the run"
