"""Reads Zoom's meeting lists page by page: those of one user, or of every user of an account.

An account of 10,000 users takes many minutes within its rate limit. Each list is one call of a session, so an access
token that expires in between is replaced. A user of an account whom Zoom refuses to list is skipped: a refusal of one
user's list says nothing about the other users, and nothing about that user's meetings.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

from pydantic import SecretStr

from meetingbots.credentials.sessions.zoom_session import ZoomSession
from meetingbots.mappings.decide.listing import ListedMeeting
from meetingbots.models.credential import SyncProgress
from meetingbots.models.mapping import Source
from meetingbots.zoom.api import ZoomAPI
from meetingbots.zoom.errors import Cause, ZoomError
from meetingbots.zoom.resources import MeetingSummary, User

_log = logging.getLogger(__name__)
_OF_THE_TOKEN: Final = frozenset(
    {
        Cause.APP_DISABLED,
        Cause.APP_INVALID,
        Cause.CONSENT_REVOKED,
        Cause.DISABLED_BY_ADMIN,
        Cause.PAGE_EXPIRED,
        Cause.RATE_LIMITED,
        Cause.SCOPES_MISSING,
        Cause.TOKEN_EXPIRED,
        Cause.UNAVAILABLE,
        Cause.WRONG_TOKEN_KIND,
    }
)
"""Causes that concern every list, so that the next list would fail as well."""

_NOT_REFUSALS: Final = frozenset({401, 408, 425, 429})

T = TypeVar("T")
Progress: TypeAlias = Callable[[SyncProgress], Awaitable[None]]


class MeetingLists:
    """Reads into `found`: meeting IDs, and how Zoom listed them.

    `skipped` has the IDs of users that Zoom refused to list; `incomplete` also those of whom it refused the webinars.
    """

    def __init__(
        self,
        *,
        open_session: Callable[[], Awaitable[ZoomSession]],
        progress: Progress,
        start: datetime,
        webinars: bool,
    ) -> None:
        """`progress` is called after each page; `start` is when the sync started; `webinars`: read those, too."""
        self.found: dict[str, ListedMeeting] = {}
        self.skipped: list[str] = []
        self.incomplete: set[str] = set()
        self._webinars = webinars
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
            try:
                await self._read(user, user_id=user.id)
            except ZoomError as error:
                # When Zoom refuses every user, the account's token is at fault.
                if not _is_of_one_user(error) or len(self.skipped) + 1 == len(users):
                    raise
                self.skipped.append(user.id)
                if error.kind is not Cause.USER_NOT_FOUND:
                    self.incomplete.add(user.id)
                _log.info("the meetings of Zoom user %s are skipped: %s", user.id, error)
            self._users_done = done
            await self._report()
        return owner

    async def _read(self, user: User, *, user_id: str) -> None:
        self.found |= await self._call(lambda api, token: self._list(api.meeting_pages(token, user_id=user_id), user))
        if user.pmi:
            self.found[user.pmi] = ListedMeeting(Source.PMI, host_id=user.id)
        if not self._webinars:
            return
        try:
            self.found |= await self._call(
                lambda api, token: self._list(api.webinar_pages(token, user_id=user_id), user)
            )
        except ZoomError as error:
            if not error.definite and not _is_of_one_user(error):
                raise
            self.incomplete.add(user.id)
            _log.debug("Zoom user %s has no webinars: %s", user.id, error)

    async def _list(self, pages: AsyncIterator[tuple[MeetingSummary, ...]], user: User) -> dict[str, ListedMeeting]:
        found: dict[str, ListedMeeting] = {}
        async for page in pages:
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


def _is_of_one_user(error: ZoomError) -> bool:
    """Return whether Zoom refuses one user's list, with whatever code: the lists of the other users can be read."""
    status = error.http_status or 0
    return error.kind not in _OF_THE_TOKEN and 400 <= status < 500 and status not in _NOT_REFUSALS


async def _me(api: ZoomAPI, token: SecretStr) -> User:
    return await api.me(token)


async def _users(api: ZoomAPI, token: SecretStr) -> list[User]:
    return [user async for user in api.users(token)]


def _earliest(known: ListedMeeting | None, meeting: MeetingSummary) -> datetime | None:
    """Return the next time of a meeting; a series has one row for each of its future occurrences."""
    times = [moment for moment in (known.start_time if known else None, meeting.start_time) if moment is not None]
    return min(times, default=None)
