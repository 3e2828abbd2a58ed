from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from meetingbots.credentials.manifests.connect import Link, connect_url, link_in, new_epoch, read_token
from meetingbots.credentials.manifests.signing_keys import Keyring, SigningKey
from pydantic import SecretStr

KEY = SigningKey(id="k1", secret=SecretStr("s" * 43), created=datetime(2026, 11, 1, tzinfo=UTC))
RING = Keyring((KEY,))
LINK = Link(
    namespace="team",
    name="alice",
    uid="41dcd60b-57b6-4ba1-a967-fa62c19f3eb5",
    epoch="0123456789abcdef",
    expires=datetime(2026, 12, 1, 12, tzinfo=UTC),
)
URL = connect_url(LINK, public_url="https://bots.example/zoom", keyring=RING)
TOKEN = parse_qs(urlsplit(URL).query)["t"][0]


def read(token: str, *, namespace: str = "team", name: str = "alice", keyring: Keyring = RING) -> Link | None:
    return read_token(token, namespace=namespace, name=name, keyring=keyring)


def test_a_link_is_read_as_it_was_made() -> None:
    assert URL.startswith("https://bots.example/zoom/connect/team/alice?t=")
    assert read(TOKEN) == LINK
    assert link_in(URL, namespace="team", name="alice") == LINK
    assert link_in(URL, namespace="team", name="alice", keyring=RING) == LINK
    assert link_in(URL, namespace="team", name="alice", keyring=Keyring()) is None


def test_a_link_counts_for_its_credential_and_while_its_key_does() -> None:
    assert read(TOKEN, name="bob") is None
    assert read(TOKEN, namespace="other") is None
    newer = SigningKey(id="k2", secret=SecretStr("n" * 43), created=datetime(2026, 11, 2, tzinfo=UTC))
    assert read(TOKEN, keyring=Keyring((newer, KEY))) == LINK
    assert read(TOKEN, keyring=Keyring((newer,))) is None
    assert read(TOKEN, keyring=Keyring()) is None


@pytest.mark.parametrize("part", range(4))
def test_no_part_of_a_link_can_be_changed(part: int) -> None:
    parts = TOKEN.split(".")
    last = parts[part][-1]
    parts[part] = parts[part][:-1] + ("1" if last != "1" else "2")
    assert read(".".join(parts)) is None


@pytest.mark.parametrize(
    "token",
    ["", ".", "....", TOKEN + ".", TOKEN + "A", TOKEN[:-1], " " + TOKEN, TOKEN + "\n", TOKEN.upper(), "é" * 200],
)
def test_what_is_no_link_is_none(token: str) -> None:
    assert read(token) is None


@pytest.mark.parametrize(
    "url", [None, "", "https://bots.example", "https://[", f"https://a/?t={TOKEN}&t={TOKEN}", "https://a/?t=x"]
)
def test_what_has_no_link_in_it_has_none(url: str | None) -> None:
    assert link_in(url, namespace="team", name="alice") is None


def test_without_a_key_there_is_no_link() -> None:
    with pytest.raises(ValueError, match="no signing key"):
        connect_url(LINK, public_url="https://bots.example", keyring=Keyring())


def test_epochs_differ() -> None:
    assert len({new_epoch() for _ in range(100)}) == 100
