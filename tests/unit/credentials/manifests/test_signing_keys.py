from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from meetingbots.credentials.manifests.connect import LINK_LIFE
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


def test_a_signature_is_for_its_purpose_value_and_key() -> None:
    one, other = key("k1"), key("k2")
    signed = one.sign("team.alice", purpose="link")
    value, _, signature = signed.rpartition(".")
    assert (value, len(signature)) == ("team.alice", 43)
    assert Keyring((other, one)).verify(signed, purpose="link") == one
    assert Keyring((other,)).verify(signed, purpose="link") is None
    assert Keyring((one,)).verify(signed, purpose="state") is None
    for changed in (
        f"tea.malice.{signature}",
        f"team.alice..{signature}",
        signed[:-1],
        signed + "=",
        f"{value}.{'ü' * 43}",
    ):
        assert Keyring((one,)).verify(changed, purpose="link") is None


def test_a_signature_has_one_spelling() -> None:
    """43 characters of base64 have two spare bits, which a decoder ignores."""
    one = key("k1")
    signed = one.sign("value", purpose="link")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    accepted = [last for last in alphabet if Keyring((one,)).verify(signed[:-1] + last, purpose="link")]
    assert accepted == [signed[-1]]


def test_a_key_signs_for_a_month_and_is_accepted_for_longer_than_a_link_lives() -> None:
    assert KEY_KEPT > LINK_LIFE
    assert renewal_due(Keyring(), now=NOW)
    first = add(Keyring(), "k1", now=NOW)
    assert not renewal_due(first, now=NOW + KEY_LIFE - timedelta(seconds=1))
    later = NOW + KEY_LIFE
    assert renewal_due(first, now=later)
    second = add(first, "k2", now=later)
    assert [one.id for one in second.keys] == ["k2", "k1"]
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
