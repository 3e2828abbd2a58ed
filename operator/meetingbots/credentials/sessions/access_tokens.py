"""Access tokens for those who call Zoom: bots and the meeting sync. Kept in memory till shortly before their end.

A token is that of the token Secret as its credential's last reconciliation left it, or is read from there by name.
Where it has run out, or Zoom refused it before its time, that reconciliation is asked to renew it, and waited for a
little while: nothing is renewed here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr

from meetingbots.credentials.decide.revocation import taken_back_at
from meetingbots.credentials.decide.token_state import TokenState, mark_of
from meetingbots.credentials.manifests.token_secret import SecretConflict, read_token_secret
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import SECRETS
from meetingbots.models.base import ModelError
from meetingbots.models.conditions import ConditionType, find
from meetingbots.models.credential import CredentialReason, ZoomCredential
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.jwt_claims import claimed_account

_MARGIN: Final = timedelta(seconds=5)
_PATIENCE_SECONDS: Final = 5.0
_MAY_COME: Final = frozenset({CredentialReason.TOKEN_VALID, CredentialReason.ZOOM_UNAVAILABLE})
_UNUSABLE_REASONS: Final = frozenset({CredentialReason.USER_MISMATCH, CredentialReason.DEAUTHORIZED})


@dataclass(frozen=True, kw_only=True)
class AccessToken:
    """A usable access token, where it is to be used (`api_url` as Zoom said it, may be empty), and whose it is.

    `user_id` is empty where the consent does not allow to ask; `account_id` is what the token says of itself then.
    """

    token: SecretStr = field(repr=False)
    expires_at: datetime
    api_url: str
    user_id: str
    account_id: str


@dataclass(frozen=True, kw_only=True)
class NotReady:
    """There is no usable token now: the credential's reason and a sentence for people."""

    reason: CredentialReason
    message: str

    @property
    def needs_a_person(self) -> bool:
        """Whether waiting is of no use until somebody does something."""
        return self.reason not in _MAY_COME


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """A token in memory. `deauthorized`: which removal of the app, if any, had been told when it was found usable."""

    access: AccessToken
    deauthorized: datetime | None


class AccessTokens:
    """Hands out access tokens by credential."""

    def __init__(
        self,
        *,
        services: OperatorContext,
        patience: float = _PATIENCE_SECONDS,
        wait: Callable[[asyncio.Event, float], Awaitable[None]] | None = None,
    ) -> None:
        """`patience` is how many seconds `get` waits for a renewal; `wait` takes the place of waiting, for tests."""
        self._services = services
        self._patience = patience
        self._wait = wait or _wait
        self._kept: dict[Key, _Kept] = {}
        self._refused: dict[Key, str] = {}
        self._wanted: set[Key] = set()
        self._renewed: dict[Key, asyncio.Event] = {}

    async def get(self, key: Key) -> AccessToken | NotReady:
        """A token that is valid for some seconds at least, or why there is none. Raises `KubeError`."""
        credential = self._credential(key)
        found = await self._find(key, credential)
        if isinstance(found, AccessToken) or isinstance(credential, NotReady) or needs_a_person(credential):
            return found
        event = self._ask_for_renewal(key)
        await self._wait(event, self._patience)
        return await self._read(key, credential)

    async def prefetch(self, key: Key) -> AccessToken | None:
        """The same ahead of time: where there is none it is asked for, and not waited for. Raises `KubeError`."""
        credential = self._credential(key)
        found = await self._find(key, credential)
        if isinstance(found, AccessToken):
            return found
        if isinstance(credential, ZoomCredential) and not needs_a_person(credential):
            self._ask_for_renewal(key)
        return None

    async def _find(self, key: Key, credential: ZoomCredential | NotReady) -> AccessToken | NotReady:
        if isinstance(credential, NotReady):
            self._kept.pop(key, None)
            return credential
        kept = self._kept.get(key)
        if kept is not None and kept.deauthorized == _deauthorized(credential) and self._good(key, kept.access):
            return kept.access
        return await self._read(key, credential)

    def _ask_for_renewal(self, key: Key) -> asyncio.Event:
        event = self._renewed.setdefault(key, asyncio.Event())
        self._wanted.add(key)
        self._services.queues.credentials.add(key)
        return event

    def invalidate(self, key: Key, access: AccessToken) -> None:
        """Zoom refused this token before its time (401): it is not handed out again, and a new one is asked for."""
        self.refuse(key, access.token)

    def refuse(self, key: Key, token: SecretStr) -> None:
        """The same, for one who has only the token itself."""
        self._refused[key] = mark_of(token)
        kept = self._kept.get(key)
        if kept is not None and mark_of(kept.access.token) == self._refused[key]:
            del self._kept[key]
        self._services.queues.credentials.add(key)

    def refused(self, key: Key) -> str:
        """The mark of the token that was last refused; empty without one."""
        return self._refused.get(key, "")

    def wanted(self, key: Key) -> bool:
        """Whether someone waits for a token."""
        return key in self._wanted

    def settled(self, key: Key, *, credential: ZoomCredential, state: TokenState) -> None:
        """The credential was reconciled; its Secret is as it can be now, and holds `state`.

        Its token is handed out from now on, so that no bot has to read it, and one that is no longer the Secret's is
        not. Those who wait look again.
        """
        self._keep(key, credential, state)
        self._wake(key)

    def _wake(self, key: Key) -> None:
        self._wanted.discard(key)
        event = self._renewed.pop(key, None)
        if event is not None:
            event.set()

    def forget(self, key: Key) -> None:
        """The credential is gone."""
        self._kept.pop(key, None)
        self._wake(key)
        self._refused.pop(key, None)

    def _credential(self, key: Key) -> ZoomCredential | NotReady:
        item = self._services.caches.credentials.get(key)
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
            item = await self._services.kube.get(SECRETS, namespace=key.namespace, name=credential.token_secret_name)
        except NotFoundError:
            return _not_ready(credential)
        secret = read_token_secret(item, credential=credential)
        if isinstance(secret, SecretConflict):
            return NotReady(reason=CredentialReason.SECRET_CONFLICT, message=secret.message)
        return self._keep(key, credential, secret.state) or _not_ready(credential)

    def _keep(self, key: Key, credential: ZoomCredential, state: TokenState) -> AccessToken | None:
        """The token of a Secret's state, if it may be used, and now; it alone is kept then."""
        self._kept.pop(key, None)
        if taken_back_at(credential.status, state) is not None:
            return None
        access = _access(state)
        if access is None or not self._good(key, access) or not (access.user_id or _may_not_ask(credential)):
            return None
        self._kept[key] = _Kept(access=access, deauthorized=_deauthorized(credential))
        return access

    def _good(self, key: Key, access: AccessToken) -> bool:
        in_time = self._services.clock() < access.expires_at - _MARGIN
        return in_time and mark_of(access.token) != self._refused.get(key, "")


def _access(state: TokenState) -> AccessToken | None:
    """The token in use, if nothing forbids its use."""
    tokens, rejected = state.tokens, state.rejected_token
    if tokens is None or tokens.expires_at is None:
        return None
    if rejected is not None and rejected.mark == tokens.mark and rejected.reason in _UNUSABLE_REASONS:
        return None
    return AccessToken(
        token=tokens.access_token,
        expires_at=tokens.expires_at,
        api_url=tokens.api_url,
        user_id=state.user_id,
        account_id=state.account_id or claimed_account(tokens.access_token),
    )


def _deauthorized(credential: ZoomCredential) -> datetime | None:
    told = credential.status.deauthorization
    return told.time if told else None


def _may_not_ask(credential: ZoomCredential) -> bool:
    """Whether Zoom does not say whose the tokens are, for want of a scope; what other scopes allow goes on.

    That nobody was pinned before is sure: the tokens of a later consent are not in use before it is known whose they
    are.
    """
    told = find(credential.status.conditions, ConditionType.READY)
    return told is not None and told.reason == CredentialReason.SCOPES_MISSING


def needs_a_person(credential: ZoomCredential) -> bool:
    """Whether its condition tells that waiting is of no use."""
    told = find(credential.status.conditions, ConditionType.READY)
    return told is not None and told.reason not in _MAY_COME


def _not_ready(credential: ZoomCredential) -> NotReady:
    """What the credential's own condition tells; where it is still Ready, its token is just being renewed."""
    told = find(credential.status.conditions, ConditionType.READY)
    try:
        reason = CredentialReason(told.reason) if told else CredentialReason.ZOOM_UNAVAILABLE
    except ValueError:
        reason = CredentialReason.ZOOM_UNAVAILABLE
    if told is None or reason is CredentialReason.TOKEN_VALID:
        return NotReady(
            reason=CredentialReason.ZOOM_UNAVAILABLE,
            message=f"ZoomCredential {credential.name} has no usable access token yet; it is being fetched.",
        )
    return NotReady(reason=reason, message=f"ZoomCredential {credential.name}: {told.message}")


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
