"""Texts of a Pod are shown without secrets, and unchanged where they contain none."""

import pytest
from meetingbots.bots.decide.pod_texts import HIDDEN, presentable, without_secrets
from pydantic import SecretStr

from tests.unit.bots.bot_builders import WAITS, ended, pod

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
def test_tokens_and_passcodes_are_hidden(words: str, shown: str) -> None:
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
def test_other_text_stays(words: str) -> None:
    assert without_secrets(words, known=[SecretStr("abc")]) == words


def test_a_pods_containers_are_all_cleaned() -> None:
    shown = presentable(pod(ended(1, message=f"with {TOKEN}")))
    assert shown.bot is not None
    assert (shown.bot.message, shown.bot.exit_code) == (f"with {HIDDEN}", 1)
    quiet = pod(ended(0))
    assert presentable(quiet) is quiet


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("123456", "joining with code 123456", f"joining with code {HIDDEN}"),
        ("abc", "the code is abc.", f"the code is {HIDDEN}."),
        ("abc", "abcdef is no code", "abcdef is no code"),
        ("7", "exit 7 of 77", f"exit {HIDDEN} of 77"),
        ("p/ss w", "GET /j?x=p%2Fss%20w", f"GET /j?x={HIDDEN}"),
    ],
)
def test_short_and_encoded_passcodes_are_hidden(secret: str, text: str, shown: str) -> None:
    assert without_secrets(text, known=[SecretStr(secret)]) == shown


def test_messages_of_waiting_containers_and_of_the_pod_are_cleaned() -> None:
    waiting = {"waiting": {"reason": "CreateContainerError", "message": "exec bot --pwd=secret-1"}}
    made = pod(waiting, message="rejected: secret-1", others={"x": waiting}, init={"y": waiting})
    shown = presentable(made, known=[SecretStr("secret-1")])
    assert "secret-1" not in repr(shown)
    assert shown.bot is not None
    assert HIDDEN in shown.bot.waiting_message


def test_a_passcode_that_is_a_part_of_the_pods_name_does_not_hide_the_gate() -> None:
    shown = presentable(pod(WAITS), known=[SecretStr("zoom"), SecretStr("standup")])
    assert shown.at_gate
