"""The table at the end of the demo."""

from __future__ import annotations

from tests.demo.closing_table import lines, row


def test_a_bot_that_records_one_that_asks_and_one_that_does_not_join() -> None:
    due = "2026-11-24T12:00:00Z"
    recorded = {"admittedTime": "2026-11-24T12:00:01Z", "recordingTime": "2026-11-24T12:00:01Z"}
    asked = {"admittedTime": "2026-11-24T12:00:02Z", "recordingTime": "2026-11-24T12:01:05Z"}
    rows = [
        row("weekly", {"scheduledTime": due, "inMeeting": recorded}, asked=False),
        row("stranger", {"scheduledTime": due, "inMeeting": asked}, asked=True),
        row("refused", {"scheduledTime": due}, asked=None),
    ]
    assert lines(rows) == [
        "BOT        ADMITTED AFTER   RECORDING AFTER   ASKED ANYBODY",
        "weekly     1 s              1 s               nobody",
        "stranger   2 s              65 s              the host",
        "refused    never            never             did not join",
    ]
