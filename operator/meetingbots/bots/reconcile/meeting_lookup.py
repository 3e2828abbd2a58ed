"""Finds the account of a meeting that no mapping knows, by asking Zoom with account-level credentials.

Only the meeting is asked for. A token is requested only with the credential of the account that has the meeting. The
result becomes a mapping, so that each meeting is looked up once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from cachetools import TTLCache

from meetingbots.bots.decide.tokens import Refusal, refusal_of
from meetingbots.bots.reconcile.credential_reader import CredentialReader, speaks_for_account
from meetingbots.credentials.sessions.access_tokens import needs_a_person
from meetingbots.credentials.sessions.zoom_session import NoAccessTokenError, ZoomSessions
from meetingbots.kube.errors import KubeError
from meetingbots.mappings.decide.listing import with_lookup
from meetingbots.mappings.store import MappingWriter
from meetingbots.models.base import ModelError
from meetingbots.models.bot import BotReason, MeetingBot, TokenKind
from meetingbots.models.credential import ZoomCredential
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.errors import Cause, ZoomError

_log = logging.getLogger(__name__)
_ABSENCE_SECONDS: Final = 60.0
_MAX_ABSENCES: Final = 10_000
_MAX_ACCOUNTS: Final = 16


class MeetingLookup:
    """Asks accounts for a meeting, and remembers for a minute which accounts do not have it."""

    def __init__(
        self,
        *,
        sessions: ZoomSessions,
        credentials: CredentialReader,
        mappings: MappingWriter,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._sessions = sessions
        self._credentials = credentials
        self._mappings = mappings
        self._clock = clock
        self._absent: TTLCache[tuple[Key, str], bool] = TTLCache(_MAX_ABSENCES, ttl=_ABSENCE_SECONDS, timer=monotonic)

    async def find(self, bot: MeetingBot, meeting_id: str, *, tried: Sequence[str]) -> str | tuple[Refusal, ...]:
        """The account-level credential whose account has the meeting, or the refusals of accounts that did not answer.

        Credentials in `tried`, and those that the bot's selector excludes, are left out. Raises `KubeError`.
        """
        refusals: list[Refusal] = []
        for credential in self._candidates(bot, tried):
            answer = await self._has(Key(bot.namespace, credential.name), meeting_id)
            if answer is True:
                return credential.name
            if isinstance(answer, Refusal):
                refusals.append(answer)
        return tuple(refusals)

    async def record(self, *, namespace: str, meeting_id: str, credential: str) -> None:
        """Store in the meeting's mapping that this credential can make its tokens.

        A failure is logged; the next bot for the meeting tries again.
        """
        known = self._credentials.get(Key(namespace, credential))
        try:
            await self._mappings.write(
                namespace=namespace,
                meeting_id=meeting_id,
                decide=partial(with_lookup, credential=credential),
                uids={credential: known.metadata.uid} if known is not None and known.metadata.uid else {},
            )
        except (KubeError, ModelError) as error:
            _log.warning("MeetingMapping %s/%s is not written: %s", namespace, meeting_id, error)

    def _candidates(self, bot: MeetingBot, tried: Sequence[str]) -> list[ZoomCredential]:
        """One credential per account, usable ones first. An unknown account counts as an account of its own."""
        accounts: dict[str, ZoomCredential] = {}
        selector = bot.spec.credential_selector
        known = self._credentials.all(bot.namespace)
        for credential in sorted(known, key=lambda one: (needs_a_person(one), one.name)):
            allowed = selector is None or selector.matches(credential.metadata.labels)
            usable = speaks_for_account(credential) and not credential.spec.suspend
            if allowed and usable and credential.name not in tried:
                accounts.setdefault(credential.status.account_id or credential.name, credential)
        return list(accounts.values())[:_MAX_ACCOUNTS]

    async def _has(self, key: Key, meeting_id: str) -> bool | Refusal:
        if (key, meeting_id) in self._absent:
            return False
        try:
            session = await self._sessions.session(key)
            await session.call(lambda api, token: api.meeting(token, meeting_id=meeting_id))
        except NoAccessTokenError as error:
            # A credential that waits for a person does not delay bots for meetings that may be anybody's.
            transient = not error.not_ready.needs_a_person
            return Refusal(key.name, BotReason.CREDENTIAL_NOT_READY, error.not_ready.message, transient=transient)
        except ZoomError as error:
            if error.kind is Cause.IS_WEBINAR:
                return True
            refusal = refusal_of(key.name, TokenKind.LOCAL_RECORDING, error, now=self._clock())
            if refusal.transient:
                return refusal
            self._absent[key, meeting_id] = True
            return False
        return True
