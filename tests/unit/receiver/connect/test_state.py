from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from meetingbots.credentials.manifests.connect import Link, consent_name
from meetingbots.credentials.manifests.signing_keys import Keyring, SigningKey
from meetingbots.receiver.connect.state import (
    STATE_LIFE,
    State,
    StateFault,
    known_browser,
    new_browser,
    new_state,
    outcome_ticket,
    read_state,
    read_ticket,
)
from pydantic import SecretStr

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = SigningKey(id="k1", secret=SecretStr("s" * 43), created=NOW)
NEWER = SigningKey(id="k2", secret=SecretStr("n" * 43), created=NOW + timedelta(days=30))
RING = Keyring((KEY,))
LINK = Link(namespace="team", name="alice", uid="uid-1", epoch="0123456789abcdef", expires=NOW + timedelta(days=7))
BROWSER = new_browser()
STATE = new_state(LINK, browser=BROWSER, key=KEY, now=NOW)


def test_a_state_comes_back_as_it_went() -> None:
    assert read_state(STATE.text, browser=BROWSER, keyring=RING) == STATE
    assert STATE.link == LINK
    assert STATE.expires == NOW + STATE_LIFE
    assert STATE.text not in repr(STATE)
    assert STATE.verifier.get_secret_value() not in repr(STATE)


def test_it_survives_the_change_of_keys() -> None:
    assert read_state(STATE.text, browser=BROWSER, keyring=Keyring((NEWER, KEY))) == STATE
    assert read_state(STATE.text, browser=BROWSER, keyring=Keyring((NEWER,))) is StateFault.FORGED


def test_the_verifier_is_a_verifier_and_each_states_own() -> None:
    verifier = STATE.verifier.get_secret_value()
    assert 43 <= len(verifier) <= 128
    assert set(verifier) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    other = new_state(LINK, browser=BROWSER, key=KEY, now=NOW)
    assert other.text != STATE.text
    assert other.verifier != STATE.verifier


@pytest.mark.parametrize("browser", [None, new_browser(), ""], ids=["none", "another", "empty"])
def test_another_browser_is_recognised(browser: str | None) -> None:
    assert read_state(STATE.text, browser=browser, keyring=RING) is StateFault.OTHER_BROWSER


def _payload(fields: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "x" * 5000,
        STATE.text + "A",
        STATE.text[:-1],
        "A" + STATE.text,
        STATE.text.partition(".")[0],
        f"{KEY.sign(_payload([1, 2]), purpose='connect state')}",
        f"{_payload({})}.x",
        "é.é",
        f"{_payload([10**11, 'team', 'bob', 'uid-1', 'e', 1, 'm', 'n'])}.{STATE.text.partition('.')[2]}",
        # Signed, but for another purpose.
        KEY.sign(STATE.text.partition(".")[0], purpose="connect link"),
    ],
)
def test_a_forged_state_is_forged(text: str) -> None:
    assert read_state(text, browser=BROWSER, keyring=RING) is StateFault.FORGED


def test_every_character_of_a_state_counts() -> None:
    payload, _, mac = STATE.text.partition(".")
    for place in range(0, len(payload), 7):
        changed = payload[:place] + ("A" if payload[place] != "A" else "B") + payload[place + 1 :]
        assert not isinstance(read_state(f"{changed}.{mac}", browser=BROWSER, keyring=RING), State)


def test_a_ticket_is_for_its_consent_credential_and_browser() -> None:
    consent = consent_name("x")
    ticket = outcome_ticket(consent, credential="team/alice", browser=BROWSER, keyring=RING)

    def read(text: str = ticket, *, name: str = "alice", browser: str | None = BROWSER) -> str | None:
        return read_ticket(text, credential=f"team/{name}", browser=browser, keyring=RING)

    assert read() == consent
    assert read(name="bob") is None
    assert read(browser=None) is None
    assert read(browser=new_browser()) is None
    assert read(ticket.replace(consent, consent_name("y"))) is None
    assert read(ticket[:-1]) is None
    assert read("") is None
    with pytest.raises(ValueError, match="no signing key"):
        outcome_ticket(consent, credential="team/alice", browser=BROWSER, keyring=Keyring())


def test_a_cookie_has_a_shape() -> None:
    assert known_browser(BROWSER) == BROWSER
    assert [known_browser(value) for value in (None, "", "short", BROWSER + "x", "ü" * 43)] == [None] * 5
