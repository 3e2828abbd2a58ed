"""Finding Chromium, and, as root on Debian, installing it: `python -m tests.browser.chromium` prints where it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
MAC_PLACES: Final = (
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
)
PACKAGES: Final = ("chromium", "fonts-dejavu-core")
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MISSING: Final = (
    "Chromium is missing. Debian: apt-get install chromium fonts-dejavu-core; elsewhere install Chromium or Chrome, or "
    "say where it is in CHROMIUM."
)


class ChromiumMissingError(Exception):
    """There is no browser; the text says what to do."""


def find() -> Path:
    """Where the browser is: what CHROMIUM says, else on the path, else where macOS has it."""
    configured = os.environ.get("CHROMIUM")
    if configured:
        return Path(configured)
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is not None:
        return Path(found)
    place = next((place for place in MAC_PLACES if place.is_file()), None)
    if place is None:
        raise ChromiumMissingError(MISSING)
    return place


def install() -> None:
    """Install it, where that is possible without asking: as root on Debian."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ChromiumMissingError(MISSING)
    print(f"browser: installing {' '.join(PACKAGES)} with apt-get", file=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *PACKAGES]):
        subprocess.run(["apt-get", *arguments], check=True, env=environment, stdout=sys.stderr)


def main() -> int:
    """Print the browser's path, after installing it if need be."""
    try:
        try:
            place = find()
        except ChromiumMissingError:
            install()
            place = find()
    except (ChromiumMissingError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    print(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
