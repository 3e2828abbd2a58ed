"""Gathering the facts about one credential: three Secrets read by name, and what the process remembers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from pydantic import SecretStr

from meetingbots.credentials.decide.facts import (
    Absent,
    AppFound,
    CredentialFacts,
    Failure,
    GrantAwaited,
    GrantFound,
    GrantUnserved,
    Step,
)
from meetingbots.credentials.decide.retry import MENDABLE_SECONDS, backoff
from meetingbots.credentials.manifests.receiver_secret import too_long
from meetingbots.credentials.manifests.token_secret import SecretConflict, TokenSecret, read_token_secret
from meetingbots.credentials.reconcile.grants import Grant, read_grant
from meetingbots.credentials.reconcile.memory import CredentialMemories, CredentialMemory
from meetingbots.credentials.reconcile.token_url_grant import TokenURLs
from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import SECRETS
from meetingbots.kube.secret_values import SecretValueError, value_of
from meetingbots.models.credential import CredentialError, CredentialReason, ZoomCredential
from meetingbots.runtime.app_owners import AppOwners
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.oauth import AppCredentials

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Gathered:
    """The facts, and what is needed to act on them. `item` is the credential as the API server sends it."""

    key: Key
    item: Object
    facts: CredentialFacts
    app: AppCredentials | None
    grant: Grant | None


class CredentialGatherer:
    """Reads what is so."""

    def __init__(self, *, services: OperatorContext, access_tokens: AccessTokens, memory: CredentialMemories) -> None:
        self._services = services
        self._access_tokens = access_tokens
        self._memory = memory
        self._token_urls = TokenURLs.allowed_by(services.settings, client=services.outside)

    async def gather(self, key: Key, *, item: Object, credential: ZoomCredential) -> Gathered:
        """Everything, freshly read. Raises `KubeError`."""
        kube = self._services.kube
        app = await read_app(kube, credential=credential, accounts=self._services.app_accounts)
        grant = await read_grant(kube, credential=credential, token_urls=self._token_urls)
        secret = await read_secret(kube, credential=credential)
        facts = CredentialFacts(
            credential=credential,
            app=app if isinstance(app, Absent) else AppFound(client_id=app.client_id),
            grant=grant
            if isinstance(grant, (Absent, GrantAwaited, GrantUnserved))
            else GrantFound(fingerprint=grant.fingerprint, renewable=grant.renewable, attempt=grant.attempt),
            secret=None,
            now=self._services.clock(),
            instance=self._services.instance,
        )
        gathered = Gathered(
            key=key,
            item=item,
            facts=facts,
            app=None if isinstance(app, Absent) else app,
            grant=None if isinstance(grant, (Absent, GrantAwaited, GrantUnserved)) else grant,
        )
        return self._with(gathered, secret)

    async def again(self, gathered: Gathered) -> Gathered:
        """The same after something was done: only the token Secret is read anew. Raises `KubeError`."""
        secret = await read_secret(self._services.kube, credential=gathered.facts.credential)
        return self._with(gathered, secret)

    def _with(self, gathered: Gathered, secret: TokenSecret | SecretConflict | None) -> Gathered:
        now = self._services.clock()
        memory = self._memory.of(gathered.key)
        claim = secret.state.claim if isinstance(secret, TokenSecret) else None
        facts = replace(gathered.facts, secret=secret, now=now)
        _recall(memory, facts)
        facts = replace(
            facts,
            claim_seen=memory.see_claim(claim, now=now),
            unsaved=memory.unsaved,
            unsaved_problem=memory.unsaved_problem,
            unsaved_retry_at=memory.unsaved_retry_at,
            troubles=MappingProxyType(dict(memory.troubles)),
            last_error=memory.last_error,
            refused_token=self._access_tokens.refused(gathered.key),
            wanted=self._access_tokens.wanted(gathered.key),
            tried_request=memory.tried_request,
            identified_user=memory.user.id if memory.user else "",
            older_twin=self._older_twin(facts),
        )
        return replace(gathered, facts=facts)

    def _older_twin(self, facts: CredentialFacts) -> str:
        """The name of an older credential here with the same app and Zoom user; empty without one."""
        state, credential = facts.state, facts.credential
        if not state.user_id or not state.account_id:
            return ""
        cache = self._services.caches.credentials
        items = (cache.get(key) for key in cache.indexed(state.account_id) if key.namespace == credential.namespace)
        older = (
            _age(item)
            for item in items
            if item is not None
            and item["metadata"]["name"] != credential.name
            and item["status"].get("userId") == state.user_id
            and item["spec"].get("appSecretRef", {}).get("name") == credential.spec.app_secret_ref.name
        )
        first = min(older, default=None)
        own = cache.get(Key(credential.namespace, credential.name))
        return first[1] if first is not None and own is not None and first < _age(own) else ""


def _age(item: Object) -> tuple[str, str]:
    metadata = item["metadata"]
    return (metadata.get("creationTimestamp", ""), metadata["name"])


async def read_app(
    kube: Kube, *, credential: ZoomCredential, accounts: AppOwners | None = None
) -> AppCredentials | Absent:
    """The app's id and secret, or what is missing; whose app it is goes into `accounts`. Raises `KubeError`."""
    name = credential.spec.app_secret_ref.name
    try:
        secret = await kube.get(SECRETS, namespace=credential.namespace, name=name)
        long = too_long(name, secret)
        if long:
            return Absent(message=f"The app cannot be used: {long}", unfit=True)
        if accounts is not None:
            accounts.note(secret)
        client_id = value_of(secret, key="client_id").get_secret_value()
        if credential.spec.grant.access_token_url is not None:
            return AppCredentials(client_id=client_id, client_secret=SecretStr(""))  # the customer has it, not we
        return AppCredentials(client_id=client_id, client_secret=value_of(secret, key="client_secret"))
    except NotFoundError:
        return Absent(message=f"The app's Secret {name} does not exist.")
    except SecretValueError as error:
        return Absent(message=f"The app cannot be read: {error}")


async def read_secret(kube: Kube, *, credential: ZoomCredential) -> TokenSecret | SecretConflict | None:
    """The token Secret as it is now; None without one. Raises `KubeError`."""
    try:
        item = await kube.get(SECRETS, namespace=credential.namespace, name=credential.token_secret_name)
    except NotFoundError:
        return None
    return read_token_secret(item, credential=credential)


def _recall(memory: CredentialMemory, facts: CredentialFacts) -> None:
    """Take over from the status what another process, or this one before its start, was told by Zoom.

    So a restart does not hammer Zoom, and two processes do not contradict each other in the status. What was mended
    meanwhile is forgotten.
    """
    status = facts.credential.status
    error = status.last_error
    known = memory.last_error.time if memory.last_error else None
    ours = (known or _LONG_AGO, max((trouble.failures for trouble in memory.troubles.values()), default=0))
    if error is not None and error.time is not None and (error.time, status.consecutive_failures) > ours:
        memory.last_error = error
        memory.troubles = _recalled(error, facts) if status.consecutive_failures else {}
    tokens = facts.state.tokens
    renewed = tokens.last_refresh if tokens and tokens.last_refresh else _LONG_AGO
    for step in (Step.GRANT, Step.TOKENS):
        trouble = memory.troubles.get(step)
        if trouble is not None and trouble.time.replace(microsecond=0) < renewed:
            del memory.troubles[step]
    if facts.state.user_id and status.user_id == facts.state.user_id:
        memory.troubles.pop(Step.IDENTITY, None)


def _recalled(error: CredentialError, facts: CredentialFacts) -> dict[Step, Failure]:
    try:
        reason = CredentialReason(error.reason)
    except ValueError:
        return {}
    status, time = facts.credential.status, error.time or facts.now
    definite = reason is not CredentialReason.ZOOM_UNAVAILABLE
    step = _step(facts)
    wait = timedelta(seconds=MENDABLE_SECONDS) if definite else backoff(status.consecutive_failures)
    planned = None if definite or step is Step.IDENTITY else status.next_refresh_time
    trouble = Failure(
        reason=reason,
        definite=definite,
        code=error.code,
        message=error.message,
        time=time,
        failures=status.consecutive_failures,
        retry_at=planned or time + wait,
    )
    return {step: trouble}


def _step(facts: CredentialFacts) -> Step:
    """What the trouble that the status tells of was about, as far as the token Secret lets one see it."""
    if facts.state.tokens is None or facts.changed_grant:
        return Step.GRANT
    return Step.TOKENS if facts.state.user_id else Step.IDENTITY
