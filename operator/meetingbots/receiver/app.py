"""The receiver's web server: its routes, its limits against the internet, and its access log."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from meetingbots.runtime.metrics import PROBE_PATHS, probe_routes
from meetingbots.zoom.webhooks.parser import REQUEST_ID_HEADER

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_KEEP_ALIVE_SECONDS: Final = 65.0
"""For idle connections and incomplete headers. A little more than the 60 s of common proxies."""
_LINGER_SECONDS: Final = 2.0
"""How long the rest of a refused body is read and discarded, so that its sender sees the answer."""
_FINISH_SECONDS: Final = 10.0
"""How long running requests may take at shutdown."""
_LINE_LIMIT: Final = 8190
_MAX_HEADERS: Final = 64
_BACKLOG: Final = 512
_MAX_PATH_LOGGED: Final = 200
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

_access_log = logging.getLogger("meetingbots.receiver.access")
_server_log = logging.getLogger("meetingbots.receiver.http")


def application(
    *,
    webhook: Handler,
    healthy: Callable[[], bool],
    ready: Callable[[], bool],
    pages: Iterable[web.RouteDef] = (),
) -> web.Application:
    """Build the routes. `ready` is False until the caches are filled, and at shutdown."""
    app = web.Application()
    app.router.add_post("/webhooks/{client_id}", webhook, expect_handler=_expect_later)
    app.router.add_routes(probe_routes(healthy=healthy, ready=ready))
    app.router.add_routes(pages)
    app.on_response_prepare.append(_name_no_version)
    return app


@asynccontextmanager
async def serve(app: web.Application, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve while the context lasts; yield the port. Running requests are finished at the end.

    An empty host means all addresses, of IPv4 and IPv6; port 0 means any port. Raises `OSError`.
    """
    _server_log.addFilter(_without_values)
    runner = web.AppRunner(
        app,
        access_log_class=AccessLog,
        access_log=_access_log,
        logger=_server_log,
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
        lingering_time=_LINGER_SECONDS,
        shutdown_timeout=_FINISH_SECONDS,
        auto_decompress=False,
        max_line_size=_LINE_LIMIT,
        max_field_size=_LINE_LIMIT,
        max_headers=_MAX_HEADERS,
    )
    await runner.setup()
    try:
        listener = _listen(host, port)
        await web.SockSite(runner, listener, backlog=_BACKLOG).start()
        yield listener.getsockname()[1]
    finally:
        await runner.cleanup()
        _server_log.removeFilter(_without_values)


def _listen(host: str, port: int) -> socket.socket:
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=True)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


class AccessLog(AbstractAccessLogger):
    """Logs method, path, status, seconds and Zoom's request id of each request; never a query, header or body."""

    @property
    def enabled(self) -> bool:
        """Whether the log level is low enough."""
        return self.logger.isEnabledFor(logging.INFO)

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Log the path as it was sent, escaped, without its query. Successful probes are logged at DEBUG only."""
        request_id = request.headers.get(REQUEST_ID_HEADER, "")
        self.logger.log(
            logging.DEBUG if request.path in PROBE_PATHS and response.status == 200 else logging.INFO,
            "%s %s %d %.3fs %s",
            request.method[:16],
            request.rel_url.raw_path[:_MAX_PATH_LOGGED],
            response.status,
            time,
            request_id if _REQUEST_ID.fullmatch(request_id) else "-",
        )


async def _expect_later(_: web.Request) -> None:
    """Send no `100 Continue` yet: the webhook sends it after its checks of the headers."""


async def _name_no_version(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "meetingbots"


def _without_values(record: logging.LogRecord) -> bool:
    # aiohttp quotes broken requests in its own messages; the exception's name is enough.
    if record.exc_info and record.exc_info[0] is not None:
        record.msg = f"{record.getMessage()}: {record.exc_info[0].__name__}"
        record.args, record.exc_info, record.exc_text = (), None, None
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True
