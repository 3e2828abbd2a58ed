"""Writes the token Secret: claims that only one process gets, changes, and new tokens.

Every write carries the resourceVersion that it was made from. New tokens are written until they are stored, because
there is no second copy. The worker does so itself, so that a shutdown waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from meetingbots.credentials.decide.token_changes import holds, saved
from meetingbots.credentials.decide.token_state import SecretConflict, TokenSecret, TokenState, Unsaved
from meetingbots.credentials.manifests.token_secret import (
    content_patch,
    new_secret,
    read_owners,
    read_state,
    read_token_secret,
)
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import (
    AlreadyExistsError,
    ConflictError,
    KubeError,
    NotFoundError,
    UnavailableError,
    retry_on_conflict,
)
from meetingbots.kube.resources import SECRETS
from meetingbots.models.credential import ZoomCredential
from meetingbots.runtime.plan import Backoff

_log = logging.getLogger(__name__)
_BACKOFF: Final = Backoff(first=0.1, cap=2.0)
_MAX_REFUSALS: Final = 8


class NotStoredError(Exception):
    """The API server refuses the tokens: keep them in memory and retry later.

    The text names the kind of refusal and quotes nothing. `nowhere`: the namespace is gone.
    """

    def __init__(self, message: str, *, nowhere: bool = False) -> None:
        super().__init__(message)
        self.nowhere = nowhere


class TokenStore:
    """Writes token Secrets."""

    def __init__(self, *, kube: Kube, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._kube = kube
        self._sleep = sleep

    async def replace(
        self, secret: TokenSecret | None, state: TokenState, *, credential: ZoomCredential
    ) -> TokenSecret | None:
        """Write `state` over this version (None: create); return None if another writer was faster.

        Raises `KubeError`; after `UnavailableError` the write may have succeeded.
        """
        try:
            if secret is None:
                item = await self._kube.create(
                    SECRETS, namespace=credential.namespace, body=new_secret(state, credential=credential)
                )
            else:
                item = await self._patch(secret, state, credential=credential)
        except (ConflictError, AlreadyExistsError, NotFoundError) as error:
            if secret is None and isinstance(error, NotFoundError):
                raise  # the namespace
            return None
        written = read_token_secret(item, credential=credential)
        return written if isinstance(written, TokenSecret) else None

    async def remove(self, secret: TokenSecret) -> None:
        """Delete this version; a Secret that has changed since stays. Raises `KubeError`."""
        try:
            await self._kube.delete(
                SECRETS,
                namespace=secret.namespace,
                name=secret.name,
                uid=secret.uid,
                resource_version=secret.resource_version,
            )
        except ConflictError:
            return

    async def amend(
        self, credential: ZoomCredential, change: Callable[[TokenState], TokenState]
    ) -> TokenSecret | SecretConflict | None:
        """Read, change and write the content; return None without a Secret. Raises `KubeError`."""

        async def once() -> TokenSecret | SecretConflict | None:
            secret = await self._read(credential)
            if not isinstance(secret, TokenSecret):
                return secret
            changed = change(secret.state)
            if changed == secret.state:
                return secret
            written = await self.replace(secret, changed, credential=credential)
            if written is None:
                raise ConflictError("the Secret changed", status=409)
            return written

        return await retry_on_conflict(once, what=f"Secret {credential.token_secret_name}")

    async def save(self, unsaved: Unsaved, *, credential: ZoomCredential, claim: TokenSecret | None = None) -> None:
        """Write new tokens until they are stored. `claim` is the Secret as our claim left it; it is tried first.

        Retries without end while the API server is unreachable. Raises `NotStoredError` after several definite
        refusals in a row: a quota, an admission policy, a foreign Secret of the same name.
        """
        failures = refusals = 0
        nowhere = False
        while True:
            try:
                if await self._save_once(unsaved, credential=credential, claim=claim):
                    return
                problem = "the Secret changed during the write"
            except NotStoredError:
                raise
            except KubeError as error:
                # Without the server's text: an admission webhook may quote the object.
                problem = f"the API server answers {error.status or 'nothing'} {error.reason or type(error).__name__}"
                nowhere = isinstance(error, NotFoundError)
                refusals = 0 if isinstance(error, UnavailableError) else refusals + 1
            claim = None
            failures += 1
            pause = _BACKOFF.delay(failures)
            _log.warning(
                "new tokens of %s/%s are not stored yet (%s), retry in %.1f s",
                credential.namespace,
                credential.name,
                problem,
                pause,
            )
            if refusals >= _MAX_REFUSALS:
                raise NotStoredError(problem, nowhere=nowhere)
            await self._sleep(pause)

    async def _save_once(self, unsaved: Unsaved, *, credential: ZoomCredential, claim: TokenSecret | None) -> bool:
        secret = claim or await self._present(unsaved, credential=credential)
        state = secret.state if secret is not None else TokenState()
        if holds(state, unsaved):
            return True
        wanted = saved(state, unsaved)
        if wanted is None:
            _log.warning(
                "new tokens of %s/%s are dropped: a newer consent is in place", credential.namespace, credential.name
            )
            return True
        return await self.replace(secret, wanted, credential=credential) is not None

    async def _present(self, unsaved: Unsaved, *, credential: ZoomCredential) -> TokenSecret | None:
        """Return the Secret to overwrite: the operator's, or the claimed one, even if its labels have changed."""
        try:
            item = await self._kube.get(SECRETS, namespace=credential.namespace, name=credential.token_secret_name)
        except NotFoundError:
            return None
        secret = read_token_secret(item, credential=credential)
        if isinstance(secret, TokenSecret):
            return secret
        metadata = item["metadata"]
        if secret.uid != unsaved.uid or item.get("immutable"):
            raise NotStoredError(secret.message.rstrip("."))
        return TokenSecret(
            name=metadata["name"],
            namespace=metadata["namespace"],
            uid=secret.uid,
            resource_version=metadata["resourceVersion"],
            state=read_state(item),
            owners=read_owners(item),
        )

    async def _read(self, credential: ZoomCredential) -> TokenSecret | SecretConflict | None:
        try:
            item = await self._kube.get(SECRETS, namespace=credential.namespace, name=credential.token_secret_name)
        except NotFoundError:
            return None
        return read_token_secret(item, credential=credential)

    async def _patch(self, secret: TokenSecret, state: TokenState, *, credential: ZoomCredential) -> Object:
        return await self._kube.patch(
            SECRETS,
            namespace=secret.namespace,
            name=secret.name,
            patch=content_patch(state, credential=credential, owners=secret.owners),
            resource_version=secret.resource_version,
        )
