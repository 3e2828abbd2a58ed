"""The HTTP endpoint for running bots: ``POST`` or ``GET /token`` with the Pod's own token returns a join token.

| answer | when |
| --- | --- |
| 200, the token as plain text | |
| 401 | no valid token of a Pod for audience `meetingbots` was presented |
| 403 | the Pod is not its bot's present one, the bot is not in its meeting, or `tokenEndpoint` is not set |
| 404, `Reason: sentence` | there is no token; `Retry-After` where waiting may help |
| 429, `Retry-After` | the Pod asks too often |
| 503, `Retry-After` | this replica stands by, the bot has only just started, or Kubernetes does not answer |

Logs quote no request, and no answer may be cached.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from pydantic import SecretStr

from meetingbots.bots.manifests.rejoin_access import PATH
from meetingbots.bots.rejoin.rules import NoToken, NotYet, RejoinDenied
from meetingbots.bots.rejoin.service import Granted, Outcome, RejoinService, TooOften, Unknown
from meetingbots.kube.errors import KubeError

_BEARER: Final = re.compile(r"Bearer +([\x21-\x7e]{1,8000})", re.IGNORECASE)
_RETRY_SECONDS: Final = 1.0
_FINISH_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)
# aiohttp's own messages about malformed requests quote them.
_quiet = logging.getLogger("meetingbots.token_endpoint.http")
_quiet.setLevel(logging.CRITICAL)


@asynccontextmanager
async def serve_tokens(
    *, rejoins: Callable[[], RejoinService | None], port: int, host: str | None = None
) -> AsyncIterator[int]:
    """Serve within the context; yields the port, which 0 leaves to the system.

    `rejoins` returns None while this process stands by.
    """
    application = web.Application(client_max_size=1024)
    endpoint = _Endpoint(rejoins)
    application.router.add_get(PATH, endpoint.answer, allow_head=False)
    application.router.add_post(PATH, endpoint.answer)
    runner = web.AppRunner(application, access_log=None, logger=_quiet, shutdown_timeout=_FINISH_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host=host, port=port)
        await site.start()
        yield site.port
    finally:
        await runner.cleanup()


class _Endpoint:
    """Answers requests."""

    def __init__(self, rejoins: Callable[[], RejoinService | None]) -> None:
        self._rejoins = rejoins

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request. An unexpected error is logged by its type only, as its text may quote the request."""
        presented = _BEARER.fullmatch(request.headers.get("Authorization", ""))
        if presented is None:
            return _response(Unknown())
        rejoins = self._rejoins()
        if rejoins is None:
            return _response(NotYet("This replica stands by; another one answers.", _RETRY_SECONDS))
        try:
            return _response(await rejoins.token(SecretStr(presented[1])))
        except KubeError as error:
            _log.warning("token endpoint: %s", error)
        except Exception as error:
            _log.error("token endpoint: defect %s", type(error).__name__)
        return _response(NotYet("Kubernetes cannot be asked at the moment.", _RETRY_SECONDS))


def _response(outcome: Outcome) -> web.Response:
    match outcome:
        case Granted(token):
            return _plain(200, token.get_secret_value())
        case Unknown():
            return _plain(
                401,
                "Present the Pod's own token for audience meetingbots: Authorization: Bearer …\n",
                **{"WWW-Authenticate": 'Bearer realm="meetingbots"'},
            )
        case RejoinDenied(message):
            return _plain(403, f"{message}\n")
        case NoToken(reason, message, retry_after):
            return _plain(404, f"{reason}: {message}\n", **_retry_after(retry_after))
        case TooOften(retry_after):
            return _plain(429, "This Pod asks too often.\n", **_retry_after(retry_after))
        case NotYet(message, retry_after):
            return _plain(503, f"{message}\n", **_retry_after(retry_after))


def _plain(status: int, text: str, **headers: str) -> web.Response:
    return web.Response(status=status, text=text, headers={"Cache-Control": "no-store", **headers})


def _retry_after(seconds: float | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(max(1, math.ceil(seconds)))}
