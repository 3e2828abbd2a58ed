"""Consents of grant connect: the link that the status shows, which consent is next, and how each one ended.

The receiver lists each consent in the status; the operator handles them one after the other, the oldest first. The
token Secret shows how a consent ended, so that a crash loses nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from meetingbots.credentials.decide.facts import CredentialFacts, GrantAwaited, LinkFacts, RequestKind, VoidConsent
from meetingbots.credentials.manifests.connect import LINK_LIFE, RENEW_BEFORE, ConsentSecret, Link, connect_url, link_in
from meetingbots.credentials.manifests.signing_keys import Keyring
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
"""The link had led to another consent before this one arrived."""
_HANDED_OVER: Final = "now uses the new tokens."
_GIVE_UP: Final = timedelta(minutes=10)
"""Twice the life of an authorization code."""


def fate_of_tokens(receiver: str) -> str:
    """Return what became of another user's tokens; `receiver` is that user's own credential, empty without one."""
    if receiver:
        return f"ZoomCredential {receiver} belongs to the user who consented and {_HANDED_OVER}"
    return "The tokens were not kept. The operator does not revoke the consent; the user can remove the app at Zoom."


def was_handed_over(handled: HandledConsent) -> bool:
    """Return whether the tokens of a consent went to the own credential of the user who consented."""
    return handled.message.endswith(_HANDED_OVER)


def consent_fingerprint(secret_name: str) -> str:
    """Return the fingerprint under which the token Secret knows a consent."""
    return f"{GrantKind.CONNECT}-{hashlib.sha256(secret_name.encode()).hexdigest()[:16]}"


def pending_consents(status: CredentialStatus) -> tuple[ReceivedConsent, ...]:
    """Return the received consents that are not handled yet, the oldest first."""
    done = {handled.secret_name for handled in status.handled_consents}
    return tuple(consent for consent in status.received_consents if consent.secret_name not in done)


def last_handled(status: CredentialStatus) -> HandledConsent | None:
    """Return the consent that was handled last."""
    return status.handled_consents[-1] if status.handled_consents else None


def why_void(secret: ConsentSecret | None, *, credential: ZoomCredential) -> VoidConsent | None:
    """Return why a consent cannot be used; None if it can."""
    if secret is None:
        return VoidConsent(
            reason=CredentialReason.GRANT_SECRET_MISSING, message="The authorization code no longer exists."
        )
    link = link_in(credential.status.connect_url, namespace=credential.namespace, name=credential.name)
    if link is None or link.epoch != secret.epoch:
        return VoidConsent(reason=LINK_USED, message="The link had already been used.")
    return None


def new_outcomes(facts: CredentialFacts) -> tuple[HandledConsent, ...]:
    """Return the outcome of the next consent if it is decided, with those of consents that it makes obsolete."""
    credential = facts.credential
    pending = pending_consents(credential.status)
    if credential.spec.grant.connect is None or credential.spec.suspend or not pending:
        return ()
    outcome = outcome_of(facts, pending[0])
    if outcome is None:
        return ()
    obsolete = pending[1:] if outcome.reason == ACCEPTED else ()
    return (outcome, *(_superseded(consent, now=facts.now) for consent in obsolete))


def outcome_of(facts: CredentialFacts, consent: ReceivedConsent) -> HandledConsent | None:
    """Return how the next consent ended; None while that is open."""
    fingerprint, state = consent_fingerprint(consent.secret_name), facts.state
    if state.fingerprint == fingerprint:
        return _handled(consent, facts.now, reason=ACCEPTED, message="The tokens of this consent are in use.")
    rejection = state.rejected_grant
    if rejection is not None and rejection.mark == fingerprint:
        return _handled(consent, facts.now, reason=rejection.reason, code=rejection.code, message=rejection.message)
    failure = facts.failures.get(RequestKind.GRANT)
    late = facts.now - consent.time >= _GIVE_UP
    if state.candidate is not None and state.candidate.fingerprint == fingerprint:
        # Zoom issued tokens but has not named their user yet. They stay the candidate, and identification goes on.
        lasting = late and failure is not None and failure.definite
        return _given_up(facts, consent) if lasting else None
    if isinstance(facts.grant, GrantAwaited) and facts.grant.void is not None:
        return _handled(consent, facts.now, reason=facts.grant.void.reason, message=facts.grant.void.message)
    return _given_up(facts, consent) if late and facts.unsaved is None else None


def handled_consents(status: CredentialStatus, new: Sequence[HandledConsent]) -> list[HandledConsent]:
    """Return all outcomes of the consents that the receiver still lists."""
    received = {consent.secret_name for consent in status.received_consents}
    outcomes = {handled.secret_name: handled for handled in (*status.handled_consents, *new)}
    return [handled for name, handled in outcomes.items() if name in received]


def _superseded(consent: ReceivedConsent, *, now: datetime) -> HandledConsent:
    return _handled(consent, now, reason=LINK_USED, message="The link had already been used.")


def _given_up(facts: CredentialFacts, consent: ReceivedConsent) -> HandledConsent:
    failure = facts.failures.get(RequestKind.GRANT)
    if failure is None:
        return _handled(
            consent,
            facts.now,
            reason=CredentialReason.REAUTHORIZATION_REQUIRED,
            message="The authorization code could not be redeemed in time.",
        )
    return _handled(consent, facts.now, reason=failure.reason, code=failure.code, message=failure.message)


def _handled(consent: ReceivedConsent, now: datetime, *, reason: str, message: str, code: str = "") -> HandledConsent:
    return HandledConsent(
        secret_name=consent.secret_name,
        time=now.replace(microsecond=0),
        reason=reason,
        code=code[:64],
        message=message,
    )


_NO_PUBLIC_URL: Final = (
    "The operator cannot make a link: its public URL is not set (flag --public-url or MEETINGBOTS_PUBLIC_URL)."
)
_FOREIGN_KEPT: Final = timedelta(minutes=10)
"""How long a new link of another release that serves the namespace stays; two releases would replace each other's."""
_NO_KEYRING: Final = "The operator cannot make a link yet: it cannot read or write the receiver's Secret."


@dataclass(frozen=True, kw_only=True)
class ShownLink:
    """The link for the status. `problem` says why there is none although the user should consent."""

    url: str = ""
    problem: str = ""


def shown_link(credential: ZoomCredential, facts: LinkFacts, *, restart: bool, now: datetime) -> ShownLink:
    """Return the present link while it is good, else a new one. `restart` ends all links of the present epoch."""
    present = credential.status.connect_url or ""
    foreign = None if restart else _foreign_link(credential, facts)
    if foreign is not None and (not facts.public_url or abs(now - foreign.expires + LINK_LIFE) < _FOREIGN_KEPT):
        return ShownLink(url=present)
    if not facts.public_url:
        return ShownLink(problem=_NO_PUBLIC_URL)
    if facts.keyring is None or facts.keyring.newest is None:
        return ShownLink(url="" if restart else present, problem="" if present else _NO_KEYRING)
    metadata = credential.metadata
    known = link_in(present, namespace=metadata.namespace, name=metadata.name, keyring=facts.keyring)
    if known is not None and known.uid != metadata.uid:
        known = None  # copied from another object
    # With the same epoch, links of the other release stay valid.
    known = known or foreign
    fresh = known is not None and known.expires - now > RENEW_BEFORE
    if fresh and not restart and present.startswith(f"{facts.public_url}/connect/"):
        return ShownLink(url=present)
    link = Link(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        epoch=facts.epoch if known is None or restart else known.epoch,
        expires=(now + LINK_LIFE).replace(microsecond=0),
    )
    return ShownLink(url=connect_url(link, public_url=facts.public_url, keyring=facts.keyring))


def _foreign_link(credential: ZoomCredential, facts: LinkFacts) -> Link | None:
    """Return the present link if another release has made it: with another address and another key."""
    metadata, present = credential.metadata, credential.status.connect_url or ""
    link = link_in(present, namespace=metadata.namespace, name=metadata.name)
    if link is None or link.uid != metadata.uid or f"/connect/{metadata.namespace}/{metadata.name}?" not in present:
        return None
    if facts.public_url and present.startswith(f"{facts.public_url}/connect/"):
        return None
    keyring = facts.keyring or Keyring()
    ours = link_in(present, namespace=metadata.namespace, name=metadata.name, keyring=keyring)
    return link if ours is None else None
