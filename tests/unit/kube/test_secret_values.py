import base64
from typing import Any

import pytest
from meetingbots.kube.secret_values import SecretValueError, secret_value, value_of

from tests.unit.bots.reconcile.bot_harness import BotHarness


def secret(**data: str) -> dict[str, Any]:
    return {"metadata": {"name": "links"}, "data": data}


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def test_blanks_and_newlines_around_a_value_are_cut() -> None:
    assert value_of(secret(url=encoded(b" \thush pass\r\n")), key="url").get_secret_value() == "hush pass"


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (secret(other=encoded(b"x")), "Secret links has no key url."),
        ({"metadata": {"name": "links"}}, "Secret links has no key url."),
        ({"metadata": {"name": "links"}, "data": None}, "Secret links has no key url."),
        (secret(url=encoded(b" \n")), "Key url of Secret links is empty."),
        (secret(url=""), "Key url of Secret links is empty."),
        (secret(url=encoded(b"\xff\xfehush")), "Key url of Secret links is not text."),
        (secret(url="hush!"), "Key url of Secret links is not text."),
    ],
)
def test_what_is_wrong_is_said_without_quoting(item: dict[str, Any], words: str) -> None:
    with pytest.raises(SecretValueError) as caught:
        value_of(item, key="url")
    assert str(caught.value) == words
    assert caught.value.__cause__ is None


async def test_a_secret_is_read_by_name() -> None:
    harness = BotHarness()
    harness.put_secret("links", url="hush\n")
    found = await secret_value(harness.cluster, namespace="team", name="links", key="url")
    assert found.get_secret_value() == "hush"
    with pytest.raises(SecretValueError, match=r"Secret other does not exist\."):
        await secret_value(harness.cluster, namespace="team", name="other", key="url")
    with pytest.raises(SecretValueError, match=r"Secret links does not exist\."):
        await secret_value(harness.cluster, namespace="elsewhere", name="links", key="url")
