from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from meetingbots.credentials.manifests.connect_link import LINK_LIFE
from meetingbots.credentials.manifests.signing_keys import (
    KEY_KEPT,
    KEY_LIFE,
    Keyring,
    SigningKey,
    keyring_text,
    parse_keyring,
    renewal_due,
    renewed,
)
from pydantic import SecretStr

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def key(name: str, *, created: datetime = NOW) -> SigningKey:
    return SigningKey(id=name, secret=SecretStr(f"{name}-" + "s" * 43), created=created)


def add(keyring: Keyring, name: str, *, now: datetime) -> Keyring:
    return renewed(keyring, key_id=name, secret=SecretStr(f"{name}-" + "s" * 43), now=now)


def test_a_signature_is_for_its_purpose_parts_and_key() -> None:
    one, other = key("k1"), key("k2")
    mac = one.sign("link", "team", "alice")
    assert len(mac) == 43
    assert one.signed(mac, "link", "team", "alice")
    assert not one.signed(mac, "state", "team", "alice")
    assert not one.signed(mac, "link", "tea", "malice")
    assert not one.signed(mac, "link", "team", "alice", "")
    assert not one.signed(mac[:-1], "link", "team", "alice")
    assert not one.signed("ü" * 43, "link", "team", "alice")
    assert not other.signed(mac, "link", "team", "alice")


def test_a_key_signs_for_a_month_and_is_accepted_for_longer_than_a_link_lives() -> None:
    assert KEY_KEPT > LINK_LIFE
    assert renewal_due(Keyring(), now=NOW)
    first = add(Keyring(), "k1", now=NOW)
    assert not renewal_due(first, now=NOW + KEY_LIFE - timedelta(seconds=1))
    later = NOW + KEY_LIFE
    assert renewal_due(first, now=later)
    second = add(first, "k2", now=later)
    assert second.newest == second.find("k2")
    assert second.find("k1") is not None
    third = add(second, "k3", now=later + KEY_LIFE)
    assert [one.id for one in third.keys] == ["k3", "k2"], "k1 was replaced a month ago"
    early = add(second, "k3", now=later + KEY_KEPT - timedelta(seconds=1))
    assert [one.id for one in early.keys] == ["k3", "k2", "k1"]


def test_keys_are_read_as_they_were_written() -> None:
    keyring = add(add(Keyring(), "k1", now=NOW), "k2", now=NOW + timedelta(days=1))
    assert parse_keyring(keyring_text(keyring)) == keyring
    assert "sss" not in repr(keyring)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "{}",
        '[1, "x", null]',
        '[{"id": "k1", "key": "short", "created": "2026-11-24T12:00:00Z"}]',
        '[{"id": "k.1", "key": "' + "s" * 43 + '", "created": "2026-11-24T12:00:00Z"}]',
        '[{"id": "k1", "key": "' + "s" * 43 + '", "created": "yesterday"}]',
        '[{"id": 1, "key": "' + "s" * 43 + '", "created": "2026-11-24T12:00:00Z"}]',
    ],
)
def test_what_is_no_key_is_none(text: str) -> None:
    assert parse_keyring(text) == Keyring()
