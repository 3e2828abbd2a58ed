"""The record of the simulator's calls and of every secret that it issued, for assertions of tests."""

import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request to Zoom's OAuth server or REST interface. Holds no token, code or query.

    `time` is true simulated time; `status` None: the connection ended without an answer. `fault` names the fault that
    was in force. `category` is that of the rate limit.
    """

    time: float
    call: str
    method: str
    path: str
    client_id: str | None = None
    user_id: str | None = None
    account_id: str | None = None
    status: int | None = None
    code: int | str | None = None
    fault: str | None = None
    category: str | None = None


@dataclass(kw_only=True)
class RefreshUse:
    """A presentation of a refresh token at `time` (real, epoch seconds) by the app of `user_id` (None: unknown token).

    `rotated`: Zoom had replaced the token before. `lost`: the client did not get Zoom's answer as it was.
    """

    token: str = field(repr=False)
    time: float
    user_id: str | None
    rotated: bool
    lost: bool = False


class Recorder:
    """Remembers calls, secrets (value to kind), and each presentation of a refresh token."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.secrets: dict[str, str] = {}
        self.refresh_uses: Counter[str] = Counter()
        self.presentations: list[RefreshUse] = []

    def secret(self, value: str, *, kind: str) -> str:
        """Record a secret, unless it is empty, and return it."""
        if value:
            self.secrets[value] = kind
        return value

    def refresh_used(self, refresh_token: str, *, user_id: str | None, rotated: bool) -> None:
        """Note a presentation of a refresh token, successful or not."""
        self.refresh_uses[refresh_token] += 1
        self.presentations.append(RefreshUse(token=refresh_token, time=time.time(), user_id=user_id, rotated=rotated))

    def refresh_lost(self, refresh_token: str) -> None:
        """Note that the answer to the last presentation of a refresh token did not arrive as it was."""
        last = next((use for use in reversed(self.presentations) if use.token == refresh_token), None)
        if last is not None:
            last.lost = True

    def note(self, call: Call) -> None:
        """Add a finished call."""
        self.calls.append(call)

    def find(self, call: str = "", *, client_id: str | None = None, user_id: str | None = None) -> list[Call]:
        """Get the calls with this name (or below it: `oauth.token` finds `oauth.token.refresh_token`)."""
        return [
            each
            for each in self.calls
            if (not call or each.call == call or each.call.startswith(f"{call}."))
            and client_id in (None, each.client_id)
            and user_id in (None, each.user_id)
        ]

    def clear_calls(self) -> None:
        """Forget the calls; secrets and uses stay."""
        self.calls.clear()

    def peak(self, *, account_id: str, category: str, seconds: float = 1.0) -> int:
        """Get the most calls that one account made in any window of this length (refused ones included)."""
        times = sorted(each.time for each in self.calls if (each.account_id, each.category) == (account_id, category))
        most = start = 0
        for end, moment in enumerate(times):
            while moment - times[start] >= seconds:
                start += 1
            most = max(most, end - start + 1)
        return most
