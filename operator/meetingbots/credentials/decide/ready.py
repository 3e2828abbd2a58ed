"""Whether a credential is Ready, and why: the first check that applies decides.

Ready stays True while a usable access token exists, also during a refresh and while Zoom is unreachable. It turns False
at once when Zoom says that the consent has ended, because a person must act.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from meetingbots.credentials.decide.consents import ACCEPTED, LINK_USED, last_handled
from meetingbots.credentials.decide.facts import (
    Absent,
    CredentialFacts,
    GrantAwaited,
    GrantFound,
    GrantUnserved,
    RequestKind,
)
from meetingbots.credentials.decide.failures import advice
from meetingbots.credentials.decide.granted import lacks_all_tokens, scope_report
from meetingbots.credentials.decide.token_state import Rejection, SecretConflict, TokenSlot
from meetingbots.models.base import format_time
from meetingbots.models.credential import CredentialReason as Reason
from meetingbots.models.credential import RemovalKind

_ENDS_TOKENS: Final = frozenset({Reason.USER_INACTIVE, Reason.DISABLED_BY_ADMIN, Reason.DEAUTHORIZED})
"""Definite answers after which Zoom rejects the access token, too, although it has not expired."""

_NAME_LIMIT: Final = 253
_REMOVAL: Final = {
    RemovalKind.DEACTIVATED: "was deactivated",
    RemovalKind.DELETED: "was deleted",
    RemovalKind.DISASSOCIATED: "was removed from the account",
}

_NEEDS_CONSENT: Final = frozenset(
    {
        Reason.WAITING_FOR_CONSENT,
        Reason.REAUTHORIZATION_REQUIRED,
        Reason.ROTATION_INTERRUPTED,
        Reason.DEAUTHORIZED,
        Reason.USER_MISMATCH,
        Reason.SCOPES_MISSING,
    }
)
"""Only a new consent of the user fixes these."""


@dataclass(frozen=True)
class Readiness:
    """The content of the condition Ready. `stalled`: only a change of the spec changes it."""

    ready: bool
    reason: Reason
    message: str
    stalled: bool = False


def ready(facts: CredentialFacts) -> Readiness:
    """Return the result of the first check that applies."""
    readiness = next(filter(None, (check(facts) for check in _CHECKS)), None) or _in_progress(facts)
    if not readiness.ready or facts.twin is None:
        return readiness
    other = f"ZoomCredential {facts.twin.name} holds a consent of the same Zoom user"
    note = (
        f"{other}, which may have ended this one." if facts.twin.newer else f"{other}, which a newer consent may end."
    )
    return replace(readiness, message=f"{readiness.message} {note}")


def needs_consent(facts: CredentialFacts, readiness: Readiness) -> bool:
    """Return whether the end user must consent, or consent again, on the connect page."""
    if facts.credential.spec.grant.connect is None or facts.credential.spec.suspend or readiness.ready:
        return False
    return readiness.reason in _NEEDS_CONSENT or not facts.renewable(TokenSlot.CURRENT)


def _suspended(facts: CredentialFacts) -> Readiness | None:
    if not facts.credential.spec.suspend:
        return None
    return Readiness(
        False, Reason.SUSPENDED, "spec.suspend is true: the operator does not call Zoom for this credential."
    )


def _conflict(facts: CredentialFacts) -> Readiness | None:
    if not isinstance(facts.secret, SecretConflict):
        return None
    kept = " New tokens stay in memory until they can be stored." if facts.unsaved else ""
    return Readiness(False, Reason.SECRET_CONFLICT, facts.secret.message + kept)


def _revoked(facts: CredentialFacts) -> Readiness | None:
    reported, when = facts.credential.status.deauthorization, facts.revoked
    if reported is None or when is None or facts.grant_refused is not None:
        return None
    retention = {
        True: "Zoom says that the user allows you to keep their data (user_data_retention: true).",
        False: "Zoom says that the user's data must be deleted within 10 days (user_data_retention: false).",
        None: "Zoom does not say whether you may keep the user's data (no user_data_retention).",
    }[reported.user_data_retention]
    message = (
        f"The Zoom user removed the app at {format_time(when)}. {retention} The operator has deleted the tokens and "
        "its data about the user."
    )
    return _not_ready(Reason.DEAUTHORIZED, message, facts)


def _user_removed(facts: CredentialFacts) -> Readiness | None:
    removal = facts.credential.status.user_removal
    if removal is None or removal.time is None or not facts.removal_confirmed:
        return None
    what = _REMOVAL[removal.kind] if removal.kind is not None else "is no longer active"
    return _not_ready(Reason.USER_INACTIVE, f"Zoom says that the user {what} ({format_time(removal.time)}).", facts)


def _refused_for_good(facts: CredentialFacts) -> Readiness | None:
    rejection = facts.state.refuses_token(client_id=facts.client_id)
    if rejection is None and facts.state.rejected_token and isinstance(facts.app, Absent):
        rejection = facts.state.rejected_token
    if rejection is None or facts.unsaved is not None:
        return None
    newer = _grant_rejection(facts)
    return _rejected(newer if newer is not None and newer.reason == Reason.USER_MISMATCH else rejection, facts)


def _ended_by_zoom(facts: CredentialFacts) -> Readiness | None:
    for kind in (RequestKind.TOKENS, RequestKind.IDENTITY):
        failure = facts.failures.get(kind)
        if failure is not None and failure.definite and failure.reason in _ENDS_TOKENS:
            return _not_ready(failure.reason, failure.message, facts)
    return None


def _scopes(facts: CredentialFacts) -> Readiness | None:
    if not facts.usable(facts.state.tokens) or not lacks_all_tokens(facts.credential, facts.state.tokens):
        return None
    return _not_ready(Reason.SCOPES_MISSING, scope_report(facts.credential, _scope(facts)).sentence, facts)


def _valid(facts: CredentialFacts) -> Readiness | None:
    tokens = facts.state.tokens
    if tokens is None or not facts.identified or (facts.token_refused and RequestKind.TOKENS in facts.failures):
        return None
    if tokens.usable(facts.now) and tokens.expires_at is not None:
        text = f"The access token is valid until {format_time(tokens.expires_at)}."
    elif _fetched_on_demand(facts):
        text = "The access token has expired; the operator fetches a new one when it is needed."
    else:
        return None
    sender = facts.state.received_from[:_NAME_LIMIT]
    received = f"Its user consented again on the link of ZoomCredential {sender}." if sender else ""
    notes = [text, received, scope_report(facts.credential, _scope(facts)).sentence, _refresh_note(facts)]
    return Readiness(True, Reason.TOKEN_VALID, " ".join(note for note in notes if note))


def _scope(facts: CredentialFacts) -> str:
    return facts.state.tokens.scope if facts.state.tokens is not None else ""


def _fetched_on_demand(facts: CredentialFacts) -> bool:
    healthy = RequestKind.TOKENS not in facts.failures and not isinstance(facts.app, Absent)
    return facts.on_demand and facts.renewable(TokenSlot.CURRENT) and healthy


def _refresh_note(facts: CredentialFacts) -> str:
    if isinstance(facts.app, Absent):
        return f"It cannot be refreshed: {facts.app.message}"
    failure = facts.failures.get(RequestKind.TOKENS)
    return f"The last refresh failed: {failure.message} {advice(failure.reason, facts)}".strip() if failure else ""


def _unsaved(facts: CredentialFacts) -> Readiness | None:
    if facts.unsaved is None:
        return None
    return Readiness(
        False,
        Reason.SECRET_CONFLICT,
        f"New tokens stay in memory because Secret {facts.credential.token_secret_name} cannot be written: "
        f"{facts.unsaved_problem or 'the first write is in progress'}.",
    )


def _unserved(facts: CredentialFacts) -> Readiness | None:
    if not isinstance(facts.grant, GrantUnserved):
        return None
    # No consent is missing: the author of the spec or the administrator of the operator must fix it.
    return Readiness(False, Reason.APP_INVALID, facts.grant.message, stalled=True)


def _no_app(facts: CredentialFacts) -> Readiness | None:
    if not isinstance(facts.app, Absent):
        return None
    reason = Reason.APP_INVALID if facts.app.unfit else Reason.APP_SECRET_MISSING
    return Readiness(False, reason, facts.app.message)


def _no_grant(facts: CredentialFacts) -> Readiness | None:
    if not isinstance(facts.grant, Absent) or facts.renewable(TokenSlot.CURRENT):
        return None
    return Readiness(False, Reason.GRANT_SECRET_MISSING, facts.grant.message)


def _awaited(facts: CredentialFacts) -> Readiness | None:
    if (
        not isinstance(facts.grant, GrantAwaited)
        or facts.renewable(TokenSlot.CURRENT)
        or facts.state.candidate is not None
    ):
        return None
    rejection = _grant_rejection(facts)
    if rejection is not None and rejection.reason == Reason.USER_MISMATCH:
        return _rejected(rejection, facts)
    text = "The end user has not consented yet: send them the link in status.connectURL."
    declined = facts.credential.status.consent_declined_time
    if declined is not None:
        text = f"The end user declined at Zoom at {format_time(declined)}. The link in status.connectURL still works."
    handled = last_handled(facts.credential.status)
    if handled is not None and handled.reason not in (ACCEPTED, LINK_USED):
        text += f" The last consent failed: {handled.message}"
    return Readiness(False, Reason.WAITING_FOR_CONSENT, text)


def _grant_refused(facts: CredentialFacts) -> Readiness | None:
    rejection = _grant_rejection(facts)
    return _rejected(rejection, facts) if rejection is not None and not facts.renewable(TokenSlot.CURRENT) else None


def _unidentified(facts: CredentialFacts) -> Readiness | None:
    """Zoom does not name the tokens' user because a scope is missing. The tokens can be used all the same."""
    failure = facts.failures.get(RequestKind.IDENTITY)
    if failure is None or failure.reason is not Reason.SCOPES_MISSING or not facts.usable(facts.state.tokens):
        return None
    missing = scope_report(facts.credential, _scope(facts)).sentence or failure.message
    effect = (
        "The tokens' user is unknown, so no meeting is mapped to this credential. Bots that name it get the tokens "
        "that the other scopes allow."
    )
    return _not_ready(Reason.SCOPES_MISSING, f"{missing} {effect}", facts)


def _failing(facts: CredentialFacts) -> Readiness | None:
    for kind in (RequestKind.TOKENS, RequestKind.GRANT, RequestKind.IDENTITY):
        failure = facts.failures.get(kind)
        if failure is not None:
            return _not_ready(failure.reason, failure.message, facts)
    return None


def _in_progress(facts: CredentialFacts) -> Readiness:
    claim = facts.state.claim
    if claim is not None and claim.open and claim.holder != facts.instance:
        text = "Another operator process is requesting tokens; this one takes over if it does not finish."
    else:
        text = "The operator is requesting tokens from Zoom."
    return Readiness(False, Reason.ZOOM_UNAVAILABLE, text)


def _grant_rejection(facts: CredentialFacts) -> Rejection | None:
    if isinstance(facts.grant, GrantFound):
        return facts.grant_refused
    if isinstance(facts.grant, GrantAwaited):
        return facts.state.refuses_grant(facts.grant.last, client_id=facts.client_id)
    return None


def _rejected(rejection: Rejection, facts: CredentialFacts) -> Readiness:
    return _not_ready(Reason(rejection.reason), rejection.message, facts)


def _not_ready(reason: Reason, message: str, facts: CredentialFacts) -> Readiness:
    return Readiness(False, reason, f"{message} {advice(reason, facts)}".strip())


_CHECKS: Final[tuple[Callable[[CredentialFacts], Readiness | None], ...]] = (
    _suspended,
    _conflict,
    _revoked,
    _refused_for_good,
    _ended_by_zoom,
    _user_removed,
    _scopes,
    _valid,
    _unsaved,
    _unserved,
    _no_app,
    _no_grant,
    _awaited,
    _grant_refused,
    _unidentified,
    _failing,
    _in_progress,
)
