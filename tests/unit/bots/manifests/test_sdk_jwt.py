"""The Meeting SDK's JWT: its claims, its signature, and Zoom's limits of its lifetime."""

import jwt
import pytest
from meetingbots.bots.decide.facts import SdkApp
from meetingbots.bots.manifests.environment import sdk_jwt
from pydantic import SecretStr

from tests.unit.bots.bot_builders import NOW

SECRET = "a-made-up-client-secret-of-32-characters"
APP = SdkApp(client_id=SecretStr("made-up-id"), client_secret=SecretStr(SECRET))


@pytest.mark.parametrize(
    ("max_duration", "lifetime"),
    [(1, 1_800), (1_800, 2_430), (14_400, 15_030), (172_000, 172_630), (10**7, 172_800)],
)
def test_the_claims_and_the_lifetime(max_duration: int, lifetime: int) -> None:
    token = sdk_jwt(APP, now=NOW, max_duration_seconds=max_duration).get_secret_value()
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False})
    assert set(claims) == {"appKey", "sdkKey", "iat", "exp", "tokenExp"}
    assert claims["appKey"] == claims["sdkKey"] == "made-up-id"
    assert 0 < NOW.timestamp() - claims["iat"] <= 60, "a clock behind ours must not see a token from the future"
    assert claims["exp"] == claims["tokenExp"] == claims["iat"] + lifetime


def test_the_client_secret_is_not_in_the_token() -> None:
    token = sdk_jwt(APP, now=NOW, max_duration_seconds=60)
    assert SECRET not in token.get_secret_value()
    assert token.get_secret_value() not in repr(token)
