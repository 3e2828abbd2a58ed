"""The operator's end of the connect page: what came from it is dealt with and deleted, and the status has the link.

A consent's Secret is deleted once its outcome is certain. Should the process die before the status tells it, the token
Secret still does: it names the consent that its tokens, or its refusal, came from.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from meetingbots.credentials.decide.consents import (
    ACCEPTED,
    consent_fingerprint,
    handled_consents,
    outcome_of,
    pending_consents,
    superseded,
)
from meetingbots.credentials.decide.facts import CredentialFacts, GrantAwaited, Step
from meetingbots.credentials.decide.ready import Verdict, needs_consent
from meetingbots.credentials.manifests.connect_link import (
    LINK_LIFE,
    RENEW_BEFORE,
    Link,
    connect_url,
    link_in,
    new_epoch,
)
from meetingbots.credentials.manifests.signing_keys import Keyring
from meetingbots.credentials.reconcile.gather import Gathered
from meetingbots.credentials.reconcile.grants import read_consent
from meetingbots.credentials.reconcile.link_keys import LinkKeys
from meetingbots.credentials.reconcile.memory import CredentialMemories
from meetingbots.kube.errors import ConflictError, KubeError
from meetingbots.kube.resources import SECRETS
from meetingbots.models.credential import HandledConsent, ReceivedConsent
from meetingbots.runtime.context import OperatorContext

_log = logging.getLogger(__name__)
_NO_ADDRESS: Final = (
    "No link can be made: the operator does not know its public address (public URL, MEETINGBOTS_PUBLIC_URL)."
)
_NO_KEY: Final = "No link can be made yet: the receiver's Secret cannot be read or written."


@dataclass(frozen=True, kw_only=True)
class Connection:
    """What the status is to tell of consents; `more` wait for their turn, `taken` says that one was taken just now."""

    handled: tuple[HandledConsent, ...] = ()
    taken: bool = False
    more: bool = False


@dataclass(frozen=True, kw_only=True)
class ShownLink:
    """The link for the status; without one, `problem` says why, if it should be there."""

    url: str = ""
    problem: str = ""

    def told(self, verdict: Verdict) -> Verdict:
        """The verdict with the problem in its message."""
        return replace(verdict, message=f"{verdict.message} {self.problem}") if self.problem else verdict


class Connecting:
    """Serves grant connect; credentials with another grant pass through untouched."""

    def __init__(self, *, services: OperatorContext, memory: CredentialMemories) -> None:
        self._services = services
        self._memory = memory
        self._keys = LinkKeys(services=services)

    async def settle(self, gathered: Gathered) -> tuple[Gathered, Connection]:
        """Conclude the consent whose turn it was, if it is decided. Raises `KubeError`; then nothing was concluded."""
        facts = gathered.facts
        status = facts.credential.status
        if facts.credential.spec.grant.connect is None:
            return gathered, Connection()
        pending = pending_consents(status)
        outcome = outcome_of(facts, pending[0]) if pending and not facts.credential.spec.suspend else None
        if outcome is None:
            return gathered, Connection(handled=tuple(handled_consents(status, ())))
        taken = outcome.reason == ACCEPTED
        # One consent is enough: whatever came through the same links meanwhile is not used any more.
        others = [superseded(consent, now=facts.now) for consent in pending[1:]] if taken else []
        new = (outcome, *others)
        await self._delete(gathered, pending[: len(new)])
        _log.info("consent of %s: %s", gathered.key, outcome.reason)
        if facts.state.candidate is None:
            self._memory.of(gathered.key).troubles.pop(Step.GRANT, None)
        told = handled_consents(status, new)
        return _concluded(gathered, outcome, told), Connection(
            handled=tuple(told), taken=taken, more=len(new) < len(pending)
        )

    async def link(self, facts: CredentialFacts, *, verdict: Verdict, connection: Connection) -> ShownLink:
        """The link that the status is to show: the one it shows, as long as that is good, else a new one."""
        if not needs_consent(facts, verdict):
            return ShownLink()
        public_url, url = self._services.settings.public_url, facts.credential.status.connect_url or ""
        if not public_url:
            return ShownLink(problem=_NO_ADDRESS)
        try:
            keyring = await self._keys.keyring()
        except KubeError as error:
            _log.warning("signing keys for connect links: %s", error)
            return ShownLink(url="" if connection.taken else url, problem="" if url else _NO_KEY)
        return ShownLink(url=_link(facts, shown=url, public_url=public_url, keyring=keyring, renew=connection.taken))

    async def _delete(self, gathered: Gathered, consents: Iterable[ReceivedConsent]) -> None:
        credential, kube = gathered.facts.credential, self._services.kube
        for consent in consents:
            secret = await read_consent(kube, name=consent.secret_name, credential=credential)
            if secret is None:
                continue
            try:
                await kube.delete(SECRETS, namespace=credential.namespace, name=consent.secret_name, uid=secret.uid)
            except ConflictError:
                _log.info("consent %s of %s was replaced by someone", consent.secret_name, gathered.key)


def _concluded(gathered: Gathered, outcome: HandledConsent, told: list[HandledConsent]) -> Gathered:
    """The facts after that: the consent is not a grant any more, and its trouble not this credential's."""
    facts = gathered.facts
    ends = facts.state.candidate is None
    troubles = {step: trouble for step, trouble in facts.troubles.items() if step is not Step.GRANT or not ends}
    credential = facts.credential.model_copy(
        update={"status": facts.credential.status.model_copy(update={"handled_consents": told})}
    )
    changed = replace(
        facts,
        credential=credential,
        grant=GrantAwaited(last=consent_fingerprint(outcome.secret_name)),
        troubles=troubles,
    )
    return replace(gathered, facts=changed, grant=None)


def _link(facts: CredentialFacts, *, shown: str, public_url: str, keyring: Keyring, renew: bool) -> str:
    metadata = facts.credential.metadata
    known = link_in(shown, namespace=metadata.namespace, name=metadata.name)
    if known is not None and known.uid != metadata.uid:
        known = None  # copied from another object
    good = (
        known is not None
        and not renew
        and shown.startswith(f"{public_url}/connect/")
        and link_in(shown, namespace=metadata.namespace, name=metadata.name, keyring=keyring) is not None
        and known.expires - facts.now > RENEW_BEFORE
    )
    if good:
        return shown
    link = Link(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        epoch=new_epoch() if known is None or renew else known.epoch,
        expires=(facts.now + LINK_LIFE).replace(microsecond=0),
    )
    return connect_url(link, public_url=public_url, keyring=keyring)
