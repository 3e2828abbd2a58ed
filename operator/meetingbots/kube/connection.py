"""The address of the API server and the credentials for it: in-cluster first, then kubeconfig.

The `kubernetes` package loads and renews the credentials (service account, kubeconfig, exec plugins); requests go
through plain aiohttp sessions, which are several times cheaper per call.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from kubernetes.aio import config
from kubernetes.aio.client import Configuration
from kubernetes.aio.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION
from yarl import URL

from meetingbots.kube.bounded_json import BoundedResponse

_MAX_CONNECTIONS = 64
_RENEW_SECONDS = 60.0
# What the loader raises for an incomplete or malformed kubeconfig.
_UNUSABLE = (config.ConfigException, OSError, ValueError, TypeError, LookupError, AttributeError, yaml.YAMLError)


class ClusterAccessError(Exception):
    """There is neither a service account nor a usable kubeconfig; the text says what was tried."""


@dataclass(frozen=True)
class Connection:
    """The API server's address, and sessions to it."""

    server: str
    configuration: Configuration

    def session(self, *, timeout: float = 30.0, watch_begins_within: float = 10.0) -> aiohttp.ClientSession:
        """A new session, closed by the caller, that authenticates each request with the current credentials.

        `timeout` is for a whole request, unless the request sets its own, as watches do. A watch must begin to answer
        within `watch_begins_within` seconds, or it raises TimeoutError: an API server that has just started can leave
        a watch without a response for long, which looks like a watch without events.
        """
        connector = aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, ssl=_tls(self.configuration))
        return aiohttp.ClientSession(
            connector=connector,
            response_class=BoundedResponse,
            # Not `connect`: it counts the time that a request waits for a free connection.
            timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=10.0),
            middlewares=(self._authenticate, _begun_within(watch_begins_within)),
            headers={"User-Agent": "meetingbots"},
            json_serialize=_unused,
            proxy=self.configuration.proxy,
        )

    async def _authenticate(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if request.url.origin() != URL(self.server).origin():
            raise aiohttp.ClientConnectionError("the API server redirects to another host; the token is not sent there")
        # Read for each request: service account tokens are renewed on disk about every hour.
        try:
            token = await self.configuration.get_api_key_with_prefix("BearerToken")
        except config.ConfigException as error:
            raise aiohttp.ClientConnectionError("the token cannot be read at the moment") from error
        if token:
            request.headers["Authorization"] = token.strip()
        if self.configuration.tls_server_name:
            request.server_hostname = self.configuration.tls_server_name
        return await handler(request)


def _begun_within(seconds: float) -> aiohttp.ClientMiddlewareType:
    async def answer(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if "watch" not in request.url.query:
            return await handler(request)
        async with asyncio.timeout(seconds):
            return await handler(request)

    return answer


async def find_cluster(
    *, kubeconfig: str | None = None, context: str | None = None, clock: Callable[[], float] = time.monotonic
) -> Connection:
    """The connection to use: the Pod's service account where there is one, else kubeconfig.

    `clock` gives monotonic seconds. Tokens from a kubeconfig's files and plugins are read again each minute.
    Raises `ClusterAccessError` when neither is usable.
    """
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except config.ConfigException as in_cluster:
        files = kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION
        try:
            _check_exists(files)
            loader = await config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=files, context=context, client_configuration=configuration, persist_config=False
            )
        except _UNUSABLE as error:
            raise ClusterAccessError(
                f"no access to Kubernetes: not in a cluster ({in_cluster}), and no usable kubeconfig ({_words(error)})"
            ) from error
        configuration.refresh_api_key_hook = _renewal(loader, clock=clock)  # type: ignore[assignment]
    return Connection(server=configuration.host.rstrip("/"), configuration=configuration)


def _check_exists(files: str) -> None:
    if not any(Path(file).expanduser().is_file() for file in files.split(os.pathsep) if file):
        raise config.ConfigException(f"there is no file {files}")


def _words(error: BaseException) -> str:
    if isinstance(error, config.ConfigException | OSError):
        return re.sub(r"\{.*\}", "{…}", str(error), flags=re.DOTALL)  # the loader quotes whole users and their tokens
    # Texts of other errors may quote the file as well.
    return f"it is not a complete kubeconfig file: {type(error).__name__}"


def _renewal(loader: Any, *, clock: Callable[[], float]) -> Callable[[Configuration], Awaitable[None]]:
    renewed = clock()

    async def renew(configuration: Configuration) -> None:
        nonlocal renewed
        if clock() - renewed < _RENEW_SECONDS:
            return
        renewed = clock()
        try:
            await loader.load_and_set(configuration)
        except _UNUSABLE as error:
            raise config.ConfigException("kubeconfig's token cannot be renewed") from error

    return renew


def _tls(configuration: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # Python 3.13 made this strict; clusters' own authorities often lack the key usage extension it asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _unused(_: object) -> str:
    raise TypeError("bodies are sent as bytes")
