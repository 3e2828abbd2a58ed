from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

import httpx
import pytest
from meetingbots.credentials.assembly import user_reactivation
from meetingbots.credentials.sessions.access_tokens import NotReady
from meetingbots.credentials.sessions.zoom_session import NoAccessTokenError, ZoomSession, ZoomSessions
from meetingbots.kube.errors import UnavailableError
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS
from meetingbots.mappings.reconcile.sweeper import MappingSweeper
from meetingbots.models.base import format_time
from meetingbots.models.credential import CredentialReason
from meetingbots.runtime.object_cache import Key

from tests.unit.credentials.reconcile.credential_harness import KEY, START, Bench, Operator
from tests.unit.fake_kube import Call
from tests.unit.mappings.reconcile.mapping_harness import sessions_of, sweeper_of

SWEEP = Key("", "")
MEETING = "81234567890"


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    bench.consent()
    bench.put_credential()
    yield bench
    await bench.close()


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def entry(name: str = "alice", source: str = "Webhook") -> dict[str, str]:
    return {"name": name, "role": "Host", "source": source}


def put(
    bench: Bench,
    name: str = MEETING,
    *entries: dict[str, str],
    people: tuple[str, ...] = (),
    ago: timedelta = timedelta(0),
    **status: Any,
) -> None:
    known = {"phase": "Scheduled", "eventTimes": {"existence": milliseconds(START - ago)}, **status}
    found = list(entries or (entry(),))
    bench.kube.put(
        MAPPINGS,
        {
            "metadata": {
                "name": name,
                "namespace": "team",
                "labels": {f"credential.meetingbots.dev/{one['name']}": "" for one in found},
                "ownerReferences": [],
            },
            "spec": {"meetingId": name, "credentials": [{"name": one} for one in people]},
            "status": {"credentials": found, **known},
        },
    )


def entries(bench: Bench, name: str = MEETING) -> list[str] | None:
    item = bench.kube.peek(MAPPINGS, namespace="team", name=name)
    return None if item is None else [one["name"] for one in item["status"].get("credentials", [])]


def tidying(operator: Operator) -> MappingSweeper:
    services, sessions = operator.services, sessions_of(operator.services, operator.tokens)
    reactivation = user_reactivation(services, sessions=sessions, memories=operator.memories)
    return sweeper_of(services, sessions=sessions, reactivation=reactivation)


async def seen(bench: Bench) -> tuple[Operator, MappingSweeper]:
    """An operator that knows alice, whose consent works."""
    operator = bench.operator()
    await operator.look()
    return operator, tidying(operator)


def say(bench: Bench, operator: Operator, **status: Any) -> None:
    """The receiver writes into the status, and the watch tells of it."""
    item = bench.kube.peek(CREDENTIALS, namespace=KEY.namespace, name=KEY.name)
    assert item is not None
    item["status"] |= status
    operator.services.caches.credentials.put(bench.kube.put(CREDENTIALS, item))


def not_ready(reason: str) -> dict[str, Any]:
    """The condition Ready after Zoom confirmed a report."""
    return {
        "type": "Ready",
        "status": "False",
        "reason": reason,
        "message": "",
        "lastTransitionTime": format_time(START),
    }


async def test_the_entries_of_a_deleted_credential_are_removed(bench: Bench) -> None:
    operator, tidy = await seen(bench)
    put(bench, "81111111111")
    put(bench, "82222222222", entry(), entry("bob"))
    put(bench, "83333333333", entry("bob"))
    put(bench, "84444444444", people=("dora",))
    bench.kube.remove(CREDENTIALS, namespace="team", name="alice")
    operator.services.caches.credentials.drop(KEY)
    assert await tidy.reconcile(KEY) is None
    assert [entries(bench, f"8{digit * 10}") for digit in "1234"] == [None, ["bob"], ["bob"], []]
    people = bench.kube.peek(MAPPINGS, namespace="team", name="84444444444")
    assert people is not None
    assert people["spec"] == {"meetingId": "84444444444", "credentials": [{"name": "dora"}]}


async def test_a_credential_that_came_back_keeps_them(bench: Bench) -> None:
    operator, tidy = await seen(bench)
    put(bench)
    operator.services.caches.credentials.drop(KEY)
    await tidy.reconcile(KEY)
    assert entries(bench) == ["alice"]


@pytest.mark.parametrize("word", ["deauthorization", "userRemoval"])
async def test_a_consent_that_ended_takes_its_entries_along_once(bench: Bench, word: str) -> None:
    operator, tidy = await seen(bench)
    put(bench)
    say(bench, operator, **{word: {"time": format_time(START + timedelta(seconds=5))}})
    await tidy.reconcile(KEY)
    assert entries(bench) == ["alice"], "a report alone ends no consent"
    say(bench, operator, conditions=[not_ready("Deauthorized" if word == "deauthorization" else "UserInactive")])
    await tidy.reconcile(KEY)
    assert entries(bench) is None
    lists = bench.kube.count("list", MAPPINGS)
    await tidy.reconcile(KEY)
    assert bench.kube.count("list", MAPPINGS) == lists


async def test_the_end_of_an_older_consent_removes_nothing(bench: Bench) -> None:
    operator, tidy = await seen(bench)
    put(bench)
    say(bench, operator, deauthorization={"time": format_time(START - timedelta(seconds=5))})
    await tidy.reconcile(KEY)
    await tidy.reconcile(SWEEP)
    assert entries(bench) == ["alice"]


def zoom_says(bench: Bench, status: str) -> list[str]:
    """What Zoom answers to the question who the token's user is."""
    asked: list[str] = []

    async def me(path: str) -> httpx.Response | None:
        if path != "/v2/users/me":
            return None
        asked.append(path)
        fields = {"id": "u-alice", "account_id": "acc", "email": "a@example.test", "pmi": 5551234567, "status": status}
        return httpx.Response(200, json=fields)

    bench.zoom.before = me
    return asked


async def removed(bench: Bench) -> tuple[Operator, MappingSweeper]:
    """Alice's meetings were mapped, and she was deactivated just now."""
    bench.put_credential(meetingSync={"enabled": True})
    operator, tidy = await seen(bench)
    assert entries(bench, "5551234567") == ["alice"]
    bench.clock.forward(60)
    say(bench, operator, userRemoval={"time": format_time(bench.clock.now), "kind": "Deactivated"})
    return operator, tidy


async def test_while_a_user_is_not_active_nothing_is_read_though_tokens_are_renewed(bench: Bench) -> None:
    operator, tidy = await removed(bench)
    asked = zoom_says(bench, "inactive")
    assert await tidy.reconcile(KEY) == 60
    assert len(asked) == 1, "a report is checked at once"
    for seconds, pause in ((60, 60), (3_000, 306), (100_000, 600)):
        bench.clock.forward(seconds)
        await operator.look()
        assert await tidy.reconcile(KEY) == pytest.approx(pause)
    assert bench.reason == "UserInactive"
    assert bench.works(), "its tokens are renewed all the same"
    assert "userRemoval" in bench.status
    assert entries(bench, "5551234567") is None
    assert (bench.condition("MeetingsSynced") or {})["reason"] == "CredentialNotReady"


async def test_meetings_are_read_when_the_user_is_active_again(bench: Bench) -> None:
    operator, tidy = await removed(bench)
    zoom_says(bench, "inactive")
    await tidy.reconcile(KEY)
    await operator.look()
    assert bench.reason == "UserInactive"
    zoom_says(bench, "active")
    bench.clock.forward(60)
    assert await tidy.reconcile(KEY) is None
    assert "userRemoval" not in bench.status
    await operator.look()
    assert entries(bench, "5551234567") == ["alice"]
    assert bench.ready


async def test_a_removed_user_is_reported_at_once_until_it_is_active_again(bench: Bench) -> None:
    operator, tidy = await removed(bench)
    zoom_says(bench, "inactive")
    await tidy.reconcile(KEY)
    await operator.look()
    condition = bench.condition()
    assert condition is not None
    assert (bench.ready, condition["reason"]) == (False, "UserInactive")
    assert condition["message"].startswith("Zoom says that the user was deactivated (2026-11-24T12:01:00Z).")
    await tidy.reconcile(KEY)
    assert entries(bench, "5551234567") is None
    # The receiver takes it back at `user.activated`.
    item = bench.kube.peek(CREDENTIALS, namespace=KEY.namespace, name=KEY.name)
    assert item is not None
    del item["status"]["userRemoval"]
    bench.kube.put(CREDENTIALS, item)
    await operator.look()
    assert bench.ready
    assert entries(bench, "5551234567") == ["alice"], "its meetings are read at once"


async def test_on_demand_there_is_a_token_to_ask_zoom_with(bench: Bench) -> None:
    bench.put_credential(refreshPolicy="OnDemand")
    operator, tidy = await seen(bench)
    bench.clock.forward(4000)
    say(bench, operator, userRemoval={"time": format_time(bench.clock.now), "kind": "Deactivated"})
    zoom_says(bench, "active")
    bench.clock.forward(60)
    await operator.look()
    assert await tidy.reconcile(KEY) is None
    assert "userRemoval" not in bench.status


async def test_a_report_that_zoom_does_not_confirm_changes_nothing(bench: Bench) -> None:
    operator, tidy = await removed(bench)
    asked = zoom_says(bench, "active")
    for _ in range(5):
        pause = await tidy.reconcile(KEY)
        await operator.look()
        assert bench.ready
        assert entries(bench, "5551234567") == ["alice"]
        assert pause is not None
        bench.clock.forward(pause)
    assert len(asked) == 5
    assert await tidy.reconcile(KEY) is None
    assert "userRemoval" not in bench.status, "Zoom's API lags by less than a minute"


async def test_an_answer_that_zoom_gives_late_still_removes_the_user(bench: Bench) -> None:
    operator, tidy = await removed(bench)
    zoom_says(bench, "active")
    await tidy.reconcile(KEY)
    zoom_says(bench, "inactive")
    bench.clock.forward(5)
    await tidy.reconcile(KEY)
    await operator.look()
    assert bench.reason == "UserInactive"


async def test_zoom_is_asked_once_however_often_the_status_changes(bench: Bench) -> None:
    _, tidy = await removed(bench)
    asked = zoom_says(bench, "inactive")
    for _ in range(5):
        await tidy.reconcile(KEY)
    assert len(asked) == 1


async def test_a_confirmed_removal_outlasts_a_restart_and_a_forged_one_does_not(bench: Bench) -> None:
    operator, tidy = await removed(bench)
    zoom_says(bench, "inactive")
    await tidy.reconcile(KEY)
    await operator.look()
    second = bench.operator()
    await second.look()
    assert bench.reason == "UserInactive", "trusted until Zoom is asked again"
    zoom_says(bench, "active")
    await tidying(second).reconcile(KEY)
    await second.look()
    assert bench.ready


async def test_a_second_report_of_a_removed_user_does_not_make_it_ready(bench: Bench) -> None:
    """Zoom sends one event when a user is deactivated, and another when the user is deleted."""
    operator, tidy = await removed(bench)
    asked = zoom_says(bench, "inactive")
    await tidy.reconcile(KEY)
    await operator.look()
    bench.clock.forward(30)
    say(bench, operator, userRemoval={"time": format_time(bench.clock.now), "kind": "Deleted"})
    await operator.look()
    assert bench.reason == "UserInactive"
    assert len(asked) == 1
    await tidy.reconcile(KEY)
    assert len(asked) == 2, "each report is checked"


async def test_zoom_away_after_a_restart_does_not_make_a_removed_user_ready(bench: Bench) -> None:
    operator, tidy = await removed(bench)
    zoom_says(bench, "inactive")
    await tidy.reconcile(KEY)
    await operator.look()
    second = bench.operator()
    say(bench, second)

    async def away(_: str) -> httpx.Response:
        return httpx.Response(503)

    bench.zoom.before = away
    await tidying(second).reconcile(KEY)
    await second.look()
    assert bench.reason == "UserInactive", "the sweep came before the credential's own reconciliation"


async def test_a_rejected_token_of_a_removed_user_is_invalidated(bench: Bench) -> None:
    operator, tidy = await removed(bench)
    zoom_says(bench, "inactive")
    await tidy.reconcile(KEY)
    bench.zoom.before = None
    bench.zoom.revoke_access()
    bench.zoom.users.clear()
    bench.clock.forward(60)
    assert await tidy.reconcile(KEY) == 60
    await operator.look()
    assert not bench.ready


async def test_the_sweep_removes_expired_mappings(bench: Bench) -> None:
    _, tidy = await seen(bench)
    day = timedelta(days=1)
    put(bench, "81111111111", phase="Deleted", ago=day)
    put(bench, "82222222222", phase="Deleted", ago=day - timedelta(seconds=2))
    put(bench, "83333333333", phase="Ended", uuid="a", eventTimes={"live": milliseconds(START - day)})
    put(
        bench, "84444444444", phase="Live", uuid="a", eventTimes={"live": milliseconds(START - 2 * day), "existence": 1}
    )
    put(bench, "85555555555", phase="Live", uuid="a", eventTimes={"live": milliseconds(START - day)})
    await tidy.reconcile(SWEEP)
    assert [entries(bench, f"8{digit * 10}") for digit in "12345"] == [None, ["alice"], None, ["alice"], ["alice"]]
    ended = bench.kube.peek(MAPPINGS, namespace="team", name="84444444444")
    assert ended is not None
    assert ended["status"]["phase"] == "Ended"


async def test_the_sweep_finds_the_entries_of_credentials_that_went_unseen(bench: Bench) -> None:
    _, tidy = await seen(bench)
    put(bench, "81111111111", entry("long-gone"))
    put(bench, "82222222222", entry("long-gone"), entry())
    await tidy.reconcile(SWEEP)
    assert entries(bench, "81111111111") is None
    assert entries(bench, "82222222222") == ["alice"]
    asked = [call.name for call in bench.kube.calls if (call.moment, call.verb) == ("before", "get")]
    assert asked.count("long-gone") == 1, "asked once for all mappings"


async def test_a_sweep_that_kubernetes_breaks_off_is_made_again(bench: Bench) -> None:
    _, tidy = await seen(bench)
    put(bench, phase="Deleted", ago=timedelta(days=1))

    async def refuse(call: Call) -> None:
        if call.verb == "list":
            raise UnavailableError("away", status=503)

    bench.kube.hook = refuse
    with pytest.raises(UnavailableError):
        await tidy.reconcile(SWEEP)
    assert entries(bench) == ["alice"]


async def test_a_mapping_that_cannot_be_read_is_left_alone(bench: Bench) -> None:
    _, tidy = await seen(bench)
    bench.kube.put(
        MAPPINGS,
        {"metadata": {"name": MEETING, "namespace": "team"}, "spec": {"meetingId": 5}, "status": {"phase": "Odd"}},
    )
    await tidy.reconcile(SWEEP)
    assert bench.kube.peek(MAPPINGS, namespace="team", name=MEETING) is not None


async def test_small_installations_are_swept_often_and_large_ones_hourly(bench: Bench) -> None:
    _, tidy = await seen(bench)
    assert await tidy.reconcile(SWEEP) == pytest.approx(300)
    for number in range(20_000):
        name = f"8{number:010d}"
        bench.kube.put(MAPPINGS, {"metadata": {"name": name, "namespace": "team"}, "spec": {"meetingId": name}})
    assert await tidy.reconcile(SWEEP) == pytest.approx(720)


# Meetings of which nothing was heard for a month.


@contextmanager
def zoom_knows(bench: Bench, answer: httpx.Response) -> Iterator[list[str]]:
    asked: list[str] = []

    async def meeting(path: str) -> httpx.Response | None:
        if not path.startswith("/v2/meetings/"):
            return None
        asked.append(path)
        return answer

    bench.zoom.before = meeting
    yield asked
    bench.zoom.before = None


NO_MEETING = httpx.Response(404, json={"code": 3001, "message": "Meeting does not exist."})
A_MEETING = httpx.Response(200, json={"id": int(MEETING), "host_id": "u-alice", "type": 2})
MONTH = timedelta(days=31)


async def test_an_idle_meeting_that_zoom_has_forgotten_goes(bench: Bench) -> None:
    _, tidy = await seen(bench)
    put(bench, ago=MONTH)
    with zoom_knows(bench, NO_MEETING) as asked:
        await tidy.reconcile(SWEEP)
    assert asked == [f"/v2/meetings/{MEETING}"]
    assert entries(bench) is None


async def test_an_idle_meeting_that_is_still_there_is_asked_for_once_a_month(bench: Bench) -> None:
    _, tidy = await seen(bench)
    put(bench, ago=MONTH)
    with zoom_knows(bench, A_MEETING) as asked:
        await tidy.reconcile(SWEEP)
        await tidy.reconcile(SWEEP)
    assert len(asked) == 1
    assert entries(bench) == ["alice"]


async def test_an_access_token_that_zoom_rejects_is_renewed_and_the_question_repeated(bench: Bench) -> None:
    operator, tidy = await seen(bench)
    put(bench, ago=MONTH)
    rejected = bench.state.tokens
    assert rejected is not None
    with zoom_knows(bench, httpx.Response(401, json={"code": 124, "message": "Invalid access token."})):
        await tidy.reconcile(SWEEP)
    assert entries(bench) == ["alice"]
    bench.clock.forward(10)
    await operator.look()
    renewed = bench.state.tokens
    assert renewed is not None
    assert renewed.access_token != rejected.access_token
    with zoom_knows(bench, NO_MEETING):
        await tidy.reconcile(SWEEP)
    assert entries(bench) is None


async def test_what_a_sync_reads_is_not_asked_for(bench: Bench) -> None:
    bench.put_credential(meetingSync={"enabled": True})
    _, tidy = await seen(bench)
    put(bench, MEETING, entry(source="Sync"), ago=MONTH)
    with zoom_knows(bench, NO_MEETING) as asked:
        await tidy.reconcile(SWEEP)
    assert asked == []
    assert entries(bench) == ["alice"]


async def read_at(bench: Bench, after: timedelta) -> MappingSweeper:
    """An operator that read alice's meetings so long after the tests' beginning."""
    bench.put_credential(meetingSync={"enabled": True})
    bench.clock.forward(after.total_seconds())
    operator = bench.operator()
    await operator.look()
    return tidying(operator)


async def test_zoom_is_asked_about_a_future_meeting_that_the_list_lacks(bench: Bench) -> None:
    tidy = await read_at(bench, timedelta(hours=2))
    put(bench, startTime=format_time(START + timedelta(days=5)))
    with zoom_knows(bench, A_MEETING) as asked:
        await tidy.reconcile(SWEEP)
        await tidy.reconcile(SWEEP)
    assert (len(asked), entries(bench)) == (1, ["alice"])
    put(bench, startTime=format_time(START + timedelta(days=5)))
    with zoom_knows(bench, NO_MEETING):
        await tidy.reconcile(SWEEP)
    assert entries(bench) is None


async def test_a_meeting_that_is_newer_than_the_list_is_not_asked_for(bench: Bench) -> None:
    tidy = await read_at(bench, timedelta(minutes=30))
    put(bench, startTime=format_time(START + timedelta(days=5)))
    with zoom_knows(bench, NO_MEETING) as asked:
        await tidy.reconcile(SWEEP)
    assert (asked, entries(bench)) == ([], ["alice"])


async def test_a_past_meeting_that_the_list_does_not_have_goes_unasked(bench: Bench) -> None:
    tidy = await read_at(bench, timedelta(hours=30))
    put(bench, startTime=format_time(START + timedelta(hours=1)))
    with zoom_knows(bench, A_MEETING) as asked:
        await tidy.reconcile(SWEEP)
    assert (asked, entries(bench)) == ([], None)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(502, text="<html>bad gateway</html>"),
        httpx.Response(429, json={"code": 429, "message": "too many"}),
        httpx.Response(400, json={"code": 200, "message": "No permission."}),
    ],
    ids=["away", "limited", "no permission"],
)
async def test_no_answer_is_no_reason_to_forget(bench: Bench, answer: httpx.Response) -> None:
    _, tidy = await seen(bench)
    put(bench, ago=MONTH)
    with zoom_knows(bench, answer):
        await tidy.reconcile(SWEEP)
    assert entries(bench) == ["alice"]


async def test_zoom_is_asked_a_few_times_only_in_each_sweep(bench: Bench) -> None:
    _, tidy = await seen(bench)
    for number in range(150):
        put(bench, f"8{number:010d}", ago=MONTH)
    with zoom_knows(bench, A_MEETING) as asked:
        await tidy.reconcile(SWEEP)
    assert len(asked) == 100


class RecordingSessions:
    """Sessions of credentials that have no token; records which credentials were asked."""

    def __init__(self) -> None:
        self.asked: list[Key] = []

    async def session(self, key: Key) -> ZoomSession:
        self.asked.append(key)
        raise NoAccessTokenError(NotReady(reason=CredentialReason.ZOOM_UNAVAILABLE, message="no token"))


async def test_a_namespace_with_many_doubtful_meetings_leaves_questions_for_others(bench: Bench) -> None:
    operator, _ = await seen(bench)
    for namespace in ("a-hostile", "z-other", "team"):
        item = {**(bench.kube.peek(CREDENTIALS, namespace="team", name="alice") or {})}
        item["metadata"] = {**item["metadata"], "namespace": namespace, "uid": f"uid-{namespace}"}
        operator.services.caches.credentials.put(bench.kube.put(CREDENTIALS, item))
        for number in range(300 if namespace == "a-hostile" else 1):
            put(bench, f"8{number:010d}", ago=timedelta(days=40))
            mapping = bench.kube.peek(MAPPINGS, namespace="team", name=f"8{number:010d}")
            assert mapping is not None
            bench.kube.remove(MAPPINGS, namespace="team", name=f"8{number:010d}")
            bench.kube.put(MAPPINGS, {**mapping, "metadata": {**mapping["metadata"], "namespace": namespace}})
    sessions = RecordingSessions()
    await sweeper_of(operator.services, sessions=cast("ZoomSessions", sessions)).reconcile(SWEEP)
    assert len(sessions.asked) == 100
    assert {key.namespace for key in sessions.asked} == {"a-hostile", "team", "z-other"}
