"""Meetings that no mapping knows: whether an account-level credential's account hosts them, asked of Zoom itself.

Asked is for the meeting only; a token is asked for with the credential of the account that has it, and with no other.
What was found is written down as a mapping, so that it is asked once.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from meetingbots.bots.decide.token_errors import Refusal, refusal_of
from meetingbots.credentials.sessions.access_tokens import AccessToken, AccessTokens, NotReady, needs_a_person
from meetingbots.kube.errors import KubeError
from meetingbots.mappings.decide.lookup import knows, looked_up
from meetingbots.mappings.writer import MappingWriter
from meetingbots.models.base import ModelError
from meetingbots.models.bot import BotReason, MeetingBot, TokenKind
from meetingbots.models.credential import Level, ZoomCredential
from meetingbots.models.mapping import MeetingMapping
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.errors import Cause, TransientError, ZoomError
from meetingbots.zoom.resources import MeetingDetail

_log = logging.getLogger(__name__)
_NO_IS_KEPT: Final = timedelta(seconds=60)
_MOST_ACCOUNTS: Final = 16
_HAVE_IT: Final = frozenset({Cause.IS_WEBINAR})


class MeetingLookup:
    """Asks whose meeting it is, and remembers for a short while whose it is not."""

    def __init__(self, *, services: OperatorContext, access_tokens: AccessTokens) -> None:
        self._services = services
        self._access_tokens = access_tokens
        self._writer = MappingWriter(kube=services.kube, clock=lambda: services.clock().timestamp())
        self._no: dict[tuple[Key, str], datetime] = {}

    def credentials(self, namespace: str) -> list[ZoomCredential]:
        """The credentials of a namespace; one that cannot be read is told at its own place."""
        cache, found = self._services.caches.credentials, []
        for key in cache:
            item = cache.get(key) if key.namespace == namespace else None
            if item is not None:
                with contextlib.suppress(ModelError):
                    found.append(ZoomCredential.from_object(item))
        return found

    async def find(self, bot: MeetingBot, meeting_id: str, *, tried: Sequence[str]) -> str | tuple[Refusal, ...]:
        """The account-level credential whose account has this meeting; else of which accounts that is not known.

        Those in `tried` are left out, and all that the bot's selector does not allow. Raises `KubeError`.
        """
        refusals: list[Refusal] = []
        for credential in self._candidates(bot, tried):
            answer = await self._has(Key(bot.namespace, credential.name), meeting_id)
            if answer is True:
                return credential.name
            if isinstance(answer, Refusal):
                refusals.append(answer)
        return tuple(refusals)

    async def describe(self, key: Key, meeting_id: str, *, webinar: bool = False) -> MeetingDetail:
        """What Zoom says of the meeting to this credential. Raises `ZoomError` and `KubeError`."""
        access = await self._access_tokens.get(key)
        if isinstance(access, NotReady):
            raise TransientError(Cause.UNAVAILABLE, message=access.message)
        return await self._ask(access, meeting_id, webinar=webinar)

    async def _ask(self, access: AccessToken, meeting_id: str, *, webinar: bool = False) -> MeetingDetail:
        api = self._services.zoom_api(access.api_url, account=access.account_id)
        return await api.meeting(access.token, meeting_id=meeting_id, webinar=webinar)

    async def record(self, *, namespace: str, meeting_id: str, credential: str) -> None:
        """Write down that this credential may make tokens for the meeting. What fails is tried with the next bot."""
        item = self._services.caches.credentials.get(Key(namespace, credential))
        uid = item["metadata"].get("uid", "") if item is not None else ""
        try:
            await self._writer.write(
                namespace=namespace,
                meeting_id=meeting_id,
                decide=partial(looked_up, credential=credential),
                uids={credential: uid} if uid else {},
            )
        except (KubeError, ModelError) as error:
            _log.warning("MeetingMapping %s/%s is not written: %s", namespace, meeting_id, error)

    def is_new(self, mapping: MeetingMapping | None, credential: str | None) -> bool:
        """Whether it is worth writing down that this credential did."""
        return credential is not None and not knows(mapping, credential)

    def _candidates(self, bot: MeetingBot, tried: Sequence[str]) -> list[ZoomCredential]:
        """One for each account, the usable ones first; whose account is not known counts as one of its own."""
        accounts: dict[str, ZoomCredential] = {}
        selector = bot.spec.credential_selector
        for credential in sorted(self.credentials(bot.namespace), key=lambda one: (needs_a_person(one), one.name)):
            allowed = selector is None or selector.matches(credential.metadata.labels)
            usable = credential.spec.level is Level.ACCOUNT and not credential.spec.suspend
            if allowed and usable and credential.name not in tried:
                accounts.setdefault(credential.status.account_id or credential.name, credential)
        return list(accounts.values())[:_MOST_ACCOUNTS]

    async def _has(self, key: Key, meeting_id: str) -> bool | Refusal:
        now = self._services.clock()
        until = self._no.get((key, meeting_id))
        if until is not None and now < until:
            return False
        access = await self._access_tokens.get(key)
        if isinstance(access, NotReady):
            # One that waits for a person, as for its first consent, holds up no bot whose meeting may be anybody's.
            transient = not access.needs_a_person
            return Refusal(key.name, BotReason.CREDENTIAL_NOT_READY, access.message, transient=transient)
        try:
            await self._ask(access, meeting_id)
        except ZoomError as error:
            if error.kind in _HAVE_IT:
                return True
            refusal = refusal_of(key.name, TokenKind.LOCAL_RECORDING, error, now=now)
            if refusal.transient:
                return refusal
            self._forget(now)
            self._no[key, meeting_id] = now + _NO_IS_KEPT
            return False
        return True

    def _forget(self, now: datetime) -> None:
        self._no = {place: until for place, until in self._no.items() if until > now}
