from __future__ import annotations

from typing import Any

from meetingbots.decide.ownership import Concern, KnownCredential, concern
from meetingbots.models.credential import Level


def known(name: str, user: str, *, level: Level = Level.USER, pmi: str = "") -> KnownCredential:
    return KnownCredential(
        namespace="team",
        name=name,
        uid=f"uid-{name}",
        app="zoom-app",
        level=level,
        user_id=user,
        account_id="A1",
        pmi=pmi,
    )


PEOPLE = [
    known("bob", "U2", pmi="2222222222"),
    known("alice", "U1", pmi="1111111111"),
    known("alice-too", "U1"),
    known("nobody", ""),
]
ACCOUNT = known("all", "U9", level=Level.ACCOUNT)


def about(people: list[KnownCredential], **who: Any) -> Concern | None:
    return concern(people, namespace="team", **({"host_id": None} | who))


def test_the_hosts_credentials() -> None:
    found = about(PEOPLE, host_id="U1")
    assert found is not None
    assert found.hosts == ("alice", "alice-too")
    assert found.scope == {"alice", "alice-too", "bob", "nobody"}
    assert found.personal_ids == {"1111111111"}
    assert found.uids == {"alice": "uid-alice", "alice-too": "uid-alice-too"}


def test_a_strangers_meeting_is_nobodys() -> None:
    assert about(PEOPLE, host_id="U3") is None
    assert about(PEOPLE, host_id="U3", operator_id="U1") is None
    assert about(PEOPLE) is None
    assert about([], host_id="U1") is None


def test_the_account_comes_after_the_host_and_speaks_for_strangers() -> None:
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


def test_who_gave_the_meeting_away_is_told() -> None:
    found = about(PEOPLE, host_id="U3", former_host_id="U1")
    assert found is not None
    assert found.hosts == ()
    assert found.uids.keys() == {"alice", "alice-too"}


def test_an_empty_id_is_nobodys() -> None:
    assert about(PEOPLE, host_id="") is None
