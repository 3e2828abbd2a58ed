"""Gathers the facts about a credential: three Secrets read by name, and the process's memory. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final, Protocol

from pydantic import SecretStr

from meetingbots.credentials.decide.consents import handled_consents
from meetingbots.credentials.decide.facts import (
    Absent,
    AppCheck,
    AppFound,
    CredentialFacts,
    GrantAwaited,
    GrantFound,
    GrantUnserved,
    LinkFacts,
    Twin,
)
from meetingbots.credentials.decide.token_state import SecretConflict, TokenSecret
from meetingbots.credentials.manifests.receiver_secret import too_long
from meetingbots.credentials.manifests.token_secret import read_token_secret
from meetingbots.credentials.reconcile.app_checks import AppChecks
from meetingbots.credentials.reconcile.grants import GrantExchange, read_grant
from meetingbots.credentials.reconcile.link_keys import LinkKeys
from meetingbots.credentials.reconcile.memory import CredentialMemories, CredentialMemory, recall_failures
from meetingbots.credentials.reconcile.token_url_grant import TokenURLs
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import SECRETS
from meetingbots.kube.secrets import SecretValueError, value_of
from meetingbots.models.conditions import ConditionType, find
from meetingbots.models.credential import CredentialReason, ZoomCredential
from meetingbots.runtime.accounts import AppOwners, environment_of
from meetingbots.runtime.object_cache import Key, ObjectCache
from meetingbots.zoom.oauth import AppCredentials

_BAD_ENVIRONMENT: Final = "Key environment of Secret {name} must be zoom.us or zoomgov.com."


@dataclass(frozen=True, kw_only=True)
class ProcessClock:
    """The process's clocks: `utc` for times that others see, `monotonic` (seconds) for durations."""

    utc: Callable[[], datetime]
    monotonic: Callable[[], float]


class TokenDemand(Protocol):
    """Knows which credentials need another access token."""

    def refused(self, key: Key) -> str:
        """Return the mark of the token that Zoom rejected last; empty without one."""

    def wanted(self, key: Key) -> bool:
        """Return whether someone waits for a token."""


@dataclass(frozen=True, kw_only=True)
class FactSources:
    """What facts are read from."""

    kube: Kube
    credentials: ObjectCache
    demand: TokenDemand
    token_urls: TokenURLs
    app_owners: AppOwners
    link_keys: LinkKeys
    app_checks: AppChecks


@dataclass(frozen=True)
class Gathered:
    """The facts, and what actions need besides them. `item` is the credential as the API server sends it."""

    key: Key
    item: Object
    facts: CredentialFacts
    app: AppCredentials | None
    grant: GrantExchange | None

    @property
    def app_key(self) -> Key:
        """Namespace and name of the app Secret."""
        return Key(self.key.namespace, self.facts.credential.spec.app_secret_ref.name)


@dataclass(frozen=True, kw_only=True)
class AppSecret:
    """The content of an app Secret; `signs_webhooks`: it has the secret that signs Zoom's webhooks."""

    credentials: AppCredentials
    signs_webhooks: bool


class CredentialGatherer:
    """Gathers facts. `instance` names this process in claims."""

    def __init__(
        self, *, sources: FactSources, memories: CredentialMemories, clock: ProcessClock, instance: str
    ) -> None:
        self._sources = sources
        self._memories = memories
        self._clock = clock
        self._instance = instance

    async def gather(self, key: Key, *, item: Object, credential: ZoomCredential) -> Gathered:
        """Read everything. Raises `KubeError`."""
        kube = self._sources.kube
        credential = _with_outcomes(credential, self._memories.of(key))
        app = await read_app(kube, credential=credential, accounts=self._sources.app_owners)
        grant = await read_grant(kube, credential=credential, token_urls=self._sources.token_urls)
        secret = await read_secret(kube, credential=credential)
        facts = CredentialFacts(
            credential=credential,
            app=app
            if isinstance(app, Absent)
            else AppFound(client_id=app.credentials.client_id, signs_webhooks=app.signs_webhooks),
            grant=_grant_facts(grant),
            secret=None,
            now=self._clock.utc(),
            instance=self._instance,
            link=await self._link(credential),
        )
        gathered = Gathered(
            key=key,
            item=item,
            facts=facts,
            app=None if isinstance(app, Absent) else app.credentials,
            grant=None if isinstance(grant, (Absent, GrantAwaited, GrantUnserved)) else grant,
        )
        return self._with(gathered, secret)

    async def refresh(self, gathered: Gathered) -> Gathered:
        """Return the facts after an action: the token Secret and the memory are read again. Raises `KubeError`."""
        secret = await read_secret(self._sources.kube, credential=gathered.facts.credential)
        return self._with(gathered, secret)

    async def _link(self, credential: ZoomCredential) -> LinkFacts:
        if credential.spec.grant.connect is None:
            return LinkFacts()
        return await self._sources.link_keys.facts()

    def _with(self, gathered: Gathered, secret: TokenSecret | SecretConflict | None) -> Gathered:
        memory = self._memories.of(gathered.key)
        claim = secret.state.claim if isinstance(secret, TokenSecret) else None
        facts = replace(gathered.facts, secret=secret, now=self._clock.utc())
        recall_failures(memory, facts)
        memory.keep_proofs(facts.state, facts.credential.status)
        app = gathered.app
        # With grant accessTokenURL, only the customer has the client secret.
        checked = app is not None and bool(app.client_secret.get_secret_value())
        facts = replace(
            facts,
            app_check=self._app_check(gathered, app) if app is not None and checked else AppCheck(),
            concluded=memory.concluded,
            claim_age=memory.see_claim(claim, monotonic=self._clock.monotonic()),
            unsaved=memory.unsaved,
            unsaved_problem=memory.unsaved_problem,
            unsaved_retry_at=memory.unsaved_retry_at,
            failures=MappingProxyType(dict(memory.failures)),
            last_error=memory.last_error,
            refused_token=self._sources.demand.refused(gathered.key),
            wanted=self._sources.demand.wanted(gathered.key),
            tried_request=memory.tried_request,
            checked_report=memory.checked_report,
            removal_confirmed=_removal_confirmed(memory, facts.credential),
            proof=memory.proof_of(facts.state.tokens),
            user=memory.user,
            twin=self._twin(facts),
        )
        return replace(gathered, facts=facts)

    def _app_check(self, gathered: Gathered, app: AppCredentials) -> AppCheck:
        blocked = find(gathered.facts.credential.status.conditions, ConditionType.RECONCILING)
        in_doubt = blocked is not None and blocked.reason == CredentialReason.APP_INVALID
        return self._sources.app_checks.see(gathered.app_key, app, in_doubt=in_doubt)

    def _twin(self, facts: CredentialFacts) -> Twin | None:
        """Return another credential here with the same app and user: the oldest if it is older, else the newest."""
        state, credential = facts.state, facts.credential
        if not state.user_id or not state.account_id:
            return None
        cache = self._sources.credentials
        items = (cache.get(key) for key in cache.indexed(state.account_id) if key.namespace == credential.namespace)
        others = sorted(
            _age(item)
            for item in items
            if item is not None
            and item["metadata"]["name"] != credential.name
            and item["status"].get("userId") == state.user_id
            and item["spec"].get("appSecretRef", {}).get("name") == credential.spec.app_secret_ref.name
        )
        own = cache.get(Key(credential.namespace, credential.name))
        if not others or own is None:
            return None
        if others[0] < _age(own):
            return Twin(name=others[0][1], newer=False)
        return Twin(name=others[-1][1], newer=True)


def _grant_facts(
    grant: GrantExchange | GrantAwaited | GrantUnserved | Absent,
) -> GrantFound | GrantAwaited | GrantUnserved | Absent:
    if isinstance(grant, (Absent, GrantAwaited, GrantUnserved)):
        return grant
    return GrantFound(fingerprint=grant.fingerprint, renewable=grant.renewable, attempt=grant.attempt)


def _with_outcomes(credential: ZoomCredential, memory: CredentialMemory) -> ZoomCredential:
    """Return the credential with the outcomes of consents that its status does not show yet."""
    if not memory.concluded:
        return credential
    outcomes = handled_consents(credential.status, memory.concluded)
    status = credential.status.model_copy(update={"handled_consents": outcomes})
    return credential.model_copy(update={"status": status})


def _removal_confirmed(memory: CredentialMemory, credential: ZoomCredential) -> bool:
    check = memory.removal_check(credential.status)
    return check is not None and check.confirmed


def _age(item: Object) -> tuple[str, str]:
    metadata = item["metadata"]
    return (metadata.get("creationTimestamp", ""), metadata["name"])


async def read_app(kube: Kube, *, credential: ZoomCredential, accounts: AppOwners) -> AppSecret | Absent:
    """Return the content of the app Secret, or what is missing; note the owner's account. Raises `KubeError`."""
    name = credential.spec.app_secret_ref.name
    try:
        secret = await kube.get(SECRETS, namespace=credential.namespace, name=name)
        problem = too_long(name, secret)
        if problem:
            return Absent(message=f"The app cannot be used: {problem}", unfit=True)
        accounts.note(secret)
        environment = environment_of(secret)
        if environment is None:
            return Absent(message=f"The app cannot be used: {_BAD_ENVIRONMENT.format(name=name)}", unfit=True)
        client_id = value_of(secret, key="client_id").get_secret_value()
        if credential.spec.grant.access_token_url is not None:
            client_secret = SecretStr("")  # only the customer has it
        else:
            client_secret = value_of(secret, key="client_secret")
        return AppSecret(
            credentials=AppCredentials(client_id, client_secret, environment),
            signs_webhooks=bool((secret.get("data") or {}).get("webhook_secret_token")),
        )
    except NotFoundError:
        return Absent(message=f"The app's Secret {name} does not exist.")
    except SecretValueError as error:
        return Absent(message=f"The app cannot be read: {error}")


async def read_secret(kube: Kube, *, credential: ZoomCredential) -> TokenSecret | SecretConflict | None:
    """Return the token Secret; None without one. Raises `KubeError`."""
    try:
        item = await kube.get(SECRETS, namespace=credential.namespace, name=credential.token_secret_name)
    except NotFoundError:
        return None
    return read_token_secret(item, credential=credential)
