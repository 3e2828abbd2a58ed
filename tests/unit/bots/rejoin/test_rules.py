import pytest
from meetingbots.bots.rejoin.rules import NoToken, NotYet, Outdated, RejoinDenied, report_denial, token_denial
from meetingbots.models.bot import MeetingBot

from tests.unit.bots.bot_builders import POD, ended, pod, running, staged


def joined(phase: str = "Running", **spec: object) -> MeetingBot:
    return staged(status={"phase": phase}, tokenEndpoint=True, **spec)


@pytest.mark.parametrize("phase", ["Joining", "Running"])
def test_a_bot_in_its_meeting_may_have_a_token(phase: str) -> None:
    assert token_denial(joined(phase), pod(running()), has_access=True) is None


@pytest.mark.parametrize("phase", ["Pending", "Scheduled", "WaitingForUser", "Succeeded", "Failed", "Expired"])
def test_a_bot_that_is_not_in_its_meeting_may_not(phase: str) -> None:
    denial = token_denial(joined(phase), pod(running()), has_access=True)
    assert isinstance(denial, RejoinDenied)
    assert phase in denial.message


def test_a_bot_that_has_just_started_has_to_wait() -> None:
    denial = token_denial(joined("Staging"), pod(running()), has_access=True)
    assert isinstance(denial, NotYet)
    assert denial.retry_after == 1


def test_only_the_present_pod_with_access_may() -> None:
    earlier = pod(running(), name="standup-abcde-0")
    assert isinstance(token_denial(joined(), earlier, has_access=True), RejoinDenied)
    assert isinstance(token_denial(joined(), pod(running(), name=POD), has_access=False), RejoinDenied)
    assert isinstance(token_denial(joined(), pod(ended(1), phase="Failed"), has_access=True), RejoinDenied)


def test_a_leaving_bot_gets_the_reason() -> None:
    denial = token_denial(joined(suspend=True), pod(running()), has_access=True)
    assert isinstance(denial, NoToken)
    assert (denial.reason, denial.retry_after) == ("Suspended", None)
    denial = token_denial(joined(), pod(running(), deleted_at=5), has_access=True)
    assert isinstance(denial, NoToken)
    assert denial.reason == "Leaving"


@pytest.mark.parametrize("phase", ["Staging", "Joining", "Running"])
def test_the_current_pod_may_report(phase: str) -> None:
    assert report_denial(joined(phase), pod(running()), has_access=True) is None
    assert report_denial(joined(phase, suspend=True), pod(running(), deleted_at=5), has_access=True) is None


def test_reports_of_earlier_pods_and_finished_bots_are_outdated() -> None:
    assert isinstance(report_denial(joined(), pod(running(), name="standup-abcde-0"), has_access=True), Outdated)
    assert isinstance(report_denial(joined(), pod(ended(1), phase="Failed"), has_access=True), Outdated)
    for phase in ("Succeeded", "Failed"):
        assert isinstance(report_denial(joined(phase), pod(running()), has_access=True), Outdated)
    assert isinstance(report_denial(joined(), pod(running()), has_access=False), RejoinDenied)
