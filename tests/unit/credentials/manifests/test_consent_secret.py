from __future__ import annotations

from typing import Any

import pytest
from meetingbots.credentials.manifests.connect import (
    ConsentSecret,
    consent_name,
    is_consent_name,
    new_consent_secret,
    read_consent_secret,
)
from meetingbots.models.credential import ZoomCredential
from pydantic import SecretStr

CREDENTIAL = ZoomCredential.from_object(
    {
        "metadata": {"namespace": "team", "name": "alice", "uid": "uid-1"},
        "spec": {"appSecretRef": {"name": "zoom-app"}, "grant": {"connect": {}}},
    }
)
CONTENT = ConsentSecret(
    code=SecretStr("the-code"),
    code_verifier=SecretStr("the-verifier"),
    redirect_uri="https://bots.example/oauth/callback",
    epoch="0123456789abcdef",
)
NAME = consent_name("a state")


def made(**metadata: Any) -> dict[str, Any]:
    item = new_consent_secret(NAME, CONTENT, credential=CREDENTIAL)
    item["metadata"] |= metadata
    return item


def test_the_name_hides_the_state_and_is_a_consents_only() -> None:
    assert is_consent_name(NAME)
    assert "state" not in NAME
    assert consent_name("a state") == NAME != consent_name("another")
    assert not any(
        map(is_consent_name, ("zoom-app", "alice-zoom-token", NAME + "0", NAME[:-1], NAME + "\n", "../" + NAME))
    )


def test_it_belongs_to_the_credential_and_cannot_be_changed() -> None:
    item = made()
    assert item["immutable"] is True
    (owner,) = item["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("ZoomCredential", "alice", "uid-1")
    assert item["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "meetingbots",
        "meetingbots.dev/credential": "alice",
    }


def test_it_is_read_as_it_was_written() -> None:
    read = read_consent_secret(made(uid="s-1"), credential=CREDENTIAL)
    assert read is not None
    assert read.uid == "s-1"
    assert (read.code, read.code_verifier) == (CONTENT.code, CONTENT.code_verifier)
    assert (read.redirect_uri, read.epoch) == (CONTENT.redirect_uri, CONTENT.epoch)
    assert "the-code" not in repr(read)
    assert "the-verifier" not in repr(read)


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "zoom-app"},
        {"labels": {}},
        {"labels": {"app.kubernetes.io/managed-by": "meetingbots", "meetingbots.dev/credential": "bob"}},
        {"ownerReferences": []},
        {"ownerReferences": [{"uid": "uid-of-an-earlier-alice"}]},
    ],
)
def test_what_is_not_this_credentials_is_none(metadata: dict[str, Any]) -> None:
    assert read_consent_secret(made(**metadata), credential=CREDENTIAL) is None


@pytest.mark.parametrize("key", ["code", "code_verifier", "redirect_uri", "epoch"])
@pytest.mark.parametrize("value", [None, "", "%%%", "//79"])
def test_what_is_not_complete_is_none(key: str, value: str | None) -> None:
    item = made()
    if value is None:
        del item["data"][key]
    else:
        item["data"][key] = value
    assert read_consent_secret(item, credential=CREDENTIAL) is None
