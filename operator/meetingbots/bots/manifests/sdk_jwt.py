"""Signs the JWT with which a bot initialises the Meeting SDK (Zoom, "Meeting SDK authorization")."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import jwt
from pydantic import SecretStr

from meetingbots.bots.decide.meeting import SdkApp

_SHORTEST_SECONDS: Final = 1_800
_LONGEST_SECONDS: Final = 172_800
_CLOCK_SKEW_SECONDS: Final = 30
_START_SECONDS: Final = 600
"""The bot may start this long after the signature."""


def sdk_jwt(app: SdkApp, *, now: datetime, max_duration_seconds: int) -> SecretStr:
    """A JWT for the longest stay of a bot, within Zoom's limits of 1,800 to 172,800 s. HS256.

    `iat` lies in the past, because Zoom refuses a token from the future and clocks differ.
    """
    issued = int(now.timestamp()) - _CLOCK_SKEW_SECONDS
    wanted = max_duration_seconds + _START_SECONDS + _CLOCK_SKEW_SECONDS
    expires = issued + min(_LONGEST_SECONDS, max(_SHORTEST_SECONDS, wanted))
    client_id = app.client_id.get_secret_value()
    claims = {"appKey": client_id, "sdkKey": client_id, "iat": issued, "exp": expires, "tokenExp": expires}
    return SecretStr(jwt.encode(claims, app.client_secret.get_secret_value(), algorithm="HS256"))
