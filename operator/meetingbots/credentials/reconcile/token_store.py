"""Writing the token Secret: claims that only one process gets, changes that survive others' edits, new tokens.

Every write carries the resourceVersion it was made from. Tokens from Zoom are written until they are in, for there is
no second copy: in the worker's own time, so that a shutdown waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from meetingbots.credentials.decide.token_state import TokenState, Unsaved, holds, saved
from meetingbots.credentials.manifests.token_secret import (
    SecretConflict,
    TokenSecret,
    content_patch,
    new_secret,
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
)
from meetingbots.kube.resources import SECRETS
from meetingbots.models.credential import ZoomCredential

_log = logging.getLogger(__name__)
_LONGEST_PAUSE: Final = 2.0
_FIRST_PAUSE: Final = 0.1
_AMEND_TRIES: Final = 5
_REFUSALS: Final = 8


class NotStoredError(Exception):
    """The API server definitely refuses the tokens for now; they are to be kept in memory and tried again.

    The text is for people: it names the kind of refusal and quotes nothing. `nowhere`: the namespace is gone.
    """

    def __init__(self, message: str, *, nowhere: bool = False) -> None:
        super().__init__(message)
        self.nowhere = nowhere


class TokenStore:
    """Writes token Secrets. `sleep` takes the place of pausing, for tests."""

    def __init__(self, *, kube: Kube, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._kube = kube
        self._sleep = sleep

    async def replace(
        self, secret: TokenSecret | None, state: TokenState, *, credential: ZoomCredential
    ) -> TokenSecret | None:
        """Write `state` over exactly this version (None: create). None if someone else was faster.

        Raises `KubeError`; after `UnavailableError` it may have been written.
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
        """Delete this version; if someone changed it meanwhile it stays, to be looked at again. Raises `KubeError`."""
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
        """Change the content as it is now, again when someone else writes meanwhile. None: there is no Secret.

        Raises `KubeError`; `ConflictError` when others write all the time.
        """
        for _ in range(_AMEND_TRIES):
            try:
                item = await self._kube.get(SECRETS, namespace=credential.namespace, name=credential.token_secret_name)
            except NotFoundError:
                return None
            secret = read_token_secret(item, credential=credential)
            if isinstance(secret, SecretConflict):
                return secret
            changed = change(secret.state)
            if changed == secret.state:
                return secret
            written = await self.replace(secret, changed, credential=credential)
            if written is not None:
                return written
        raise ConflictError(f"Secret {credential.token_secret_name} is written by others all the time", status=409)

    async def save(self, unsaved: Unsaved, *, credential: ZoomCredential, claim: TokenSecret | None = None) -> None:
        """Write new tokens, until they are in. `claim`: the Secret as our claim left it; it is tried first.

        While the API server is away this goes on without end. Raises `NotStoredError` after several definite
        refusals in a row: a quota, a policy, someone else's Secret in the place of ours.
        """
        failures = refusals = 0
        nowhere = False
        while True:
            try:
                if await self._save_once(unsaved, credential=credential, claim=claim):
                    return
                problem = "the Secret changed meanwhile"
            except NotStoredError:
                raise
            except KubeError as error:
                # Not the server's own words: an admission webhook may quote what it was shown.
                problem = f"the API server answers {error.status or 'nothing'} {error.reason or type(error).__name__}"
                nowhere = isinstance(error, NotFoundError)
                refusals = 0 if isinstance(error, UnavailableError) else refusals + 1
            claim = None
            failures += 1
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(failures - 1, 10))
            _log.warning(
                "new tokens of %s/%s are not stored yet (%s), again in %.1f s",
                credential.namespace,
                credential.name,
                problem,
                pause,
            )
            if refusals >= _REFUSALS:
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
        """The Secret to write over: ours, or the very one that was claimed, whatever someone made of its labels."""
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
            owners=tuple(metadata.get("ownerReferences") or ()),
        )

    async def _patch(self, secret: TokenSecret, state: TokenState, *, credential: ZoomCredential) -> Object:
        return await self._kube.patch(
            SECRETS,
            namespace=secret.namespace,
            name=secret.name,
            patch=content_patch(state, credential=credential, owners=secret.owners),
            resource_version=secret.resource_version,
        )
