"""``python -m meetingbots`` is the command ``meetingbots``."""

import sys

from meetingbots.entry.cli import main

sys.exit(main())
