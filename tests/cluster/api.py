"""A small blocking client of the API server for the cluster's own set-up and for tests: JSON in, JSON out."""

import http.client
import json
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from tests.cluster.flags import in_url

Object = dict[str, Any]


class ApiError(Exception):
    """The API server refused: HTTP `status`, Kubernetes' `reason` and message."""

    def __init__(self, *, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class Api:
    """Requests to one API server with one bearer token; a connection for each request: simple, safe in threads."""

    def __init__(self, *, host: str, port: int, ca: Path, token: str, timeout_seconds: float = 60) -> None:
        self._host = host
        self._port = port
        self._context = ssl.create_default_context(cafile=str(ca))
        self.url = f"https://{in_url(host)}:{port}"
        self.ca = ca
        self.token = token
        self._timeout = timeout_seconds

    def request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """Answer of `method path` as an object; ApiError for a refusal, OSError where the server is not there."""
        status, payload = self.raw(method, path, body, query=query, content_type=content_type)
        answer: Object = json.loads(payload) if payload[:1] == b"{" else {"text": payload.decode(errors="replace")}
        if status >= 400:
            message = str(answer.get("message", answer.get("text", "")))
            raise ApiError(status=status, reason=str(answer.get("reason", "")), message=message)
        return answer

    def raw(
        self,
        method: str,
        path: str,
        body: Object | bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, bytes]:
        """HTTP status and bytes of the answer, whatever they are. A body of bytes is sent as it is."""
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout, context=self._context)
        try:
            target = f"{path}?{urlencode(query)}" if query else path
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content_type}
            payload = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, target, payload, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"broken answer from the API server: {error!r}") from error
        finally:
            connection.close()

    def get(self, path: str) -> Object | None:
        """The object at `path`, or None where there is none."""
        try:
            return self.request("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def create(self, path: str, body: Object) -> Object:
        """Create in the collection `path`."""
        return self.request("POST", path, body)

    def ensure(self, path: str, body: Object) -> None:
        """Create in the collection `path` unless it is there already."""
        try:
            self.create(path, body)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise

    def apply(self, path: str, body: Object, *, manager: str = "test-cluster") -> Object:
        """Server-side apply of one object at its own path, taking over fields of others."""
        query = {"fieldManager": manager, "force": "true"}
        return self.request("PATCH", path, body, query=query, content_type="application/apply-patch+yaml")

    def patch(self, path: str, body: Object) -> Object:
        """JSON merge patch of one object."""
        return self.request("PATCH", path, body, content_type="application/merge-patch+json")

    def delete(self, path: str) -> None:
        """Delete; an object that is gone already is fine."""
        try:
            self.request("DELETE", path)
        except ApiError as error:
            if error.status != 404:
                raise


def core_path(kind: str, *, namespace: str | None = None, name: str | None = None) -> str:
    """Path of core objects: `core_path("pods", namespace="a", name="b")` is `/api/v1/namespaces/a/pods/b`."""
    parts = [
        "/api/v1",
        *(("namespaces", quote(namespace)) if namespace else ()),
        kind,
        *((quote(name),) if name else ()),
    ]
    return "/".join(parts)


def wait_until(
    condition: Callable[[], bool], *, what: str, limit_seconds: float = 90, every_seconds: float = 0.02
) -> None:
    """Look again and again until `condition` holds; TimeoutError naming `what` after the limit."""
    deadline = time.monotonic() + limit_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {limit_seconds:g} s: {what}")
        time.sleep(every_seconds)
