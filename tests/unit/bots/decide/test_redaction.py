"""Last words are shown without secrets, and without loss where there are none."""

import pytest
from meetingbots.bots.decide.redaction import HIDDEN, presentable, without_secrets
from pydantic import SecretStr

from tests.unit.bots.bot_builders import ended, pod

TOKEN = "eyJ0eXAiOiJKV1QifQ.eyJhIjoxfQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (f"bot --join-token {TOKEN} --meeting 81234567890", f"bot --join-token {HIDDEN} --meeting 81234567890"),
        (
            "joining https://zoom.us/j/81234567890?pwd=aB3.x&uname=n",
            f"joining https://zoom.us/j/81234567890?pwd={HIDDEN}&uname=n",
        ),
        (f'token="{"a1Z" * 20}"', f'token="{HIDDEN}"'),
        ("x" + "4Gq" * 20 + ": refused", f"{HIDDEN}: refused"),
        ("the code is open-sesame.", f"the code is {HIDDEN}."),
    ],
)
def test_tokens_and_passcodes_are_blotted_out(words: str, shown: str) -> None:
    assert without_secrets(words, known=[SecretStr("open-sesame"), None]) == shown


@pytest.mark.parametrize(
    "words",
    [
        "",
        "Over: the host has ended the meeting (code 15)",
        "File /usr/lib/python3.13/site-packages/zoom/meeting_participants_controller.py, line 81, in join",
        f"image registry.example/bot@sha256:{'0a1b2c3d' * 8}",
        "Pod notes-d24bc-1 of 0b0f8a4e-3f3c-4a57-9c53-6d2f0c8c0e11",
    ],
)
def test_other_words_stay_as_they_are(words: str) -> None:
    assert without_secrets(words, known=[SecretStr("abc")]) == words


def test_a_pods_containers_are_all_looked_at() -> None:
    shown = presentable(pod(ended(1, message=f"with {TOKEN}")))
    assert shown.bot is not None
    assert (shown.bot.message, shown.bot.exit_code) == (f"with {HIDDEN}", 1)
    quiet = pod(ended(0))
    assert presentable(quiet) is quiet
