"""Sessions of participants: each device that joins a meeting has one, from its joining to its leaving."""

import secrets
import uuid
from dataclasses import dataclass

from .world import User

# The first number that Zoom gives to a session of a meeting, and the step to the next one.
FIRST_USER_ID = 16_778_240
USER_ID_STEP = 1024


@dataclass(frozen=True, kw_only=True)
class Session:
    """One device in one meeting.

    `user_id` and `participant_uuid` are Zoom's names of the session, `user` is None for a guest. `customer_key` is
    what an SDK client set when it joined.
    """

    meeting_id: int
    user: User | None
    name: str
    device: str
    user_id: str
    participant_uuid: str
    customer_key: str = ""


class Sessions:
    """Gives every session its ids, and finds the session again when it ends."""

    def __init__(self) -> None:
        self._next_user_id: dict[int, int] = {}
        self._running: dict[tuple[int, str, str], Session] = {}

    def begin(
        self, *, meeting_id: int, user: User | None, name: str, device: str = "", customer_key: str = ""
    ) -> Session:
        """Start a session; a person who joins again on the same device gets a new one."""
        number = self._next_user_id.get(meeting_id, FIRST_USER_ID)
        self._next_user_id[meeting_id] = number + USER_ID_STEP
        session = Session(
            meeting_id=meeting_id,
            user=user,
            name=user.name if user else name,
            device=device,
            user_id=str(number),
            participant_uuid=str(uuid.UUID(bytes=secrets.token_bytes(16))).upper(),
            customer_key=customer_key,
        )
        self._running[_key(meeting_id, user, name, device)] = session
        return session

    def end(self, *, meeting_id: int, user: User | None, name: str, device: str = "") -> Session:
        """End a session. A person who was never seen joining gets a session that begins and ends here."""
        key = _key(meeting_id, user, name, device)
        if key not in self._running:
            self.begin(meeting_id=meeting_id, user=user, name=name, device=device)
        return self._running.pop(key)

    def present(self, *, meeting_id: int, user: User) -> bool:
        """Whether the user has a running session in the meeting."""
        return any(each.user is not None and each.user.id == user.id for each in self._of(meeting_id))

    def end_all(self, *, meeting_id: int) -> None:
        """End every session of a meeting; the next run counts from the first number again."""
        for session in self._of(meeting_id):
            del self._running[_key(meeting_id, session.user, session.name, session.device)]
        self._next_user_id.pop(meeting_id, None)

    def _of(self, meeting_id: int) -> list[Session]:
        return [each for each in self._running.values() if each.meeting_id == meeting_id]


def _key(meeting_id: int, user: User | None, name: str, device: str) -> tuple[int, str, str]:
    return meeting_id, user.id if user else f"guest {name}", device
