"""Zoom's REST API: users, meetings and join tokens (Zoom API reference).

A client belongs to one credential, which determines the API's address and the account whose rate limit counts.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from copy import copy
from typing import Final
from urllib.parse import quote, urlsplit

import httpx
from pydantic import SecretStr

from meetingbots.zoom.errors import Cause, PermanentError, TransientError
from meetingbots.zoom.http import calls
from meetingbots.zoom.http.calls import Call, CallObserver, Limiter
from meetingbots.zoom.http.error_table import classify
from meetingbots.zoom.http.exchange import Exchange
from meetingbots.zoom.http.responses import ZoomResponse
from meetingbots.zoom.oauth import DEFAULT_API_URL
from meetingbots.zoom.resources import (
    JoinToken,
    JoinTokenKind,
    MeetingDetail,
    MeetingSummary,
    User,
    detail_of,
    meeting_id_of,
    summary_of,
    user_of,
)

_ZOOM_HOST: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*(?:zoom\.us|zoomgov\.com)")
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")
_PAGE_SIZE: Final = 300
_MOST_PAGES: Final = 2000
_JOIN_TOKEN_SECONDS: Final = 120.0
_JOIN_TOKEN_CALLS: Final = {
    JoinTokenKind.LOCAL_RECORDING: calls.RECORDING_TOKEN,
    JoinTokenKind.LIVE_STREAMING: calls.STREAMING_TOKEN,
    JoinTokenKind.LOCAL_ARCHIVING: calls.ARCHIVING_TOKEN,
}


def followed_api_url(api_url: str, *, configured: str) -> str:
    """Return the API's base for a credential: the cluster that Zoom named, or the configured base.

    Zoom's ``api_url`` is followed only to https hosts within zoom.us and zoomgov.com, and only while the default base
    is configured (Zoom, OAuth, api_url). The result has the version path (``/v2``) and no trailing slash.
    """
    configured = configured.rstrip("/")
    if configured != DEFAULT_API_URL:
        return configured
    try:
        parts = urlsplit(api_url.strip())
        port = parts.port
    except ValueError:
        return configured
    host = parts.netloc.removesuffix(":443") if port == 443 else parts.netloc
    is_plain = not parts.query and not parts.fragment and parts.path.rstrip("/") in ("", "/v2")
    if parts.scheme != "https" or not _ZOOM_HOST.fullmatch(host) or not is_plain:
        return configured
    return f"https://{host}/v2"


class ZoomAPI:
    """The REST calls. Every method raises :class:`meetingbots.zoom.errors.ZoomError`; none retries."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        api_url: str = DEFAULT_API_URL,
        account: str = "",
        deadline: float = 20.0,
        on_call: CallObserver | None = None,
        limiter: Limiter | None = None,
    ) -> None:
        """Create a client.

        Args:
            http: the process's HTTP client.
            api_url: base with version path; see :func:`followed_api_url`.
            account: Zoom account whose rate limit the calls use.
            deadline: seconds for one whole request, without the wait for the limiter.
            on_call: observes every request.
            limiter: admits every request.

        """
        self._http = http
        self._api_url = api_url.rstrip("/")
        self._made_for: Callable[[str], Exchange] = lambda of: Exchange(
            http, deadline=deadline, account=of, on_call=on_call, limiter=limiter
        )
        self._exchange = self._made_for(account)

    def of_account(self, account: str) -> ZoomAPI:
        """Return a client for calls that use this Zoom account's rate limit."""
        view = copy(self)
        view._exchange = self._made_for(account)
        return view

    async def me(self, token: SecretStr) -> User:
        """Return the user of the token."""
        return await self.user(token, user_id="me")

    async def user(self, token: SecretStr, *, user_id: str) -> User:
        """Return a user by ID or e-mail address; another user than the token's needs an account-level token."""
        fields, answer = await self._get(f"users/{quote(user_id, safe='')}", call=calls.USER, token=token)
        user = user_of(fields)
        if user is None:
            raise classify(answer, call=calls.USER)
        return user

    async def users(self, token: SecretStr) -> AsyncIterator[User]:
        """List the account's active users (account-level token)."""
        async for rows in self._pages("users", key="users", query={"status": "active"}, call=calls.USERS, token=token):
            for user in map(user_of, rows):
                if user is not None:
                    yield user

    async def meeting_pages(
        self, token: SecretStr, *, user_id: str = "me"
    ) -> AsyncIterator[tuple[MeetingSummary, ...]]:
        """List a user's future scheduled meetings, a page (one request, up to 300 meetings) at a time.

        Zoom's list contains neither instant meetings nor webinars.
        """
        path = f"users/{quote(user_id, safe='')}/meetings"
        async for rows in self._pages(
            path, key="meetings", query={"type": "scheduled"}, call=calls.MEETINGS, token=token
        ):
            yield tuple(meeting for meeting in map(summary_of, rows) if meeting is not None)

    async def webinar_pages(
        self, token: SecretStr, *, user_id: str = "me"
    ) -> AsyncIterator[tuple[MeetingSummary, ...]]:
        """List a user's webinars, a page at a time. Without a webinar plan, Zoom answers FEATURE_DISABLED."""
        path = f"users/{quote(user_id, safe='')}/webinars"
        async for rows in self._pages(
            path, key="webinars", query={"type": "scheduled"}, call=calls.WEBINARS, token=token
        ):
            yield tuple(webinar for webinar in map(summary_of, rows) if webinar is not None)

    async def meeting(self, token: SecretStr, *, meeting_id: str, webinar: bool = False) -> MeetingDetail:
        """Return one meeting; webinars have their own path."""
        number = _checked(meeting_id)
        path = f"{'webinars' if webinar else 'meetings'}/{number}"
        fields, answer = await self._get(path, call=calls.MEETING, token=token)
        if not isinstance(fields.get("host_id"), str):
            raise classify(answer, call=calls.MEETING)
        return detail_of(fields, meeting_id=number)

    async def join_token(
        self,
        token: SecretStr,
        *,
        meeting_id: str,
        kind: JoinTokenKind = JoinTokenKind.LOCAL_RECORDING,
        webinar: bool = False,
        bypass_waiting_room: bool = True,
    ) -> JoinToken:
        """Create a join token; needs the token of the meeting's host or of the host's account.

        ``bypass_waiting_room`` applies to local recording only.
        """
        call = _JOIN_TOKEN_CALLS[kind]
        path = f"{'webinars' if webinar else 'meetings'}/{_checked(meeting_id)}/jointoken/{kind.value}"
        query = {"bypass_waiting_room": str(bypass_waiting_room).lower()} if call is calls.RECORDING_TOKEN else {}
        fields, answer = await self._get(path, call=call, token=token, query=query)
        life = fields.get("expire_in")
        is_number = isinstance(life, (int, float)) and not isinstance(life, bool) and life > 0
        return JoinToken(
            token=_token(fields, answer=answer, call=call),
            expires_in=float(life) if isinstance(life, (int, float)) and is_number else _JOIN_TOKEN_SECONDS,
            asked_seconds=answer.seconds,
        )

    async def on_behalf_token(self, token: SecretStr, *, meeting_id: str) -> SecretStr:
        """Create an on-behalf token: single use; admits the bot while the token's user is in that meeting."""
        query = {"type": "onbehalf", "meeting_id": _checked(meeting_id)}
        fields, answer = await self._get("users/me/token", call=calls.ON_BEHALF_TOKEN, token=token, query=query)
        return _token(fields, answer=answer, call=calls.ON_BEHALF_TOKEN)

    async def zak(self, token: SecretStr, *, user_id: str = "me") -> SecretStr:
        """Create a ZAK (valid for two hours), with which a bot joins as that user."""
        if user_id == "me":
            fields, answer = await self._get("users/me/zak", call=calls.ZAK, token=token)
        else:
            path = f"users/{quote(user_id, safe='')}/token"
            fields, answer = await self._get(path, call=calls.ZAK, token=token, query={"type": "zak"})
        return _token(fields, answer=answer, call=calls.ZAK)

    async def _pages(
        self, path: str, *, key: str, query: Mapping[str, str], call: Call, token: SecretStr
    ) -> AsyncIterator[list[object]]:
        page_token = ""
        for _ in range(_MOST_PAGES):
            asked = {**query, "page_size": str(_PAGE_SIZE)} | ({"next_page_token": page_token} if page_token else {})
            fields, answer = await self._get(path, call=call, token=token, query=asked)
            rows = fields.get(key)
            if not isinstance(rows, list):
                raise classify(answer, call=call)
            yield rows
            following = fields.get("next_page_token") or ""
            if not isinstance(following, str) or following == page_token != "":
                raise classify(answer, call=call)
            if not following:
                return
            page_token = following
        raise TransientError(Cause.UNAVAILABLE, message="Zoom's list does not end")

    async def _get(
        self, path: str, *, call: Call, token: SecretStr, query: Mapping[str, str] | None = None
    ) -> tuple[Mapping[str, object], ZoomResponse]:
        bearer = token.get_secret_value().strip()
        if not _TOKEN.fullmatch(bearer):
            raise TransientError(Cause.TOKEN_EXPIRED, message="the access token is empty or invalid")
        request = self._http.build_request(
            "GET", f"{self._api_url}/{path}", params=query or None, headers={"authorization": f"Bearer {bearer}"}
        )
        return await self._exchange.ask(request, call=call)


def _checked(meeting_id: str) -> str:
    number = meeting_id_of(meeting_id)
    if number is None:
        raise PermanentError(Cause.INVALID_MEETING, message="a meeting ID has 9 to 11 digits")
    return number


def _token(fields: Mapping[str, object], *, answer: ZoomResponse, call: Call) -> SecretStr:
    value = fields.get("token")
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise classify(answer, call=call)
    return SecretStr(value)
