"""Reads Zoom's meeting lists page by page: those of one user, or of every user of an account.

An account of 10,000 users takes many minutes within its rate limit. Each list is one call of a session, so an access
token that expires in between is replaced. Users who leave in between are skipped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias, TypeVar

from pydantic import SecretStr

from meetingbots.credentials.sessions.zoom_session import ZoomSession
from meetingbots.mappings.decide.listing import ListedMeeting
from meetingbots.models.credential import SyncProgress
from meetingbots.models.mapping import Source
from meetingbots.zoom.api import MeetingSummary, User, ZoomAPI
from meetingbots.zoom.errors import Cause, ZoomError

T = TypeVar("T")
Progress: TypeAlias = Callable[[SyncProgress], Awaitable[None]]


class MeetingLists:
    """Reads into `found`: meeting IDs, and how Zoom listed them."""

    def __init__(
        self, *, open_session: Callable[[], Awaitable[ZoomSession]], progress: Progress, start: datetime
    ) -> None:
        """`progress` is called after each page; `start` is when the sync started."""
        self.found: dict[str, ListedMeeting] = {}
        self._open_session = open_session
        self._progress = progress
        self._start = start
        self._users_done: int | None = None
        self._users_total: int | None = None

    async def read_own(self) -> User:
        """Read the meetings of the token's user, and return the user. Raises `ZoomError` and `NoAccessTokenError`."""
        user = await self._call(_me)
        await self._read(user, user_id="me")
        return user

    async def read_account(self) -> User:
        """Read the meetings of all active users of the account, and return the token's user. Raises like `read_own`."""
        owner = await self._call(_me)
        users = await self._call(_users)
        self._users_done, self._users_total = 0, len(users)
        await self._report()
        for done, user in enumerate(users, start=1):
            await self._read(user, user_id=user.id)
            self._users_done = done
            await self._report()
        return owner

    async def _read(self, user: User, *, user_id: str) -> None:
        async def read(api: ZoomAPI, token: SecretStr) -> dict[str, ListedMeeting]:
            return await self._list(api, token, user=user, user_id=user_id)

        try:
            self.found |= await self._call(read)
        except ZoomError as error:
            if error.kind is not Cause.USER_NOT_FOUND or user_id == "me":
                raise
            return  # left the account since its users were listed
        if user.pmi:
            self.found[user.pmi] = ListedMeeting(Source.PMI, host_id=user.id)

    async def _list(self, api: ZoomAPI, token: SecretStr, *, user: User, user_id: str) -> dict[str, ListedMeeting]:
        found: dict[str, ListedMeeting] = {}
        async for page in api.meeting_pages(token, user_id=user_id):
            for meeting in page:
                if meeting.host_id in ("", user.id):
                    earliest = _earliest(found.get(meeting.id), meeting)
                    found[meeting.id] = ListedMeeting(Source.SYNC, earliest, host_id=user.id)
            await self._report(more=len(found))
        return found

    async def _call(self, read: Callable[[ZoomAPI, SecretStr], Awaitable[T]]) -> T:
        """Read with a session; read the list again when its next page was requested too late."""
        session = await self._open_session()
        try:
            return await session.call(read)
        except ZoomError as error:
            if error.kind is not Cause.PAGE_EXPIRED:
                raise
        return await session.call(read)

    async def _report(self, *, more: int = 0) -> None:
        await self._progress(
            SyncProgress(
                start_time=self._start,
                users_done=self._users_done,
                users_total=self._users_total,
                meetings_read=len(self.found) + more,
            )
        )


async def _me(api: ZoomAPI, token: SecretStr) -> User:
    return await api.me(token)


async def _users(api: ZoomAPI, token: SecretStr) -> list[User]:
    return [user async for user in api.users(token)]


def _earliest(known: ListedMeeting | None, meeting: MeetingSummary) -> datetime | None:
    """Return the next time of a meeting; a series has one row for each of its future occurrences."""
    times = [moment for moment in (known.start_time if known else None, meeting.start_time) if moment is not None]
    return min(times, default=None)
