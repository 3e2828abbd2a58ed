"""Whether a credential is Ready and why (not): a chain of small checks, the first that has an answer decides.

Ready is True while a usable access token exists, through a renewal and while Zoom is away; it is False at once where
Zoom said that the consent is gone, for then a person has to act.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from meetingbots.credentials.decide.consents import ACCEPTED, LINK_USED, last_handled
from meetingbots.credentials.decide.facts import Absent, CredentialFacts, GrantAwaited, GrantFound, GrantUnserved, Step
from meetingbots.credentials.decide.scopes import lacks_all_tokens, scope_report
from meetingbots.credentials.decide.token_state import Rejection, Slot
from meetingbots.credentials.manifests.token_secret import SecretConflict
from meetingbots.models.base import format_time
from meetingbots.models.credential import CredentialReason as Reason
from meetingbots.models.credential import RemovalKind

_ENDS_TOKENS: Final = frozenset({Reason.USER_INACTIVE, Reason.DISABLED_BY_ADMIN, Reason.DEAUTHORIZED})
"""Definite answers after which Zoom does not take the access token either, though it has not run out."""

_WENT: Final = {
    RemovalKind.DEACTIVATED: "was deactivated",
    RemovalKind.DELETED: "was deleted",
    RemovalKind.DISASSOCIATED: "was taken out of the account",
}

_ASKS_AGAIN: Final = frozenset(
    {
        Reason.WAITING_FOR_CONSENT,
        Reason.REAUTHORIZATION_REQUIRED,
        Reason.ROTATION_INTERRUPTED,
        Reason.DEAUTHORIZED,
        Reason.USER_MISMATCH,
        Reason.SCOPES_MISSING,
    }
)
"""What only a new consent of the person mends."""

_NEW_CONSENT = "The user must consent again: put the new grant into the grant's Secret."
_CONNECT_AGAIN = "The user must consent again: send them the link in status.connectURL."
_ADVICE: Final = {
    Reason.REAUTHORIZATION_REQUIRED: _NEW_CONSENT,
    Reason.DEAUTHORIZED: _NEW_CONSENT,
    Reason.ROTATION_INTERRUPTED: "Zoom's answer to an earlier renewal was lost, and with it the next refresh token. "
    + _NEW_CONSENT,
    Reason.APP_INVALID: "Check client_id and client_secret in the app Secret, and the app in Zoom's Marketplace.",
    Reason.USER_INACTIVE: "It is tried again; the user must be activated in Zoom.",
    Reason.DISABLED_BY_ADMIN: "It is tried again; the account's administrator must allow the app in Zoom.",
    Reason.SCOPES_MISSING: "Add the scopes to the app in Zoom's Marketplace, and have the user consent again.",
    Reason.ZOOM_UNAVAILABLE: "It is tried again by itself.",
}


@dataclass(frozen=True)
class Verdict:
    """The state of the condition Ready. `stalled`: nothing changes before someone changes the spec."""

    ready: bool
    reason: Reason
    message: str
    stalled: bool = False


def ready(facts: CredentialFacts) -> Verdict:
    """Run through the checks."""
    verdict = next(filter(None, (check(facts) for check in _CHECKS)), None) or _under_way(facts)
    if not verdict.ready or not facts.older_twin:
        return verdict
    twin = f"ZoomCredential {facts.older_twin} has the same Zoom user's consent: the newer consent may end the older."
    return replace(verdict, message=f"{verdict.message} {twin}")


def needs_consent(facts: CredentialFacts, verdict: Verdict) -> bool:
    """Whether the end user is to be asked (again) on the connect page."""
    if facts.credential.spec.grant.connect is None or facts.credential.spec.suspend or verdict.ready:
        return False
    return verdict.reason in _ASKS_AGAIN or not facts.renewable(Slot.CURRENT)


def advice(reason: Reason, facts: CredentialFacts) -> str:
    """What to do about a reason; empty where there is nothing to say."""
    says = _ADVICE.get(reason, "")
    if facts.credential.spec.grant.connect is None:
        return says
    if reason is Reason.USER_MISMATCH:
        return "The person that is meant can still consent: send them the link in status.connectURL."
    return says.replace(_NEW_CONSENT, _CONNECT_AGAIN)


def _suspended(facts: CredentialFacts) -> Verdict | None:
    if not facts.credential.spec.suspend:
        return None
    return Verdict(False, Reason.SUSPENDED, "spec.suspend is true: Zoom is not called for this credential.")


def _conflict(facts: CredentialFacts) -> Verdict | None:
    if not isinstance(facts.secret, SecretConflict):
        return None
    kept = " New tokens are kept in memory until they can be stored." if facts.unsaved else ""
    return Verdict(False, Reason.SECRET_CONFLICT, facts.secret.message + kept)


def _taken_back(facts: CredentialFacts) -> Verdict | None:
    told, when = facts.credential.status.deauthorization, facts.taken_back
    if told is None or when is None or facts.grant_refused is not None:
        return None
    keeps = {
        True: "Zoom says that the user allows the user's data to be kept (user_data_retention: true).",
        False: "Zoom says that the user's data must be gone within 10 days (user_data_retention: false).",
        None: "Zoom did not say whether the user's data may be kept (no user_data_retention).",
    }[told.user_data_retention]
    gone = "The tokens and what was known of the user have been removed here"
    message = f"The Zoom user removed the app at {format_time(when)}. {keeps} {gone}."
    return _worded(Reason.DEAUTHORIZED, message, facts)


def _user_went(facts: CredentialFacts) -> Verdict | None:
    told = facts.credential.status.user_removal
    if told is None or told.time is None:
        return None
    what = _WENT[told.kind] if told.kind is not None else "is not active any more"
    return _worded(Reason.USER_INACTIVE, f"Zoom says that the user {what} ({format_time(told.time)}).", facts)


def _refused_for_good(facts: CredentialFacts) -> Verdict | None:
    rejection = facts.state.refuses_token(client_id=facts.client_id)
    if rejection is None and facts.state.rejected_token and isinstance(facts.app, Absent):
        rejection = facts.state.rejected_token
    if rejection is None or facts.unsaved is not None:
        return None
    newer = _grant_rejection(facts)
    return _told(newer if newer is not None and newer.reason == Reason.USER_MISMATCH else rejection, facts)


def _ended_by_zoom(facts: CredentialFacts) -> Verdict | None:
    for step in (Step.TOKENS, Step.IDENTITY):
        trouble = facts.troubles.get(step)
        if trouble is not None and trouble.definite and trouble.reason in _ENDS_TOKENS:
            return _worded(trouble.reason, trouble.message, facts)
    return None


def _scopes(facts: CredentialFacts) -> Verdict | None:
    if not facts.usable(facts.state.tokens) or not lacks_all_tokens(facts.credential, facts.state.tokens):
        return None
    return _worded(Reason.SCOPES_MISSING, scope_report(facts.credential, facts.state.tokens).sentence, facts)


def _valid(facts: CredentialFacts) -> Verdict | None:
    tokens = facts.state.tokens
    if tokens is None or not facts.state.user_id or (facts.token_refused and Step.TOKENS in facts.troubles):
        return None
    if tokens.usable(facts.now) and tokens.expires_at is not None:
        says = f"The access token is valid until {format_time(tokens.expires_at)}."
    elif _fetched_when_needed(facts):
        says = "The access token has run out; a new one is fetched when it is needed."
    else:
        return None
    notes = [says, scope_report(facts.credential, tokens).sentence, _renewal_note(facts)]
    return Verdict(True, Reason.TOKEN_VALID, " ".join(note for note in notes if note))


def _fetched_when_needed(facts: CredentialFacts) -> bool:
    untroubled = Step.TOKENS not in facts.troubles and not isinstance(facts.app, Absent)
    return facts.on_demand and facts.renewable(Slot.CURRENT) and untroubled


def _renewal_note(facts: CredentialFacts) -> str:
    if isinstance(facts.app, Absent):
        return f"It cannot be renewed: {facts.app.message}"
    trouble = facts.troubles.get(Step.TOKENS)
    return f"It could not be renewed yet: {trouble.message} {advice(trouble.reason, facts)}".strip() if trouble else ""


def _unsaved(facts: CredentialFacts) -> Verdict | None:
    if facts.unsaved is None:
        return None
    return Verdict(
        False,
        Reason.SECRET_CONFLICT,
        f"New tokens cannot be stored in Secret {facts.credential.token_secret_name} yet and are kept in memory: "
        f"{facts.unsaved_problem or 'it is being tried'}.",
    )


def _unserved(facts: CredentialFacts) -> Verdict | None:
    if not isinstance(facts.grant, GrantUnserved):
        return None
    # No person's consent is missing: whoever wrote the spec, or runs the operator, has to mend it.
    return Verdict(False, Reason.APP_INVALID, facts.grant.message, stalled=True)


def _no_app(facts: CredentialFacts) -> Verdict | None:
    if not isinstance(facts.app, Absent):
        return None
    reason = Reason.APP_INVALID if facts.app.unfit else Reason.APP_SECRET_MISSING
    return Verdict(False, reason, facts.app.message)


def _no_grant(facts: CredentialFacts) -> Verdict | None:
    if not isinstance(facts.grant, Absent) or facts.renewable(Slot.CURRENT):
        return None
    return Verdict(False, Reason.GRANT_SECRET_MISSING, facts.grant.message)


def _awaited(facts: CredentialFacts) -> Verdict | None:
    if not isinstance(facts.grant, GrantAwaited) or facts.renewable(Slot.CURRENT) or facts.state.candidate is not None:
        return None
    rejection = _grant_rejection(facts)
    if rejection is not None and rejection.reason == Reason.USER_MISMATCH:
        return _told(rejection, facts)
    says = "The end user has not consented yet: send them the link in status.connectURL."
    handled = last_handled(facts.credential.status)
    if handled is not None and handled.reason not in (ACCEPTED, LINK_USED):
        says += f" The last try led to nothing: {handled.message}"
    return Verdict(False, Reason.WAITING_FOR_CONSENT, says)


def _grant_refused(facts: CredentialFacts) -> Verdict | None:
    rejection = _grant_rejection(facts)
    return _told(rejection, facts) if rejection is not None and not facts.renewable(Slot.CURRENT) else None


def _nameless(facts: CredentialFacts) -> Verdict | None:
    """Zoom does not say whose the tokens are, for want of a scope. They are of use all the same."""
    trouble = facts.troubles.get(Step.IDENTITY)
    if trouble is None or trouble.reason is not Reason.SCOPES_MISSING or not facts.usable(facts.state.tokens):
        return None
    off = scope_report(facts.credential, facts.state.tokens).sentence or trouble.message
    rest = "Whose the tokens are is not known without, so no meeting is mapped to them; bots that name this credential"
    return _worded(Reason.SCOPES_MISSING, f"{off} {rest} get what the other scopes allow.", facts)


def _troubled(facts: CredentialFacts) -> Verdict | None:
    for step in (Step.TOKENS, Step.GRANT, Step.IDENTITY):
        trouble = facts.troubles.get(step)
        if trouble is not None:
            return _worded(trouble.reason, trouble.message, facts)
    return None


def _under_way(facts: CredentialFacts) -> Verdict:
    claim = facts.state.claim
    if claim is not None and claim.open and claim.holder != facts.instance:
        says = "Another operator process has begun to ask Zoom; if it does not finish, this one takes over soon."
    else:
        says = "Zoom is being asked."
    return Verdict(False, Reason.ZOOM_UNAVAILABLE, says)


def _grant_rejection(facts: CredentialFacts) -> Rejection | None:
    if isinstance(facts.grant, GrantFound):
        return facts.grant_refused
    if isinstance(facts.grant, GrantAwaited):
        return facts.state.refuses_grant(facts.grant.last, client_id=facts.client_id)
    return None


def _told(rejection: Rejection, facts: CredentialFacts) -> Verdict:
    return _worded(Reason(rejection.reason), rejection.message, facts)


def _worded(reason: Reason, message: str, facts: CredentialFacts) -> Verdict:
    return Verdict(False, reason, f"{message} {advice(reason, facts)}".strip())


_CHECKS: Final[tuple[Callable[[CredentialFacts], Verdict | None], ...]] = (
    _suspended,
    _conflict,
    _taken_back,
    _refused_for_good,
    _ended_by_zoom,
    _user_went,
    _scopes,
    _valid,
    _unsaved,
    _unserved,
    _no_app,
    _no_grant,
    _awaited,
    _grant_refused,
    _nameless,
    _troubled,
    _under_way,
)
