"""Zoom's truth about meetings, read page by page: those of one user, or of everybody in an account.

An account of 10,000 users takes many minutes within its medium rate limit. The token is asked for anew all the time,
for it runs out meanwhile; users who leave in the middle of it are passed over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol, TypeVar

from meetingbots.credentials.sessions.access_tokens import AccessToken
from meetingbots.mappings.decide.listing import Listed
from meetingbots.models.credential import SyncProgress
from meetingbots.models.mapping import Source
from meetingbots.runtime.context import OperatorContext
from meetingbots.zoom.api import MeetingSummary, User, ZoomAPI
from meetingbots.zoom.errors import Cause, ZoomError

T = TypeVar("T")


class TokenSource(Protocol):
    """Where a long reading gets its access tokens."""

    async def get(self) -> AccessToken:
        """A usable token. Raises `ZoomError` where there is none now."""

    def refuse(self, access: AccessToken) -> None:
        """Zoom does not take this one any more."""


class MeetingLists:
    """Reads into `found`: meeting IDs, and how and for when Zoom listed them."""

    def __init__(
        self,
        *,
        services: OperatorContext,
        tokens: TokenSource,
        progress: Callable[[SyncProgress], Awaitable[None]],
        start: datetime,
    ) -> None:
        self.found: dict[str, Listed] = {}
        self._services = services
        self._tokens = tokens
        self._access: AccessToken | None = None
        self._tell = progress
        self._start = start
        self._users_done: int | None = None
        self._users_total: int | None = None

    async def read_own(self) -> str | None:
        """Read the meetings of the token's user, whose personal meeting ID is the answer. Raises `ZoomError`."""
        user = await self._once_more_from_the_start(self._me)
        await self._read(user, user_id="me")
        return user.pmi

    async def read_account(self) -> str | None:
        """Read the meetings of all active users of the account; the answer is as that of `read_own`."""
        owner = await self._once_more_from_the_start(self._me)
        users = await self._once_more_from_the_start(self._users)
        self._users_done, self._users_total = 0, len(users)
        await self._report()
        for done, user in enumerate(users, start=1):
            await self._read(user, user_id=user.id)
            self._users_done = done
            await self._report()
        return owner.pmi

    async def _asking(self) -> tuple[ZoomAPI, AccessToken]:
        self._access = access = await self._tokens.get()
        return self._services.zoom_api(access.api_url, account=access.account_id), access

    async def _me(self) -> User:
        api, access = await self._asking()
        return await api.me(access.token)

    async def _users(self) -> list[User]:
        api, access = await self._asking()
        return [user async for user in api.users(access.token)]

    async def _read(self, user: User, *, user_id: str) -> None:
        async def read() -> dict[str, Listed]:
            return await self._listed(user, user_id=user_id)

        try:
            self.found |= await self._once_more_from_the_start(read)
        except ZoomError as error:
            if error.kind is not Cause.USER_NOT_FOUND or user_id == "me":
                raise
            return  # gone since the account's users were listed, and with them their meetings
        if user.pmi:
            self.found[user.pmi] = Listed(Source.PMI, host_id=user.id)

    async def _listed(self, user: User, *, user_id: str) -> dict[str, Listed]:
        api, access = await self._asking()
        found: dict[str, Listed] = {}
        async for page in api.meeting_pages(access.token, user_id=user_id):
            for meeting in page:
                if meeting.host_id in ("", user.id):
                    found[meeting.id] = Listed(Source.SYNC, _earliest(found.get(meeting.id), meeting), host_id=user.id)
            await self._report(more=len(found))
        return found

    async def _report(self, *, more: int = 0) -> None:
        await self._tell(
            SyncProgress(
                start_time=self._start,
                users_done=self._users_done,
                users_total=self._users_total,
                meetings_read=len(self.found) + more,
            )
        )

    async def _once_more_from_the_start(self, read: Callable[[], Awaitable[T]]) -> T:
        """A list whose next page came too late is read again; so is one whose token ran out, with a newer one."""
        try:
            return await read()
        except ZoomError as error:
            if error.kind not in (Cause.PAGE_EXPIRED, Cause.TOKEN_EXPIRED):
                raise
            if error.kind is Cause.TOKEN_EXPIRED and self._access is not None:
                self._tokens.refuse(self._access)
        return await read()


def _earliest(known: Listed | None, meeting: MeetingSummary) -> datetime | None:
    """A series has a row for each of its dates to come."""
    times = [moment for moment in (known.start_time if known else None, meeting.start_time) if moment is not None]
    return min(times, default=None)
