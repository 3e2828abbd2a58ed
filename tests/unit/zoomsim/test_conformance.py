"""The conformance checks: the example bot passes all of them, and each check fails for a bot that breaks its rule."""

import sys
from pathlib import Path

import pytest
from meetingbots.bots.manifests import environment

from tests.zoomsim.conformance import CHECKS, VARIABLES, check_all

BOT = Path(__file__).parents[3] / "examples" / "bot" / "bot.py"


def test_the_example_bot_passes() -> None:
    assert check_all([sys.executable, str(BOT)], seconds=30) == {}


@pytest.mark.parametrize("code", [0, 1])
def test_a_bot_that_does_nothing_fails_every_check(code: int) -> None:
    failures = check_all([sys.executable, "-c", f"raise SystemExit({code})"], seconds=0.5)
    assert set(failures) == {check.__name__ for check in CHECKS}


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ('os.environ.get("ZOOM_CUSTOMER_KEY", "")', '""', "records_with_its_token"),
        ("TRY_AGAIN = 75", "TRY_AGAIN = 0", "ends_when_it_is_removed"),
        ('return say("Asked to stop: left the meeting", 0)', "return 3", "leaves_at_sigterm"),
    ],
)
def test_a_broken_bot_fails_its_check(tmp_path: Path, old: str, new: str, check: str) -> None:
    text = BOT.read_text()
    assert old in text
    broken = tmp_path / "bot.py"
    broken.write_text(text.replace(old, new))
    assert check in check_all([sys.executable, str(broken)], seconds=20)


def test_the_environment_is_the_operators() -> None:
    names = {value for value in vars(environment).values() if isinstance(value, str) and value.startswith("ZOOM_")}
    endpoint = {environment.TOKEN_URL, environment.TOKEN_URL_TOKEN_FILE, environment.REPORT_URL}
    assert names - endpoint <= set(VARIABLES)
