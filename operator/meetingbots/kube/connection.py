"""Finding the API server and who we are there: in-cluster first, then kubeconfig.

The `kubernetes` package finds the credentials (service account, kubeconfig, exec plugins) and renews them; the
requests themselves go through plain aiohttp sessions, which is several times cheaper per call.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

_MAX_CONNECTIONS = 64


class ClusterAccessError(Exception):
    """Neither a service account nor a usable kubeconfig was found; the text says what was tried."""


@dataclass(frozen=True)
class Connection:
    """Where the API server is and how to open sessions to it."""

    server: str
    configuration: Configuration

    def session(self, *, timeout: float = 30.0) -> aiohttp.ClientSession:
        """A new session (the caller closes it) that authenticates each request with the current credentials."""
        connector = aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, ssl=_tls(self.configuration))
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=timeout, connect=10.0),
            middlewares=(self._authenticate,),
            headers={"User-Agent": "meetingbots"},
            json_serialize=_unused,
        )

    async def _authenticate(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        # Asked for each request: service account tokens are renewed on disk about every hour.
        token = await self.configuration.get_api_key_with_prefix("BearerToken")
        if token:
            request.headers["Authorization"] = token
        return await handler(request)


async def find_cluster(*, kubeconfig: str | None = None, context: str | None = None) -> Connection:
    """The connection to use: the Pod's service account where there is one, else kubeconfig.

    Raises `ClusterAccessError` when neither is usable.
    """
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except config.ConfigException as in_cluster:
        try:
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig, context=context, client_configuration=configuration, persist_config=False
            )
        except (config.ConfigException, OSError) as error:
            raise ClusterAccessError(
                f"no access to Kubernetes: not in a cluster ({in_cluster}), and kubeconfig: {error}"
            ) from error
    return Connection(server=configuration.host.rstrip("/"), configuration=configuration)


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
