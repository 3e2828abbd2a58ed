from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from meetingbots.mappings.decide.ownership import Concern, KnownCredential, NamedUsers, concern_of
from meetingbots.models.credential import Level


def known(name: str, user: str, *, level: Level = Level.USER, pmi: str = "", **more: Any) -> KnownCredential:
    return KnownCredential(
        namespace="team",
        name=name,
        uid=f"uid-{name}",
        app="zoom-app",
        level=level,
        user_id=user,
        account_id="A1",
        pmi=pmi,
        **more,
    )


PEOPLE = [
    known("bob", "U2", pmi="2222222222"),
    known("alice", "U1", pmi="1111111111"),
    known("alice-too", "U1"),
    known("nobody", ""),
]
ACCOUNT = known("all", "U9", level=Level.ACCOUNT)


def about(people: list[KnownCredential], *, event_ts: int = 5, **who: Any) -> Concern | None:
    return concern_of(people, namespace="team", app="zoom-app", named=NamedUsers(**who), event_ts=event_ts)


def claimed(people: list[KnownCredential], **who: Any) -> bool:
    found = about(people, **who)
    return found is not None and found.claims


def test_the_hosts_credentials() -> None:
    found = about(PEOPLE, host_id="U1")
    assert found is not None
    assert found.hosts == ("alice", "alice-too")
    assert found.scope == {"alice", "alice-too", "bob", "nobody"}
    assert found.personal_ids == {"1111111111"}
    assert found.uids == {"alice": "uid-alice", "alice-too": "uid-alice-too"}


def test_a_strangers_meeting_is_nobodys() -> None:
    assert not claimed(PEOPLE, host_id="U3")
    assert not claimed(PEOPLE, host_id="U3", operator_id="U1")
    assert not claimed(PEOPLE, host_id="U3", participant_id="U1")
    assert not claimed(PEOPLE)
    assert not claimed([ACCOUNT])
    assert about([], host_id="U1") is None


def test_account_credentials_follow_the_host_and_act_for_other_hosts() -> None:
    found = about([ACCOUNT, *PEOPLE], host_id="U1")
    assert found is not None
    assert found.hosts == ("alice", "alice-too", "all")
    stranger = about([ACCOUNT, *PEOPLE], host_id="U3")
    assert stranger is not None
    assert stranger.hosts == ("all",)


def test_the_operator_beside_the_host() -> None:
    found = about(PEOPLE, host_id="U1", operator_id="U2")
    assert found is not None
    assert found.operators == ("bob",)
    same = about(PEOPLE, host_id="U1", operator_id="U1")
    assert same is not None
    assert same.operators == ()


def test_the_former_host_is_affected() -> None:
    found = about(PEOPLE, host_id="U3", former_host_id="U1")
    assert found is not None
    assert found.hosts == ()
    assert found.uids.keys() == {"alice", "alice-too"}


def test_an_empty_id_is_nobodys() -> None:
    assert not claimed(PEOPLE, host_id="")
    assert not claimed(PEOPLE, host_id="", participant_id="")


def test_alternative_hosts_by_their_address() -> None:
    people = [known("alice", "U1", email="alice@x.test"), known("bob", "U2", email="bob@x.test"), *PEOPLE[2:]]
    found = about(people, host_id="U1", operator_id="U2", alternative_hosts=("bob@x.test", "alice@x.test"))
    assert found is not None
    assert (found.hosts, found.alternatives) == (("alice", "alice-too"), ("bob",))
    stranger = about(people, host_id="U3", alternative_hosts=("bob@x.test",))
    assert stranger is not None
    assert (stranger.claims, stranger.hosts, stranger.alternatives) == (True, (), ("bob",))
    assert stranger.uids == {"bob": "uid-bob"}
    assert "bob@x.test" not in repr(people)
    assert not claimed([known("no-address", "U5")], host_id="U3", alternative_hosts=("",))


def test_the_participants_own_credentials() -> None:
    found = about([*PEOPLE, ACCOUNT], host_id="U2", participant_id="U1")
    assert found is not None
    assert found.present == ("alice", "alice-too")


def test_nothing_from_before_a_good_bye_is_theirs() -> None:
    gone = known("alice", "U1", removed=datetime(1970, 1, 1, 0, 0, 10, tzinfo=UTC))
    assert not claimed([gone], host_id="U1", event_ts=10_999)
    assert claimed([gone], host_id="U1", event_ts=11_000)
    reported = known("alice", "U1", deauthorized=gone.removed)
    assert claimed([reported], host_id="U1", event_ts=9_000), "only Zoom's refusal ends a consent"
