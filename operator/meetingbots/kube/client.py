"""The calls to the API server: get, list, create, patch, apply, delete, watch.

Every call is one HTTP request and raises a `KubeError` for anything but success. There are no retries here: the queues
above retry.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeAlias, TypedDict, Unpack

import aiohttp
import orjson

from meetingbots.kube.bounded_json import decode, lines
from meetingbots.kube.errors import InvalidError, KubeError, UnavailableError, from_status
from meetingbots.kube.resources import Resource

Object: TypeAlias = dict[str, Any]
OnCall: TypeAlias = Callable[[str, Resource, int], None]

_MERGE = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"
_JSON = "application/json"
_BROKEN = "API server unreachable: something else answered in its place"


def _ignore(verb: str, resource: Resource, status: int) -> None: ...


class ListOptions(TypedDict, total=False):
    """Which objects to list: of a namespace (None: of all), by selectors, in pages of `page_size` (default 500)."""

    namespace: str | None
    label_selector: str | None
    field_selector: str | None
    page_size: int


class Kube:
    """A client on one aiohttp session. `on_call(verb, resource, status)` runs for every call; status 0: no response."""

    def __init__(self, *, session: aiohttp.ClientSession, server: str, on_call: OnCall = _ignore) -> None:
        self._session = session
        self._server = server
        self._on_call = on_call

    async def get(self, resource: Resource, *, namespace: str | None, name: str) -> Object:
        """One object, fresh from the server. Raises `NotFoundError`."""
        return await self._call("get", resource, "GET", resource.path(namespace=namespace, name=name))

    async def discover(self, resource: Resource) -> frozenset[str]:
        """The plurals that the server serves in the resource's group and version. Raises `NotFoundError`."""
        path = f"/apis/{resource.group}/{resource.version}"
        answer = await self._call("discover", resource, "GET", path)
        return frozenset(str(item["name"]) for item in answer.get("resources") or ())

    async def list(self, resource: Resource, **which: Unpack[ListOptions]) -> AsyncIterator[Object]:
        """All objects of a namespace (None: of all namespaces), fetched page by page."""
        async for page in self.pages(resource, **which):
            for item in page["items"]:
                yield item

    async def pages(self, resource: Resource, **which: Unpack[ListOptions]) -> AsyncIterator[Object]:
        """The pages of a list as the server sends them, each with ``metadata.resourceVersion`` and ``items``."""
        namespace = which.get("namespace")
        query = {"limit": str(which.get("page_size", 500))}
        if selector := which.get("label_selector"):
            query["labelSelector"] = selector
        if selector := which.get("field_selector"):
            query["fieldSelector"] = selector
        while True:
            page = await self._call("list", resource, "GET", resource.path(namespace=namespace), query=query)
            metadata, items = page.get("metadata"), page.get("items", ())
            if not isinstance(metadata, dict) or not isinstance(items, list | None):
                raise UnavailableError(_BROKEN)
            yield {**page, "items": items or []}
            if not metadata.get("continue"):
                return
            query["continue"] = metadata["continue"]

    async def create(
        self, resource: Resource, *, namespace: str | None, body: Object, dry_run: bool = False, strict: bool = False
    ) -> Object:
        """The created object. Raises `AlreadyExistsError`, `InvalidError`, `ForbiddenError`.

        After `UnavailableError` the object may exist. With `strict` the API server rejects unknown fields instead of
        dropping them (Kubernetes API concepts, "Field validation").
        """
        query = {**({"dryRun": "All"} if dry_run else {}), **({"fieldValidation": "Strict"} if strict else {})} or None
        return await self._call(
            "create", resource, "POST", resource.path(namespace=namespace), query=query, body=body, media=_JSON
        )

    async def patch(
        self,
        resource: Resource,
        *,
        namespace: str | None,
        name: str,
        patch: Object,
        resource_version: str | None = None,
        subresource: str | None = None,
    ) -> Object:
        """The object after a JSON merge patch (RFC 7396); with `resource_version`, `ConflictError` if it changed."""
        if resource_version is not None:
            patch = {**patch, "metadata": {**patch.get("metadata", {}), "resourceVersion": resource_version}}
        path = resource.path(namespace=namespace, name=name, subresource=subresource)
        return await self._call("patch", resource, "PATCH", path, body=patch, media=_MERGE)

    async def apply(
        self,
        resource: Resource,
        *,
        namespace: str | None,
        name: str,
        body: Object,
        manager: str,
        subresource: str | None = None,
        force: bool = True,
    ) -> Object:
        """The object after a server-side apply by the field manager `manager`."""
        full = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            **body,
            "metadata": {**body.get("metadata", {}), "name": name},
        }
        path = resource.path(namespace=namespace, name=name, subresource=subresource)
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self._call("patch", resource, "PATCH", path, query=query, body=full, media=_APPLY)

    async def delete(
        self,
        resource: Resource,
        *,
        namespace: str | None,
        name: str,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_seconds: int | None = None,
    ) -> Object | None:
        """Delete one object and return the API server's answer; None for a missing object, which is no error.

        Raises `ConflictError` when it does not have this `uid` or `resource_version`.
        """
        options: Object = {"propagationPolicy": "Background"}
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        if any(preconditions.values()):
            options["preconditions"] = {key: value for key, value in preconditions.items() if value is not None}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            path = resource.path(namespace=namespace, name=name)
            return await self._call("delete", resource, "DELETE", path, body=options, media=_JSON)
        except KubeError as error:
            if error.status != 404:
                raise
            return None

    async def watch(
        self,
        resource: Resource,
        *,
        namespace: str | None,
        resource_version: str,
        field_selector: str | None = None,
        timeout_seconds: int = 240,
    ) -> AsyncIterator[Object]:
        """Changes since `resource_version`, bookmarks included, as ``{type, object}`` until the server ends the stream.

        Raises `ExpiredError` when the version is too old.
        """
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout_seconds),
        }
        if field_selector:
            query["fieldSelector"] = field_selector
        timeout = aiohttp.ClientTimeout(total=None, connect=10, sock_read=timeout_seconds + 30)
        url = self._server + resource.path(namespace=namespace)
        status = 0
        try:
            async with self._session.get(url, params=query, timeout=timeout, allow_redirects=False) as response:
                status = response.status
                self._on_call("watch", resource, status)
                if status != 200:
                    raise await _refusal(response)
                async for change in _changes(response):
                    yield change
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if not status:
                self._on_call("watch", resource, 0)
            raise UnavailableError(_describe(error)) from error

    async def _call(
        self,
        verb: str,
        resource: Resource,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        media: str | None = None,
    ) -> Object:
        data = None if body is None else _encoded(body)
        headers = {"Content-Type": media} if media else None
        status = 0
        try:
            async with self._session.request(
                method, self._server + path, params=query, data=data, headers=headers, allow_redirects=False
            ) as response:
                raw = await response.read()
                status = response.status
                if not 200 <= status < 300:
                    raise await _refusal(response)
                return _object(raw)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise UnavailableError(_describe(error)) from error
        finally:
            self._on_call(verb, resource, status)


def _encoded(body: Object) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:  # lone surrogates, integers beyond 64 bits, more than 254 levels
        raise InvalidError("the object cannot be written as JSON", status=400, reason="BadRequest") from None


async def _refusal(response: aiohttp.ClientResponse) -> KubeError:
    try:
        body = _object(await response.read())
    except UnavailableError:
        body = {}  # a proxy's page
    return from_status(status=response.status, body=body, retry_after=response.headers.get("Retry-After"))


def _object(raw: bytes) -> Object:
    try:
        answer = decode(raw)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise UnavailableError(_BROKEN)
    return answer


async def _changes(response: aiohttp.ClientResponse) -> AsyncIterator[Object]:
    async for line in lines(response.content):
        change = _object(line)
        item = change.get("object")
        if not isinstance(item, dict):
            raise UnavailableError(_BROKEN)
        if change.get("type") == "ERROR":
            raise from_status(status=int(item.get("code") or 500), body=item)
        yield change


def _describe(error: BaseException) -> str:
    return f"API server unreachable: {type(error).__name__}"


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that turns `before` into `after`: null for removed keys, whole lists, empty when both are equal."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        known = before.get(key)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            inner = merge_patch(known, value)
            if inner:
                patch[key] = inner
        elif key not in before or value != known:
            patch[key] = value
    return patch
