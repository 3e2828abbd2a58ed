"""Concludes consents of grant connect: deletes their Secrets once the outcome is certain.

If the process dies before the status shows the outcome, the token Secret still shows it: it names the consent that its
tokens, or its rejection, come from.
"""

from __future__ import annotations

import logging

from meetingbots.credentials.decide.actions import ConcludeConsents
from meetingbots.credentials.decide.facts import RequestKind
from meetingbots.credentials.reconcile.gather import Gathered
from meetingbots.credentials.reconcile.grants import read_consent
from meetingbots.credentials.reconcile.memory import CredentialMemories
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import ConflictError
from meetingbots.kube.resources import SECRETS

_log = logging.getLogger(__name__)


class ConsentConclusion:
    """Carries out `ConcludeConsents`. Raises `KubeError`; then no outcome is recorded."""

    def __init__(self, *, kube: Kube, memories: CredentialMemories) -> None:
        self._kube = kube
        self._memories = memories

    async def conclude(self, gathered: Gathered, action: ConcludeConsents) -> None:
        """Delete the consent Secrets, then remember the outcomes for the status."""
        credential = gathered.facts.credential
        for outcome in action.outcomes:
            secret = await read_consent(self._kube, name=outcome.secret_name, credential=credential)
            if secret is None:
                continue
            try:
                await self._kube.delete(
                    SECRETS, namespace=credential.namespace, name=outcome.secret_name, uid=secret.uid
                )
            except ConflictError:
                _log.info("consent %s of %s was replaced by someone", outcome.secret_name, gathered.key)
        memory = self._memories.of(gathered.key)
        memory.concluded = (*memory.concluded, *action.outcomes)
        if gathered.facts.state.candidate is None:
            memory.failures.pop(RequestKind.GRANT, None)
        _log.info("consent of %s: %s", gathered.key, action.outcomes[0].reason)
