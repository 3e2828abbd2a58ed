"""Which link a credential shows when another release, with an address and keys of its own, serves its namespace."""

from datetime import UTC, datetime, timedelta

import pytest
from meetingbots.credentials.decide.consents import shown_link
from meetingbots.credentials.decide.facts import LinkFacts
from meetingbots.credentials.manifests.connect import LINK_LIFE, Link, connect_url, link_in
from meetingbots.credentials.manifests.signing_keys import Keyring, SigningKey
from meetingbots.models.credential import ZoomCredential
from pydantic import SecretStr

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
UID = "41dcd60b-57b6-4ba1-a967-fa62c19f3eb5"
OWN, OTHER = "https://own.example", "https://other.example"


def ring(mark: str) -> Keyring:
    return Keyring((SigningKey(id=mark, secret=SecretStr(mark * 43), created=NOW - timedelta(days=1)),))


FACTS = LinkFacts(public_url=OWN, keyring=ring("o"), epoch="0" * 16)


def link_url(*, public_url: str = OTHER, made: datetime = NOW, key: str = "t", uid: str = UID) -> str:
    link = Link(namespace="team", name="alice", uid=uid, epoch="f" * 16, expires=made + LINK_LIFE)
    return connect_url(link, public_url=public_url, keyring=ring(key))


def credential(url: str) -> ZoomCredential:
    return ZoomCredential.from_object(
        {
            "apiVersion": "meetingbots.dev/v1alpha1",
            "kind": "ZoomCredential",
            "metadata": {"namespace": "team", "name": "alice", "uid": UID, "generation": 1},
            "spec": {"appSecretRef": {"name": "zoom-app"}, "grant": {"connect": {}}},
            "status": {"connectURL": url},
        }
    )


def epoch_of(url: str, *, key: str) -> str:
    link = link_in(url, namespace="team", name="alice", keyring=ring(key))
    return link.epoch if link is not None else ""


def test_a_new_link_of_another_release_stays() -> None:
    url = link_url(made=NOW - timedelta(minutes=9))
    assert shown_link(credential(url), FACTS, restart=False, now=NOW).url == url
    without = LinkFacts(keyring=ring("o"), epoch="0" * 16)
    assert shown_link(credential(url), without, restart=False, now=NOW + timedelta(days=1)).url == url


def test_an_older_one_is_replaced_by_one_of_the_same_epoch_so_that_both_are_valid() -> None:
    url = shown_link(credential(link_url(made=NOW - timedelta(minutes=11))), FACTS, restart=False, now=NOW).url
    assert url.startswith(f"{OWN}/connect/team/alice?t=")
    assert epoch_of(url, key="o") == "f" * 16


@pytest.mark.parametrize(
    "url",
    [
        link_url(public_url=OWN),
        link_url(key="o"),
        link_url(uid="another"),
        link_url(made=NOW + timedelta(days=300)),
        "https://phish.example/?t=1",
    ],
    ids=["lost key", "changed address", "copied object", "from the future", "no link"],
)
def test_other_links_are_replaced_at_once(url: str) -> None:
    shown = shown_link(credential(url), FACTS, restart=False, now=NOW).url
    assert shown.startswith(f"{OWN}/connect/team/alice?t=")
    assert epoch_of(shown, key="o")


def test_a_consent_ends_a_link_of_another_release() -> None:
    shown = shown_link(credential(link_url()), FACTS, restart=True, now=NOW).url
    assert epoch_of(shown, key="o") == "0" * 16
