"""Hands the tokens of a consent that was given on another person's link to that user's own credential.

Zoom keeps one consent for each user and app: the new consent has ended the earlier one, so that the refresh token of
the user's own credential no longer works. Its token Secret gets the new tokens before anybody else drops them. After a
crash in between, the tokens are handed over once more, which changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from meetingbots.credentials.decide.granted import Proof
from meetingbots.credentials.decide.token_changes import received
from meetingbots.credentials.decide.token_state import Tokens, TokenSecret
from meetingbots.credentials.reconcile.gather import Gathered
from meetingbots.credentials.reconcile.memory import CredentialMemories
from meetingbots.credentials.reconcile.token_store import NotStoredError, TokenStore
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import ForbiddenError, InvalidError, NotFoundError
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.kube.resources import SECRETS
from meetingbots.kube.secrets import SecretValueError, value_of
from meetingbots.models.base import ModelError
from meetingbots.models.conditions import ConditionStatus, ConditionType, find
from meetingbots.models.credential import ZoomCredential
from meetingbots.runtime.object_cache import Key, ObjectCache
from meetingbots.runtime.work_queue import WorkQueue
from meetingbots.zoom.resources import User

_log = logging.getLogger(__name__)
_RECORDED_SECONDS: Final = 5.0
"""After this time the status of a new consent's credential names the user."""


@dataclass(frozen=True, kw_only=True)
class TokenHandover:
    """Finds the credential of a user and gives it tokens.

    Raises `NotStoredError` when the API server rejects them, and `KubeError`; then nothing may be dropped.
    """

    kube: Kube
    credentials: ObjectCache
    store: TokenStore
    memories: CredentialMemories
    queue: WorkQueue[Key]
    recorder: EventRecorder

    async def give(self, gathered: Gathered, tokens: Tokens, *, user: User) -> str:
        """Give the tokens to the user's own credential; return its name, empty if there is none."""
        for credential in sorted(self._credentials_of(gathered, user), key=_preference):
            if credential.spec.app_secret_ref != gathered.facts.credential.spec.app_secret_ref:
                client_id = await self._client_id(credential)
                if client_id != gathered.facts.client_id:
                    continue
            change = partial(received, tokens=tokens, user_id=user.id, sender=gathered.key.name)
            try:
                secret = await self.store.amend(credential, change)
            except (ForbiddenError, InvalidError) as error:
                # Without the server's text: an admission webhook may quote the object.
                raise NotStoredError(
                    f"The tokens belong to the user of ZoomCredential {credential.name}. They stay here because Secret "
                    f"{credential.token_secret_name} cannot be written: the API server answers {error.status}."
                ) from None
            if not isinstance(secret, TokenSecret) or secret.state.tokens is None or secret.state.user_id != user.id:
                continue
            self._follow_up(gathered, credential, tokens, user=user)
            return credential.name
        return ""

    def announce(self, gathered: Gathered, *, user: User) -> None:
        """Let the user's other credentials know of a new consent, which may have ended theirs, once it is recorded."""
        for credential in self._credentials_of(gathered, user):
            self.queue.add(Key(credential.namespace, credential.name), after=_RECORDED_SECONDS)

    def _follow_up(self, gathered: Gathered, credential: ZoomCredential, tokens: Tokens, *, user: User) -> None:
        """Let the receiving credential know at once; it finds everything in its Secret, too."""
        key = Key(credential.namespace, credential.name)
        known = self.memories.of(gathered.key).proof_of(tokens) or Proof()
        memory = self.memories.of(key)
        memory.failures.clear()
        memory.prove(tokens, replace(known, user_id=user.id, account_id=user.account_id))
        self.queue.add(key)
        item = self.credentials.get(key)
        text = (
            f"The Zoom user consented again on the link of ZoomCredential {gathered.key.name}. The new tokens are used."
        )
        _log.info("ZoomCredential %s: %s", key, text)
        if item is not None:
            self.recorder.event(item, reason="TokensReceived", note=text)

    def _credentials_of(self, gathered: Gathered, user: User) -> Iterator[ZoomCredential]:
        """Yield the namespace's credentials with a renewable consent of this user."""
        for key in self.credentials.indexed(user.account_id):
            item = self.credentials.get(key) if key.namespace == gathered.key.namespace else None
            if item is None or key == gathered.key or item["metadata"].get("deletionTimestamp"):
                continue
            try:
                credential = ZoomCredential.from_object(item)
            except ModelError:
                continue
            grant = credential.spec.grant
            renews_itself = grant.server_to_server is not None or grant.access_token_url is not None
            if credential.status.user_id == user.id and not renews_itself:
                yield credential

    async def _client_id(self, credential: ZoomCredential) -> str:
        try:
            name = credential.spec.app_secret_ref.name
            secret = await self.kube.get(SECRETS, namespace=credential.namespace, name=name)
            return value_of(secret, key="client_id").get_secret_value()
        except (NotFoundError, SecretValueError):
            return ""


def _preference(credential: ZoomCredential) -> tuple[bool, str]:
    """Sort credentials of the same user: those that are Ready first."""
    shown = find(credential.status.conditions, ConditionType.READY)
    return (shown is None or shown.status is not ConditionStatus.TRUE, credential.name)
