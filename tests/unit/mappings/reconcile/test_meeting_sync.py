from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
from meetingbots.credentials.sessions.access_tokens import AccessToken, AccessTokens
from meetingbots.kube.errors import UnavailableError
from meetingbots.kube.resources import MAPPINGS
from meetingbots.mappings.reconcile.meeting_sync import MeetingSyncRun, SyncResult
from meetingbots.models.credential import SyncProgress, ZoomCredential
from meetingbots.runtime.context import ObjectCaches, OperatorContext, Queues
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.object_cache import Key
from meetingbots.runtime.settings import OperatorSettings
from meetingbots.zoom.api import ZoomAPI
from meetingbots.zoom.errors import TransientError, ZoomError
from meetingbots.zoom.http.exchange import new_http_client
from pydantic import SecretStr

from tests.unit.fake_kube import Call, FakeKube
from tests.unit.mappings.reconcile.mapping_harness import sessions_of, writer_of

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PMI = "1234567890"
PAGE = 300


@dataclass
class Zoom:
    """One user's meetings, in pages. `broken` names the page (from 0) that fails, and how; each time once.

    `account` are the other users with theirs; `gone` are users who are listed and not there any more. `hosts` are the
    hosts of meetings that Zoom finds by ID, `asked` the IDs of such questions.
    """

    meetings: list[str] = field(default_factory=list)
    account: dict[str, list[str]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    refusals: dict[str, httpx.Response] = field(default_factory=dict)
    webinars: dict[str, list[str] | httpx.Response] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    pmi: str = PMI
    broken: dict[int, httpx.Response] = field(default_factory=dict)
    lists: int = 0
    hosts: dict[str, str | httpx.Response] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/users"):
            return self._users()
        if "/v2/meetings/" in request.url.path:
            return self._meeting(request.url.path.rpartition("/")[2])
        user = request.url.path.split("/")[3]
        if request.url.path.endswith("/webinars"):
            return self._webinars(user)
        if request.url.path.endswith("/meetings") and user not in ("me", "U1"):
            return self._others(user)
        if request.url.path.endswith("/meetings"):
            return self._page(int(request.url.params.get("next_page_token", "0")))
        return httpx.Response(
            200, json={"id": "U1", "account_id": "A1", "email": "a@example.com", "pmi": int(self.pmi)}
        )

    def _users(self) -> httpx.Response:
        rows = [{"id": user, "status": "active", "pmi": 2000000000 + n} for n, user in enumerate(self.account)]
        owner = {"id": "U1", "status": "active", "pmi": int(self.pmi)}
        return httpx.Response(200, json={"users": [owner, *rows], "next_page_token": ""})

    def _webinars(self, user: str) -> httpx.Response:
        listed = self.webinars.get(user, [])
        if isinstance(listed, httpx.Response):
            return listed
        rows = [{"id": int(name), "host_id": "U1" if user == "me" else user, "type": 5} for name in listed]
        return httpx.Response(200, json={"next_page_token": "", "webinars": rows})

    def _others(self, user: str) -> httpx.Response:
        if user in self.refusals:
            return self.refusals[user]
        if user in self.gone:
            return httpx.Response(404, json={"code": 1001, "message": f"User does not exist: {user}."})
        rows = [{"id": int(name), "host_id": user} for name in self.account[user]]
        return httpx.Response(200, json={"next_page_token": "", "meetings": rows})

    def _meeting(self, name: str) -> httpx.Response:
        self.asked.append(name)
        host = self.hosts.get(name)
        if host is None:
            return httpx.Response(404, json={"code": 3001, "message": f"Meeting does not exist: {name}."})
        if isinstance(host, httpx.Response):
            return host
        return httpx.Response(200, json={"id": int(name), "host_id": host, "type": 2, "status": "waiting"})

    def _page(self, number: int) -> httpx.Response:
        self.lists += number == 0
        if number in self.broken:
            return self.broken.pop(number)
        rows = [(name, "U1") for name in self.meetings] + [(name, "U2") for name in self.others]
        part = rows[number * PAGE : (number + 1) * PAGE]
        more = len(rows) > (number + 1) * PAGE
        return httpx.Response(
            200,
            json={
                "next_page_token": str(number + 1) if more else "",
                "meetings": [{"id": int(name), "host_id": host, "topic": "confidential"} for name, host in part],
            },
        )


@dataclass
class Tokens:
    """Always the same access token."""

    access: AccessToken
    refused: list[str]

    async def get(self, _: Key) -> AccessToken:
        return self.access

    def invalidate(self, _: Key, access: AccessToken) -> None:
        self.refused.append(access.user_id)


@dataclass
class Ground:
    """A namespace, a user at Zoom, and a credential of that user."""

    kube: FakeKube
    zoom: Zoom
    credential: ZoomCredential
    progress: list[SyncProgress] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def sync(self, *, after: timedelta = timedelta(0)) -> SyncResult:
        now = START + after
        async with new_http_client(timeout=5, user_agent="tests", transport=httpx.MockTransport(self.zoom)) as http:
            api = ZoomAPI(http)
            services = OperatorContext(
                kube=self.kube,
                oauth=cast("Any", None),
                api=api,
                settings=OperatorSettings(),
                clock=lambda: now + timedelta(seconds=3),
                recorder=cast("Any", None),
                metrics=Metrics(),
                instance="tests",
                queues=cast("Queues", None),
                caches=ObjectCaches(),
                api_at=lambda _: api,
            )
            access = AccessToken(
                token=SecretStr("access"),
                expires_at=now + timedelta(hours=1),
                api_url="",
                user_id="U1",
                account_id="A1",
                rate_account="A1",
            )
            tokens = Tokens(access, self.refused)

            async def progress(made: SyncProgress) -> None:
                self.progress.append(made)

            sync = MeetingSyncRun(
                kube=services.kube,
                writer=writer_of(services),
                credentials=services.caches.credentials,
                open_session=sessions_of(services, cast("AccessTokens", tokens)).session,
            )
            return await sync.run(self.credential, start=now, progress=progress)

    def mapping(self, name: str) -> dict[str, Any] | None:
        return self.kube.peek(MAPPINGS, namespace="team", name=name)

    def entries(self, name: str) -> list[dict[str, str]]:
        item = self.mapping(name)
        assert item is not None
        entries: list[dict[str, str]] = item["status"].get("credentials", [])
        return entries

    def counted(self) -> Counted:
        return Counted(self.kube)


class Counted:
    """The writes since it was made."""

    def __init__(self, kube: FakeKube) -> None:
        self._kube = kube
        self._before = dict(self._now())

    def _now(self) -> Iterator[tuple[str, int]]:
        for verb in ("create", "patch", "delete", "get", "list"):
            yield verb, self._kube.count(verb, MAPPINGS)

    @property
    def made(self) -> dict[str, int]:
        return {verb: count - self._before[verb] for verb, count in self._now() if count != self._before[verb]}


ADMIN = ("meeting:read:list_meetings:admin", "user:read:list_users:admin", "user:read:user:admin")


def credential(name: str = "alice", *, level: str = "User", scopes: tuple[str, ...] = ADMIN) -> ZoomCredential:
    return ZoomCredential.from_object(
        {
            "metadata": {"name": name, "namespace": "team", "uid": f"uid-{name}"},
            "spec": {
                "appSecretRef": {"name": "zoom-app"},
                "level": level,
                "grant": {"refreshToken": {"secretKeyRef": {"name": name, "key": "refresh_token"}}},
            },
            "status": {"grantedScopes": list(scopes)},
        }
    )


def ids(numbers: Iterable[int]) -> list[str]:
    return [f"8{number:010d}" for number in numbers]


@pytest.fixture
def ground() -> Ground:
    return Ground(kube=FakeKube(), zoom=Zoom(), credential=credential())


def entry(source: str, name: str = "alice") -> dict[str, str]:
    return {"name": name, "role": "Host", "source": source}


async def test_meetings_and_personal_id_are_mapped(ground: Ground) -> None:
    ground.zoom.meetings = ids(range(2))
    result = await ground.sync()
    assert (result.count, result.user.pmi, result.written, result.removed) == (3, PMI, 3, 0)
    assert ground.entries(ids([0])[0]) == [entry("Sync")]
    assert ground.entries(PMI) == [entry("PMI")]
    assert "confidential" not in str(ground.mapping(ids([0])[0]))


async def test_others_meetings_in_the_list_are_not_ours(ground: Ground) -> None:
    ground.zoom.others = ids([5])
    await ground.sync()
    assert ground.mapping(ids([5])[0]) is None


async def test_a_large_list_costs_one_write_for_each_difference(ground: Ground) -> None:
    ground.zoom.meetings = ids(range(700))
    assert (await ground.sync()).count == 701
    counted = ground.counted()
    assert (await ground.sync(after=timedelta(days=1))).written == 0
    assert counted.made == {"list": 1}

    ground.zoom.meetings = ids([*range(2, 700), 900])
    counted = ground.counted()
    result = await ground.sync(after=timedelta(days=2))
    assert (result.written, result.removed) == (1, 2)
    assert counted.made == {"list": 1, "create": 1, "get": 2, "delete": 2}
    assert ground.mapping(ids([0])[0]) is None
    assert ground.mapping(ids([900])[0]) is not None


async def test_a_list_that_breaks_off_changes_nothing(ground: Ground) -> None:
    ground.zoom.meetings = ids(range(400))
    await ground.sync()
    ground.zoom.meetings = ids([*range(1, 400), 900])
    ground.zoom.broken = {1: httpx.Response(502, text="<html>bad gateway</html>")}
    counted = ground.counted()
    with pytest.raises(TransientError):
        await ground.sync(after=timedelta(days=1))
    assert counted.made == {}


async def test_a_page_token_that_ran_out_begins_the_list_again(ground: Ground) -> None:
    ground.zoom.meetings = ids(range(301))
    ground.zoom.broken = {
        1: httpx.Response(400, json={"code": 300, "message": "The next page token is invalid or expired."})
    }
    result = await ground.sync()
    assert (result.count, ground.zoom.lists) == (302, 2)


async def test_nothing_is_removed_when_kubernetes_refuses_an_addition(ground: Ground) -> None:
    ground.zoom.meetings = ids([1])
    await ground.sync()

    async def refuse(call: Call) -> None:
        if call.verb == "create":
            raise UnavailableError("away", status=503)

    ground.kube.hook = refuse
    ground.zoom.meetings = ids([2])
    with pytest.raises(UnavailableError):
        await ground.sync(after=timedelta(days=1))
    assert ground.mapping(ids([1])[0]) is not None


async def test_another_credentials_mappings_are_left_alone(ground: Ground) -> None:
    ground.zoom.meetings = ids([1])
    await ground.sync()
    ground.credential = credential("bob")
    ground.zoom.meetings = []
    ground.zoom.pmi = "2223334445"
    await ground.sync(after=timedelta(days=1))
    assert ground.entries(ids([1])[0]) == [entry("Sync")]


async def test_two_credentials_of_one_user_share_a_mapping(ground: Ground) -> None:
    ground.zoom.meetings = ids([1])
    await ground.sync()
    ground.credential = credential("bob")
    await ground.sync(after=timedelta(minutes=1))
    assert ground.entries(ids([1])[0]) == [entry("Sync"), entry("Sync", "bob")]
    ground.zoom.meetings = []
    await ground.sync(after=timedelta(minutes=2))
    assert ground.entries(ids([1])[0]) == [entry("Sync")]


async def test_what_is_added_by_hand_is_found_again(ground: Ground) -> None:
    (name,) = ids([1])
    ground.kube.put(
        MAPPINGS,
        {
            "metadata": {"name": name, "namespace": "team"},
            "spec": {"meetingId": name, "credentials": [{"name": "dora"}]},
        },
    )
    ground.zoom.meetings = [name]
    await ground.sync()
    assert ground.entries(name) == [entry("Sync")]
    ground.zoom.meetings = []
    await ground.sync(after=timedelta(days=1))
    assert ground.entries(name) == []


async def test_a_changed_personal_id_leaves_the_old_one(ground: Ground) -> None:
    await ground.sync()
    ground.zoom.pmi = "2223334445"
    result = await ground.sync(after=timedelta(days=1))
    assert result.user.pmi == "2223334445"
    assert ground.mapping(PMI) is None
    assert ground.entries("2223334445") == [entry("PMI")]


async def test_tombstones_and_ended_instant_meetings_go_after_a_day(ground: Ground) -> None:
    tombstone, instant = ids([1, 2])
    for name, status in (
        (tombstone, {"phase": "Deleted", "eventTimes": {"existence": milliseconds(START)}}),
        (instant, {"phase": "Ended", "uuid": "a", "eventTimes": {"live": milliseconds(START)}}),
    ):
        ground.kube.put(
            MAPPINGS,
            {
                "metadata": {
                    "name": name,
                    "namespace": "team",
                    "labels": {"credential.meetingbots.dev/alice": ""},
                },
                "spec": {"meetingId": name},
                "status": {"credentials": [entry("Webhook")], **status},
            },
        )
    assert (await ground.sync(after=timedelta(hours=23))).removed == 0
    assert (await ground.sync(after=timedelta(hours=24))).removed == 2
    assert ground.mapping(tombstone) is None
    assert ground.mapping(instant) is None


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


# Level Account.


@pytest.fixture
def account(ground: Ground) -> Ground:
    ground.credential = credential("all", level="Account")
    ground.zoom.meetings = ids([1])
    ground.zoom.account = {"U2": ids([2, 3]), "U3": [], "U4": ids([4])}
    return ground


async def test_an_account_is_walked_user_by_user(account: Ground) -> None:
    result = await account.sync()
    assert (result.count, result.written, result.user.pmi) == (8, 8, PMI)
    for name in ids([1, 2, 3, 4]):
        assert account.entries(name) == [entry("Sync", "all")]
    assert account.entries("2000000001") == [entry("PMI", "all")]
    shown = [(one.users_done, one.users_total) for one in account.progress]
    assert shown[0] == (0, 4)
    assert shown[-1] == (4, 4)
    assert account.progress[-1].meetings_read == 8
    assert {one.start_time for one in account.progress} == {START}


async def test_a_user_who_leaves_meanwhile_is_passed_over_and_unmapped(account: Ground) -> None:
    await account.sync()
    account.zoom.gone = {"U2"}
    result = await account.sync(after=timedelta(days=1))
    assert (result.count, result.removed) == (5, 3)
    assert account.mapping(ids([2])[0]) is None
    assert account.zoom.asked == []


def refusal(code: int, message: str, *, status: int = 400) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "message": message})


@pytest.mark.parametrize(
    "answer",
    [
        refusal(3161, "Your user account is not allowed meeting hosting and scheduling capabilities."),
        refusal(200, "No permission."),
        refusal(1001, "User does not exist: U2.", status=404),
        refusal(200, "The user is deactivated and the user account is locked"),
        refusal(99999, "A rule that nobody has heard of."),
        refusal(99999, "A rule that nobody has heard of.", status=403),
        refusal(99999, "A rule that nobody has heard of.", status=422),
    ],
)
async def test_a_user_whom_zoom_refuses_to_list_is_skipped_and_named(account: Ground, answer: httpx.Response) -> None:
    account.zoom.refusals["U2"] = answer
    result = await account.sync()
    assert result.skipped == ("U2",)
    assert account.mapping(ids([2])[0]) is None
    assert account.entries(ids([1])[0]) == account.entries(ids([4])[0]) == [entry("Sync", "all")]


@pytest.mark.parametrize("answer", [refusal(3161, "Not allowed."), refusal(99999, "?", status=403)])
async def test_a_refused_list_drops_no_entry_of_that_user(account: Ground, answer: httpx.Response) -> None:
    kept, cancelled, moved = ids([2, 3, 4])
    account.zoom.account = {"U2": [kept, cancelled], "U4": [moved]}
    await account.sync()
    account.zoom.refusals["U2"], account.zoom.account["U4"] = answer, []
    account.zoom.hosts = {kept: "U2", moved: "U4", "2000000000": "U2"}
    result = await account.sync(after=timedelta(days=1))
    assert (result.skipped, result.removed) == (("U2",), 2)
    assert account.entries(kept) == [entry("Sync", "all")]
    assert account.entries("2000000000") == [entry("PMI", "all")]
    assert account.mapping(cancelled) is None
    assert account.mapping(moved) is None
    assert sorted(account.zoom.asked) == sorted(["2000000000", kept, cancelled, moved])


@pytest.mark.parametrize("answer", [refusal(200, "No permission."), refusal(9, "?", status=502)])
async def test_an_unclear_answer_about_a_meeting_drops_no_entry(account: Ground, answer: httpx.Response) -> None:
    (kept,) = ids([2])
    account.zoom.account = {"U2": [kept], "U4": []}
    await account.sync()
    account.zoom.refusals["U2"] = refusal(3161, "Not allowed.")
    account.zoom.hosts = {kept: answer, "2000000000": "U2"}
    assert (await account.sync(after=timedelta(days=1))).removed == 0
    assert kept in account.zoom.asked
    assert account.entries(kept) == [entry("Sync", "all")]


async def test_a_sync_asks_about_a_hundred_meetings_and_the_next_one_about_the_others(account: Ground) -> None:
    account.zoom.account = {"U2": ids(range(100, 219)), "U4": []}
    await account.sync()
    account.zoom.refusals["U2"] = refusal(3161, "Not allowed.")
    assert (await account.sync(after=timedelta(days=1))).removed == 100
    assert len(account.zoom.asked) == 100
    assert (await account.sync(after=timedelta(days=1))).removed == 20


async def test_the_sync_fails_when_zoom_refuses_every_list(account: Ground) -> None:
    account.zoom.refusals = {user: refusal(200, "No permission.") for user in ("U2", "U3", "U4")}
    account.zoom.broken = {0: refusal(200, "No permission.")}
    with pytest.raises(ZoomError):
        await account.sync()


async def test_refused_webinars_drop_no_webinar(ground: Ground) -> None:
    ground.credential = credential(scopes=(*ADMIN, "webinar:read"))
    ground.zoom.webinars = {"me": ids([2])}
    await ground.sync()
    ground.zoom.webinars, ground.zoom.hosts = {"me": refusal(200, "Webinar plan is missing.")}, {ids([2])[0]: "U1"}
    assert (await ground.sync(after=timedelta(days=1))).removed == 0
    assert ground.entries(ids([2])[0]) == [entry("Sync")]


@pytest.mark.parametrize(
    "answer",
    [
        refusal(4711, "Invalid access token, does not contain scopes:[a:b]."),
        refusal(9, "?", status=502),
        refusal(9, "?", status=408),
        refusal(9, "?", status=425),
    ],
)
async def test_other_refusals_end_the_sync(account: Ground, answer: httpx.Response) -> None:
    account.zoom.refusals["U2"] = answer
    with pytest.raises(ZoomError):
        await account.sync()


async def test_webinars_are_mapped_where_the_scope_allows(ground: Ground) -> None:
    ground.zoom.meetings, ground.zoom.webinars = ids([1]), {"me": ids([2])}
    await ground.sync()
    assert ground.mapping(ids([2])[0]) is None
    ground.credential = credential(scopes=(*ADMIN, "webinar:read:list_webinars"))
    assert (await ground.sync(after=timedelta(days=1))).count == 3
    assert ground.entries(ids([2])[0]) == [entry("Sync")]


async def test_webinars_of_all_users_of_an_account(account: Ground) -> None:
    account.credential = credential("all", level="Account", scopes=(*ADMIN, "webinar:read:admin"))
    account.zoom.webinars = {"U2": ids([7]), "U4": refusal(200, "Webinar plan is missing.")}
    result = await account.sync()
    assert (result.count, result.skipped) == (9, ())
    assert account.entries(ids([7])[0]) == account.entries(ids([4])[0]) == [entry("Sync", "all")]


async def test_a_webinar_list_that_breaks_off_removes_nothing(ground: Ground) -> None:
    ground.credential = credential(scopes=(*ADMIN, "webinar:read"))
    ground.zoom.webinars = {"me": ids([2])}
    await ground.sync()
    ground.zoom.webinars = {"me": httpx.Response(502, text="<html>")}
    with pytest.raises(TransientError):
        await ground.sync(after=timedelta(days=1))
    assert ground.entries(ids([2])[0]) == [entry("Sync")]


async def test_level_account_without_an_admin_scope_reads_the_own_meetings_only(account: Ground) -> None:
    account.credential = credential("all", level="Account", scopes=("meeting:read", "user:read"))
    await account.sync()
    assert account.entries(ids([1])[0]) == [entry("Sync", "all")]
    assert account.mapping(ids([2])[0]) is None


async def test_a_walk_that_breaks_off_removes_nothing(account: Ground) -> None:
    await account.sync()
    account.zoom.account["U2"] = []
    account.zoom.broken = {0: httpx.Response(502, text="<html>bad gateway</html>")}
    counted = account.counted()
    with pytest.raises(TransientError):
        await account.sync(after=timedelta(days=1))
    assert counted.made == {}


async def test_a_token_that_runs_out_on_the_way_is_replaced(account: Ground) -> None:
    account.zoom.broken = {0: httpx.Response(401, json={"code": 124, "message": "Access token is expired."})}
    assert (await account.sync()).count == 8
    assert account.refused == ["U1"]


async def test_the_hosts_own_credential_shares_the_mapping_with_the_accounts(account: Ground) -> None:
    await account.sync()
    account.credential = credential()
    await account.sync(after=timedelta(minutes=1))
    assert account.entries(ids([1])[0]) == [entry("Sync"), entry("Sync", "all")]


async def test_a_series_has_one_mapping_with_the_time_of_its_next_occurrence(ground: Ground) -> None:
    (name,) = ids([7])
    days = ("2026-12-09", "2026-12-02", "2026-12-16")

    def rows(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/meetings"):
            return Zoom()(request)
        meetings = [{"id": int(name), "host_id": "U1", "type": 8, "start_time": f"{day}T09:00:00Z"} for day in days]
        return httpx.Response(200, json={"next_page_token": "", "meetings": meetings})

    ground.zoom = rows  # type: ignore[assignment]
    assert (await ground.sync()).count == 2
    item = ground.mapping(name)
    assert item is not None
    assert item["status"]["startTime"] == "2026-12-02T09:00:00Z"
