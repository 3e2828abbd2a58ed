"""What to make of the answers of Zoom's consent page (grant connect): which one's turn it is, and what became of it.

The receiver notes each answer in the status; the operator deals with them one after the other, the oldest first. What
became of one is told by the token Secret, so that nothing is lost if the operator dies in between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from meetingbots.credentials.decide.facts import CredentialFacts, GrantAwaited, Step, VoidConsent
from meetingbots.credentials.manifests.connect_link import link_in
from meetingbots.credentials.manifests.consent_secret import ConsentSecret
from meetingbots.models.credential import (
    CredentialReason,
    CredentialStatus,
    GrantKind,
    HandledConsent,
    ReceivedConsent,
    ZoomCredential,
)

ACCEPTED: Final = "Accepted"
LINK_USED: Final = "LinkUsed"
"""The link had already led to a consent when this answer came."""
CODE_SECONDS: Final = 300
_GIVE_UP: Final = timedelta(minutes=10)
"""Twice as long as a code lives: what could not be used by then never will be."""


def consent_fingerprint(secret_name: str) -> str:
    """The name of a consent as a grant, as the token Secret keeps it."""
    return f"{GrantKind.CONNECT}-{hashlib.sha256(secret_name.encode()).hexdigest()[:16]}"


def pending_consents(status: CredentialStatus) -> tuple[ReceivedConsent, ...]:
    """Those that came and were not dealt with, in the order in which they came."""
    done = {handled.secret_name for handled in status.handled_consents}
    return tuple(consent for consent in status.received_consents if consent.secret_name not in done)


def last_handled(status: CredentialStatus) -> HandledConsent | None:
    """The consent that was dealt with last: the newest is at the end."""
    return status.handled_consents[-1] if status.handled_consents else None


def why_void(secret: ConsentSecret | None, *, credential: ZoomCredential) -> VoidConsent | None:
    """Why a consent is of no use before Zoom is asked; None if it is."""
    if secret is None:
        return VoidConsent(
            reason=CredentialReason.GRANT_SECRET_MISSING, message="The authorization code is not there any more."
        )
    link = link_in(credential.status.connect_url, namespace=credential.namespace, name=credential.name)
    if link is None or link.epoch != secret.epoch:
        return VoidConsent(reason=LINK_USED, message="The link had already led to a consent.")
    return None


def outcome_of(facts: CredentialFacts, consent: ReceivedConsent) -> HandledConsent | None:
    """What became of the consent whose turn it is; None while that is open."""
    fingerprint, state = consent_fingerprint(consent.secret_name), facts.state
    if state.fingerprint == fingerprint:
        return _handled(consent, facts.now, reason=ACCEPTED, message="The tokens of this consent are in use.")
    rejection = state.rejected_grant
    if rejection is not None and rejection.mark == fingerprint:
        return _handled(consent, facts.now, reason=rejection.reason, code=rejection.code, message=rejection.message)
    trouble = facts.troubles.get(Step.GRANT)
    late = facts.now - consent.time >= _GIVE_UP
    if state.candidate is not None and state.candidate.fingerprint == fingerprint:
        # Zoom gave tokens, and does not say yet whose they are; they are kept, and looked at again by themselves.
        lasting = late and trouble is not None and trouble.definite
        return _given_up(facts, consent) if lasting else None
    if isinstance(facts.grant, GrantAwaited) and facts.grant.void is not None:
        return _handled(consent, facts.now, reason=facts.grant.void.reason, message=facts.grant.void.message)
    return _given_up(facts, consent) if late and facts.unsaved is None else None


def handled_consents(status: CredentialStatus, new: Sequence[HandledConsent]) -> list[HandledConsent]:
    """Everything that the status is to tell: what it told, as long as the receiver still lists it, and what is new."""
    received = {consent.secret_name for consent in status.received_consents}
    told = {handled.secret_name: handled for handled in (*status.handled_consents, *new)}
    return [handled for name, handled in told.items() if name in received]


def superseded(consent: ReceivedConsent, *, now: datetime) -> HandledConsent:
    """What becomes of a consent that waited while another one was taken."""
    return _handled(consent, now, reason=LINK_USED, message="The link had already led to a consent.")


def _given_up(facts: CredentialFacts, consent: ReceivedConsent) -> HandledConsent:
    trouble = facts.troubles.get(Step.GRANT)
    if trouble is None:
        return _handled(
            consent,
            facts.now,
            reason=CredentialReason.REAUTHORIZATION_REQUIRED,
            message="The authorization code could not be used in time.",
        )
    return _handled(consent, facts.now, reason=trouble.reason, code=trouble.code, message=trouble.message)


def _handled(consent: ReceivedConsent, now: datetime, *, reason: str, message: str, code: str = "") -> HandledConsent:
    return HandledConsent(
        secret_name=consent.secret_name,
        time=now.replace(microsecond=0),
        reason=reason,
        code=code[:64],
        message=message,
    )
