"""Lists in pages: Zoom's `next_page_token`, which lives 15 minutes, and the rows of a user's lists."""

import secrets
from dataclasses import dataclass

from .clock import SimClock
from .errors import ZoomError, invalid_parameter
from .world import Meeting

PAGE_TOKEN_SECONDS = 15 * 60
LARGEST_PAGE = 300


@dataclass(frozen=True, kw_only=True)
class _Place:
    of_what: str
    offset: int
    expires_at: float


class Pages:
    """Remembers the place of each page token; a token belongs to one list with one filter."""

    def __init__(self, *, clock: SimClock) -> None:
        self._clock = clock
        self._places: dict[str, _Place] = {}

    def start(self, *, of_what: str, token: str) -> int:
        """Give the first row of the asked page; ZoomError 400/300 for a token that is unknown or too old."""
        if not token:
            return 0
        place = self._places.get(token)
        if place is None or place.of_what != of_what or self._clock.now() >= place.expires_at:
            raise ZoomError(status=400, code=300, message="The next page token is invalid or expired.")
        return place.offset

    def following(self, *, of_what: str, offset: int, total: int) -> str:
        """Make the token of the page that begins at `offset`; "" at the end."""
        if offset >= total:
            return ""
        token = secrets.token_urlsafe(24)
        self._places[token] = _Place(of_what=of_what, offset=offset, expires_at=self._clock.now() + PAGE_TOKEN_SECONDS)
        return token


def page_size(text: str | None) -> int:
    """Read `page_size` (30 by default, 300 at most)."""
    if text is None:
        return 30
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= LARGEST_PAGE:
        raise invalid_parameter("page_size")
    return int(text)


def listed_times(meeting: Meeting, *, what: str, now: float) -> list[float | None]:
    """Get the start of every row that this meeting has in its host's list (`what`: scheduled, upcoming, live).

    Zoom lists no instant meeting, no personal room and no meeting that is over. A series has a row for each date to
    come, all with one id.
    """
    if meeting.type in (1, 4):
        return []
    if what == "live":
        return [meeting.start_time] if meeting.started else []
    if meeting.type == 3:
        return [None]
    dates = [(item.start_time, item.duration) for item in meeting.occurrences if item.status == "available"]
    if not meeting.occurrences and meeting.start_time is not None:
        dates = [(meeting.start_time, meeting.duration)]
    ends_after_now = [start for start, minutes in dates if start + minutes * 60 > now]
    return [start for start in ends_after_now if what == "scheduled" or start > now]
