"""Carries out the actions of plans for credentials.

Each action leaves the token Secret in a state from which another process can continue, so the process may end at any
line.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from meetingbots.credentials.decide.facts import RequestKind
from meetingbots.credentials.decide.plan import (
    CheckApp,
    ConcludeConsents,
    CorrectOwners,
    CredentialAction,
    EndConsent,
    IdentifyUser,
    RedeemGrant,
    RefreshTokens,
    RotateLinkKey,
    StoreTokens,
)
from meetingbots.credentials.decide.token_state import TokenSecret
from meetingbots.credentials.reconcile.app_checks import AppChecks
from meetingbots.credentials.reconcile.gather import Gathered
from meetingbots.credentials.reconcile.grants import read_consent
from meetingbots.credentials.reconcile.identity import Identification
from meetingbots.credentials.reconcile.link_keys import LinkKeys
from meetingbots.credentials.reconcile.memory import CredentialMemories
from meetingbots.credentials.reconcile.rotation import Rotation
from meetingbots.credentials.reconcile.token_store import TokenStore
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import ConflictError
from meetingbots.kube.resources import SECRETS

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CredentialActions:
    """Carries out one action at a time. Raises `KubeError`."""

    rotation: Rotation
    identification: Identification
    consents: ConsentConclusion
    link_keys: LinkKeys
    app_checks: AppChecks
    store: TokenStore
    memories: CredentialMemories

    async def apply(self, gathered: Gathered, action: CredentialAction) -> None:
        """Carry out `action`."""
        _log.debug("%s: %s", gathered.key, type(action).__name__)
        match action:
            case StoreTokens():
                await self.rotation.save(gathered.key)
            case CorrectOwners():
                await self._correct_owners(gathered)
            case RedeemGrant(slot):
                await self.rotation.redeem(gathered, slot=slot)
            case RefreshTokens(slot):
                await self.rotation.refresh(gathered, slot=slot)
            case IdentifyUser(slot):
                await self.identification.identify(gathered, slot=slot)
            case CheckApp():
                await self._check_app(gathered)
            case EndConsent():
                await self._end_consent(gathered)
            case ConcludeConsents():
                await self.consents.conclude(gathered, action)
            case RotateLinkKey():
                await self.link_keys.rotate()

    async def _correct_owners(self, gathered: Gathered) -> None:
        facts = gathered.facts
        if isinstance(facts.secret, TokenSecret):
            await self.store.replace(facts.secret, facts.state, credential=facts.credential)

    async def _check_app(self, gathered: Gathered) -> None:
        if gathered.app is not None:
            await self.app_checks.check(gathered.app_key, gathered.app)

    async def _end_consent(self, gathered: Gathered) -> None:
        """Delete the token Secret, whatever the deletion policy says, and what is remembered of the user."""
        if isinstance(gathered.facts.secret, TokenSecret):
            await self.store.remove(gathered.facts.secret)
        memory = self.memories.of(gathered.key)
        memory.failures.clear()
        memory.user = None


_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ConsentConclusion:
    """Carries out `ConcludeConsents`. Raises `KubeError`; then no outcome is recorded."""

    kube: Kube
    memories: CredentialMemories

    async def conclude(self, gathered: Gathered, action: ConcludeConsents) -> None:
        """Delete the consent Secrets, then remember the outcomes for the status."""
        credential = gathered.facts.credential
        for outcome in action.outcomes:
            secret = await read_consent(self.kube, name=outcome.secret_name, credential=credential)
            if secret is None:
                continue
            try:
                await self.kube.delete(
                    SECRETS, namespace=credential.namespace, name=outcome.secret_name, uid=secret.uid
                )
            except ConflictError:
                _log.info("consent %s of %s was replaced by someone", outcome.secret_name, gathered.key)
        memory = self.memories.of(gathered.key)
        memory.concluded = (*memory.concluded, *action.outcomes)
        if gathered.facts.state.candidate is None:
            memory.failures.pop(RequestKind.GRANT, None)
        _log.info("consent of %s: %s", gathered.key, action.outcomes[0].reason)
