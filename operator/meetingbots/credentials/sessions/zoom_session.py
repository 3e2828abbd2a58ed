"""Calls Zoom for one credential, and replaces an access token that Zoom rejects before its expiry.

Zoom may revoke an access token early (401, code 124). The session then invalidates the token, waits for the renewal and
repeats the call once. All code outside this slice calls Zoom through a session.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from pydantic import SecretStr

from meetingbots.credentials.sessions.access_tokens import AccessToken, AccessTokens, NotReady
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.api import ZoomAPI
from meetingbots.zoom.errors import Cause, ZoomError

T = TypeVar("T")


class APIFactory(Protocol):
    """Makes REST clients."""

    def __call__(self, api_url: str, *, account: str) -> ZoomAPI:
        """Return the client for a token's `api_url`, limited by the rate of `account`."""


class NoAccessTokenError(Exception):
    """A credential has no usable access token. `not_ready` holds the reason and a message without secrets."""

    def __init__(self, not_ready: NotReady) -> None:
        super().__init__(not_ready.message)
        self.not_ready = not_ready


class ZoomSession:
    """Calls Zoom with one credential's access token. Concurrent calls share a renewed token."""

    def __init__(self, key: Key, access: AccessToken, *, access_tokens: AccessTokens, api_factory: APIFactory) -> None:
        self._key = key
        self._access = access
        self._access_tokens = access_tokens
        self._api_factory = api_factory

    @property
    def access(self) -> AccessToken:
        """The access token that the next call uses."""
        return self._access

    async def call(self, request: Callable[[ZoomAPI, SecretStr], Awaitable[T]]) -> T:
        """Return the result of `request(api, token)`; `request` runs twice when Zoom rejects the first token.

        Raises `ZoomError` and `KubeError`. When no newer token is available, the first `ZoomError` stands.
        """
        access = self._access
        try:
            return await self._send(request, access)
        except ZoomError as error:
            if error.kind is not Cause.TOKEN_EXPIRED or not await self._renew(access):
                raise
        return await self._send(request, self._access)

    async def _send(self, request: Callable[[ZoomAPI, SecretStr], Awaitable[T]], access: AccessToken) -> T:
        return await request(self._api_factory(access.api_url, account=access.rate_account), access.token)

    async def _renew(self, rejected: AccessToken) -> bool:
        """Replace `rejected`, unless a concurrent call has done so; return whether there is a newer token."""
        if self._access is rejected:
            self._access_tokens.invalidate(self._key, rejected)
            newer = await self._access_tokens.get(self._key)
            if isinstance(newer, NotReady):
                return False
            self._access = newer
        return True


class ZoomSessions:
    """Opens sessions by credential."""

    def __init__(self, *, access_tokens: AccessTokens, api_factory: APIFactory) -> None:
        self._access_tokens = access_tokens
        self._api_factory = api_factory

    async def session(self, key: Key) -> ZoomSession:
        """Return a session with a usable access token. Raises `NoAccessTokenError` and `KubeError`."""
        access = await self._access_tokens.get(key)
        if isinstance(access, NotReady):
            raise NoAccessTokenError(access)
        return ZoomSession(key, access, access_tokens=self._access_tokens, api_factory=self._api_factory)
