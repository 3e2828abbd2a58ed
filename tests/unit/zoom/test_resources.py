"""The account that a token claims to be of: a hint, whatever the token is."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meetingbots.zoom.resources import claimed_account
from pydantic import SecretStr


def jwt(claims: object) -> SecretStr:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return SecretStr(f"e30.{payload}.c2ln")


@pytest.mark.parametrize("claim", ["accountId", "aid"])
def test_a_jwt_names_its_account(claim: str) -> None:
    assert claimed_account(jwt({claim: "Kx_y-9", "userId": "U"})) == "Kx_y-9"


@pytest.mark.parametrize(
    "token",
    [
        SecretStr(""),
        SecretStr("opaque"),
        SecretStr("a.b.c"),
        SecretStr("e30.!!!.c2ln"),
        jwt(["accountId"]),
        jwt({"userId": "U"}),
        jwt({"accountId": 7}),
        jwt({"accountId": "two words"}),
        jwt({"accountId": "x" * 129}),
    ],
)
def test_anything_else_names_none(token: SecretStr) -> None:
    assert claimed_account(token) == ""


@given(st.text(max_size=60))
def test_nothing_makes_it_fail(text: str) -> None:
    claimed_account(SecretStr(text))
    claimed_account(SecretStr(f"a.{text}.b"))
