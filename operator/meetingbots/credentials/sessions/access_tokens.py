"""Access tokens for code that calls Zoom, kept in memory until shortly before they expire.

A token comes from the token Secret, as the last reconciliation left it or by a read. When it has expired, or Zoom
rejected it early, this module requests a reconciliation and waits for it briefly. It refreshes nothing itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr

from meetingbots.credentials.decide.facts import unproven_account
from meetingbots.credentials.decide.granted import Proof, initial_proof
from meetingbots.credentials.decide.revocation import revoked_at
from meetingbots.credentials.decide.token_state import SecretConflict, Tokens, TokenState, mark_of
from meetingbots.credentials.manifests.token_secret import read_token_secret
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import SECRETS
from meetingbots.models.base import ModelError
from meetingbots.models.conditions import ConditionType, find
from meetingbots.models.credential import CredentialReason, ZoomCredential
from meetingbots.runtime.object_cache import Key, ObjectCache
from meetingbots.runtime.work_queue import WorkQueue
from meetingbots.zoom.oauth import Environment
from meetingbots.zoom.resources import claimed_account

_MARGIN: Final = timedelta(seconds=5)
WAIT_SECONDS: Final = 5.0
_TEMPORARY: Final = frozenset({CredentialReason.TOKEN_VALID, CredentialReason.ZOOM_UNAVAILABLE})
_UNUSABLE_REASONS: Final = frozenset({CredentialReason.USER_MISMATCH, CredentialReason.DEAUTHORIZED})


@dataclass(frozen=True, kw_only=True)
class AccessToken:
    """A usable access token with its API address (as Zoom named it, may be empty) and its user.

    `user_id` is empty when the scopes do not allow to identify the user; `account_id` is then the unverified claim of
    the token itself. `rate_account` is the account that calls are counted for: unproven ones share no rate.
    """

    token: SecretStr = field(repr=False)
    expires_at: datetime
    api_url: str
    user_id: str
    account_id: str
    rate_account: str

    @property
    def environment(self) -> Environment | None:
        """Where the token's app is registered; None where Zoom named an unknown address."""
        return Environment.named(self.api_url)


@dataclass(frozen=True, kw_only=True)
class NotReady:
    """There is no usable token: the credential's reason and a message for people."""

    reason: CredentialReason
    message: str
    environment: Environment | None = None
    """Of the tokens that are no longer in use; None if there were none."""

    @property
    def needs_a_person(self) -> bool:
        """Whether only a person's action can bring a token."""
        return self.reason not in _TEMPORARY


class AccessTokens:
    """Hands out access tokens by credential."""

    def __init__(
        self,
        *,
        kube: Kube,
        credentials: ObjectCache,
        queue: WorkQueue[Key],
        clock: Callable[[], datetime],
        wait_seconds: float = WAIT_SECONDS,
        wait: Callable[[asyncio.Event, float], Awaitable[None]] | None = None,
    ) -> None:
        """`queue` takes requests for reconciliations; `get` waits at most `wait_seconds` for one."""
        self._kube = kube
        self._credentials = credentials
        self._queue = queue
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._wait = wait or _wait
        self._cached: dict[Key, AccessToken] = {}
        self._refused: dict[Key, str] = {}
        self._wanted: set[Key] = set()
        self._settled: dict[Key, asyncio.Event] = {}

    async def get(self, key: Key) -> AccessToken | NotReady:
        """Return a token that is valid for some seconds at least, or why there is none. Raises `KubeError`."""
        credential = self._credential(key)
        found = await self._find(key, credential)
        if isinstance(found, AccessToken) or isinstance(credential, NotReady) or needs_a_person(credential):
            return found
        event = self._request_refresh(key)
        await self._wait(event, self._wait_seconds)
        return await self._read(key, credential)

    async def prefetch(self, key: Key) -> AccessToken | None:
        """Return a token if there is one, else request it without waiting. Raises `KubeError`."""
        credential = self._credential(key)
        found = await self._find(key, credential)
        if isinstance(found, AccessToken):
            return found
        if isinstance(credential, ZoomCredential) and not needs_a_person(credential):
            self._request_refresh(key)
        return None

    async def _find(self, key: Key, credential: ZoomCredential | NotReady) -> AccessToken | NotReady:
        if isinstance(credential, NotReady):
            self._cached.pop(key, None)
            return credential
        cached = self._cached.get(key)
        if cached is not None and self._good(key, cached):
            return cached
        return await self._read(key, credential)

    def _request_refresh(self, key: Key) -> asyncio.Event:
        event = self._settled.setdefault(key, asyncio.Event())
        self._wanted.add(key)
        self._queue.add(key)
        return event

    def invalidate(self, key: Key, access: AccessToken) -> None:
        """Take back a token that Zoom rejected before its expiry (401), and request a new one."""
        self.refuse(key, access.token)

    def refuse(self, key: Key, token: SecretStr) -> None:
        """Take back a token that Zoom rejected, and request a new one."""
        self._refused[key] = mark_of(token)
        cached = self._cached.get(key)
        if cached is not None and mark_of(cached.token) == self._refused[key]:
            del self._cached[key]
        self._queue.add(key)

    def refused(self, key: Key) -> str:
        """Return the mark of the token that Zoom rejected last; empty without one."""
        return self._refused.get(key, "")

    def wanted(self, key: Key) -> bool:
        """Return whether someone waits for a token."""
        return key in self._wanted

    def settled(self, key: Key, *, credential: ZoomCredential, state: TokenState, proof: Proof | None) -> None:
        """Cache the token that a reconciliation left in the Secret, and wake those who wait for it."""
        self._cache(key, credential, state, proof)
        self._wake(key)

    def _wake(self, key: Key) -> None:
        self._wanted.discard(key)
        event = self._settled.pop(key, None)
        if event is not None:
            event.set()

    def forget(self, key: Key) -> None:
        """Forget a deleted credential."""
        self._cached.pop(key, None)
        self._wake(key)
        self._refused.pop(key, None)

    def _credential(self, key: Key) -> ZoomCredential | NotReady:
        item = self._credentials.get(key)
        if item is None:
            return NotReady(
                reason=CredentialReason.WAITING_FOR_CONSENT, message=f"There is no ZoomCredential {key.name}."
            )
        try:
            credential = ZoomCredential.from_object(item)
        except ModelError as error:
            return NotReady(reason=CredentialReason.WAITING_FOR_CONSENT, message=str(error))
        if credential.spec.suspend:
            return NotReady(
                reason=CredentialReason.SUSPENDED, message=f"ZoomCredential {key.name}: spec.suspend is true."
            )
        return credential

    async def _read(self, key: Key, credential: ZoomCredential) -> AccessToken | NotReady:
        try:
            item = await self._kube.get(SECRETS, namespace=key.namespace, name=credential.token_secret_name)
        except NotFoundError:
            return _not_ready(credential)
        secret = read_token_secret(item, credential=credential)
        if isinstance(secret, SecretConflict):
            return NotReady(reason=CredentialReason.SECRET_CONFLICT, message=secret.message)
        proof = initial_proof(secret.state, credential.status)
        access = self._cache(key, credential, secret.state, proof)
        return access or replace(_not_ready(credential), environment=_environment(secret.state.tokens))

    def _cache(
        self, key: Key, credential: ZoomCredential, state: TokenState, proof: Proof | None
    ) -> AccessToken | None:
        """Cache the token of a Secret's state if it may be used now; drop any other."""
        self._cached.pop(key, None)
        if revoked_at(credential.status, state, now=self._clock()) is not None:
            return None
        access = _access(state, proof, unproven=unproven_account(key.namespace, key.name))
        if access is None or not self._good(key, access) or not (access.user_id or _may_not_ask(credential)):
            return None
        self._cached[key] = access
        return access

    def _good(self, key: Key, access: AccessToken) -> bool:
        in_time = self._clock() < access.expires_at - _MARGIN
        return in_time and mark_of(access.token) != self._refused.get(key, "")


def _environment(tokens: Tokens | None) -> Environment | None:
    return Environment.named(tokens.api_url) if tokens is not None else None


def _access(state: TokenState, proof: Proof | None, *, unproven: str) -> AccessToken | None:
    """Return the token in use, unless a rejection forbids its use."""
    tokens, rejected = state.tokens, state.rejected_token
    if tokens is None or tokens.expires_at is None:
        return None
    if rejected is not None and rejected.mark == tokens.mark and rejected.reason in _UNUSABLE_REASONS:
        return None
    return AccessToken(
        token=tokens.access_token,
        expires_at=tokens.expires_at,
        api_url=tokens.api_url,
        user_id=proof.user_id if proof is not None else "",
        account_id=(proof.account_id if proof is not None else "") or claimed_account(tokens.access_token),
        rate_account=(proof.account_id if proof is not None else "") or unproven,
    )


def _may_not_ask(credential: ZoomCredential) -> bool:
    """Return whether a missing scope hides the user; calls that other scopes allow are possible all the same.

    No user is pinned then: tokens of a later consent are not in use before their user is identified.
    """
    shown = find(credential.status.conditions, ConditionType.READY)
    return shown is not None and shown.reason == CredentialReason.SCOPES_MISSING


def needs_a_person(credential: ZoomCredential) -> bool:
    """Return whether, by the condition Ready, only a person's action can bring a token."""
    shown = find(credential.status.conditions, ConditionType.READY)
    return shown is not None and shown.reason not in _TEMPORARY


def _not_ready(credential: ZoomCredential) -> NotReady:
    """Return the reason of the condition Ready; while that is True, a refresh is in progress."""
    shown = find(credential.status.conditions, ConditionType.READY)
    try:
        reason = CredentialReason(shown.reason) if shown else CredentialReason.ZOOM_UNAVAILABLE
    except ValueError:
        reason = CredentialReason.ZOOM_UNAVAILABLE
    if shown is None or reason is CredentialReason.TOKEN_VALID:
        return NotReady(
            reason=CredentialReason.ZOOM_UNAVAILABLE,
            message=f"ZoomCredential {credential.name} has no usable access token yet; the operator is fetching one.",
        )
    return NotReady(reason=reason, message=f"ZoomCredential {credential.name}: {shown.message}")


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
