"""Checks a changed app Secret at Zoom, so that a wrong client secret is found before the next refresh fails.

The check is one request for each change of an app Secret, shared by all its credentials. It spends no token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cachetools import LRUCache
from pydantic import SecretStr

from meetingbots.credentials.decide.facts import AppCheck, Failure
from meetingbots.credentials.decide.failures import next_failure, retry_at
from meetingbots.credentials.decide.token_state import mark_of
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.errors import Cause, ZoomError
from meetingbots.zoom.oauth import AppCredentials, OAuthClient

_MAX_APPS: Final = 10_000
_IN_PROGRESS: Final = timedelta(seconds=5)
"""When to look for the result of another credential's check."""
_INTERVAL: Final = timedelta(seconds=10)
"""Between two checks of one app, however often its Secret changes."""
_INVALID: Final = frozenset({Cause.APP_INVALID, Cause.APP_DISABLED})
_NO_ANSWER: Final = frozenset({Cause.UNAVAILABLE, Cause.RATE_LIMITED})


@dataclass
class _App:
    """The last known content of an app Secret (its mark), and what Zoom says about it."""

    mark: str
    due: datetime | None = None
    checked: datetime | None = None
    failure: Failure | None = None
    unanswered: int = 0


class AppChecks:
    """Remembers the app Secrets that this process has seen. The first content counts as right, unless in doubt."""

    def __init__(self, *, oauth: OAuthClient, clock: Callable[[], datetime]) -> None:
        self._oauth = oauth
        self._clock = clock
        self._apps: LRUCache[Key, _App] = LRUCache(maxsize=_MAX_APPS)

    def see(self, key: Key, app: AppCredentials, *, in_doubt: bool) -> AppCheck:
        """Take note of the present content of an app Secret; return the state of its check.

        `in_doubt`: an earlier process reported that Zoom rejects the app.
        """
        mark = mark_of(SecretStr(f"{app.client_id}\n{app.client_secret.get_secret_value()}\n{app.environment}"))
        known = self._apps.get(key)
        if known is None:
            known = self._apps[key] = _App(mark, due=self._clock() if in_doubt else None)
        elif known.mark != mark:
            now = self._clock()
            due = now if known.checked is None else max(now, known.checked + _INTERVAL)
            known = self._apps[key] = _App(mark, due=due, checked=known.checked)
        return AppCheck(due=known.due, failure=known.failure)

    async def check(self, key: Key, app: AppCredentials) -> None:
        """Ask Zoom, unless another credential has just done so."""
        known, now = self._apps.get(key), self._clock()
        if known is None or known.due is None or known.due > now:
            return
        known.checked, known.due = now, now + _IN_PROGRESS
        try:
            await self._oauth.check_app(app, now=now)
        except ZoomError as error:
            self._failed(known, error)
            return
        known.due, known.failure = None, None

    def _failed(self, known: _App, error: ZoomError) -> None:
        now = self._clock()
        if error.kind in _INVALID and error.definite:
            known.failure = next_failure(error, before=known.failure, now=now)
            known.due = known.failure.retry_at
        elif error.kind in _NO_ANSWER:
            known.unanswered += 1
            known.due = retry_at(error, failures=known.unanswered, now=now)
        else:
            known.due, known.failure = None, None  # the client is accepted, this kind of request is not
