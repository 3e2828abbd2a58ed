from datetime import timedelta

from meetingbots.bots.decide.schedule import attempt_due, lead_time, shifted, start_deadline, until

from tests.unit.bots.bot_builders import NOW, at, bot, facts


def test_moments_of_a_bot() -> None:
    given = bot(joinAt=at(1000).isoformat(), leadSeconds=120, startDeadlineSeconds=600)
    assert lead_time(given) == at(880)
    assert attempt_due(given) == at(1000)
    assert start_deadline(given) == at(1600)


def test_a_replacement_has_its_own_deadline() -> None:
    given = bot(status={"nextAttemptTime": at(5000).isoformat()}, joinAt=at(1000).isoformat(), startDeadlineSeconds=600)
    assert start_deadline(given) == at(5600)
    moved = bot(status={"nextAttemptTime": at(5).isoformat()}, joinAt=at(1000).isoformat())
    assert attempt_due(moved) == at(1000)


def test_the_ends_of_the_calendar() -> None:
    assert start_deadline(bot(joinAt="9999-12-31T23:59:59Z")).year == 9999
    assert lead_time(bot(joinAt="0001-01-01T00:00:00Z")).year == 1
    assert shifted(NOW, seconds=-5) == NOW - timedelta(seconds=5)


def test_until() -> None:
    given = facts(after=10)
    assert until(given, at(15)) == 5
    assert until(given, at(5)) == 0
    assert until(given, at(1e7)) == 86_400
    assert until(given, at(1000), at_most=30) == 30
