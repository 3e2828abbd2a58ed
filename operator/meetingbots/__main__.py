"""``python -m meetingbots`` is the command ``meetingbots``."""

import sys

from meetingbots.cli import main

sys.exit(main())
