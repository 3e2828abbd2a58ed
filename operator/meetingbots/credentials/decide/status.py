"""The status of a credential: it mirrors the token Secret and Zoom's last answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meetingbots.credentials.decide.consents import ACCEPTED, ShownLink, handled_consents, shown_link
from meetingbots.credentials.decide.facts import (
    REQUEST_LIMIT,
    Absent,
    CredentialFacts,
    GrantFound,
    GrantUnserved,
    RequestKind,
)
from meetingbots.credentials.decide.failures import advice
from meetingbots.credentials.decide.granted import proven_scope, scope_report
from meetingbots.credentials.decide.ready import Readiness, needs_consent, ready
from meetingbots.credentials.decide.token_state import TokenState
from meetingbots.models.base import format_time
from meetingbots.models.conditions import Condition, ConditionType, set_condition
from meetingbots.models.credential import CredentialReason, CredentialStatus

# The limits of the CRD: longer values, from Zoom or from someone's edit, are cut.
_ID_LIMIT: Final = 128
_EMAIL_LIMIT: Final = 320
_SCOPE_LIMIT: Final = 256
_MAX_SCOPES: Final = 512
_NO_KSTATUS: Final = frozenset({CredentialReason.SUSPENDED})


@dataclass(frozen=True)
class GrantRejected:
    """The content of the condition GrantRejected: Zoom rejected a changed grant, and the earlier tokens stay in use."""

    reason: CredentialReason
    message: str


def status_of(facts: CredentialFacts, *, next_refresh: datetime | None) -> CredentialStatus:
    """Return the fields of the status that the token renewal owns."""
    readiness = ready(facts)
    link = _link(facts, readiness)
    ended = facts.revoked is not None
    # The content of a revoked consent is about to be deleted and is no longer shown.
    state, old = TokenState() if ended else facts.state, facts.credential.status
    tokens = state.tokens
    proof = facts.proof if tokens is not None and facts.identified else None
    granted = proven_scope(tokens, facts.proof) if tokens is not None else ""
    report = scope_report(facts.credential, granted)
    user = facts.user if proof is not None and facts.user is not None and facts.user.id == proof.user_id else None
    known = old if proof is not None and old.user_id == proof.user_id else None
    return CredentialStatus(
        observed_generation=facts.credential.metadata.generation,
        conditions=conditions_of(facts, readiness, problem=link.problem),
        user_id=_cut(proof.user_id, _ID_LIMIT) if proof else None,
        account_id=_cut(proof.account_id, _ID_LIMIT) if proof else None,
        email=_cut(user.email, _EMAIL_LIMIT) if user else (known.email if known else None),
        pmi=user.pmi if user else (known.pmi if known else None),
        granted_scopes=[scope[:_SCOPE_LIMIT] for scope in report.granted[:_MAX_SCOPES]],
        missing_scopes=list(report.missing),
        expires_at=tokens.expires_at if tokens else None,
        last_refresh_time=tokens.last_refresh if tokens else None,
        next_refresh_time=next_refresh,
        consecutive_failures=max((failure.failures for failure in facts.failures.values()), default=0),
        last_error=facts.last_error,
        last_handled_refresh_request=_cut(facts.state.handled_refresh, REQUEST_LIMIT),
        connect_url=link.url or None,
        handled_consents=handled_consents(old, facts.concluded),
        ended_grant=(facts.state.fingerprint or old.ended_grant) if ended else None,
    )


def grant_rejected(facts: CredentialFacts, readiness: Readiness) -> GrantRejected | None:
    """Return the condition GrantRejected: a changed grant is not used although there are tokens of an earlier one."""
    kept = " The tokens of the earlier consent stay in use." if readiness.ready else ""
    if facts.state.tokens is not None and isinstance(facts.grant, GrantUnserved):
        return GrantRejected(CredentialReason.APP_INVALID, f"The grant is not used: {facts.grant.message}{kept}")
    if facts.state.tokens is None or not isinstance(facts.grant, GrantFound):
        return None
    rejection = facts.grant_refused
    if rejection is not None:
        reason = CredentialReason(rejection.reason)
        cause = f"{rejection.message} {advice(reason, facts)}".strip()
        return GrantRejected(reason, f"The changed grant was not accepted: {cause}{kept}")
    failure = facts.failures.get(RequestKind.GRANT)
    pending = facts.changed_grant is not None or facts.state.candidate is not None
    if failure is None or not failure.definite or not pending:
        return None
    cause = f"{failure.message} {advice(failure.reason, facts)}".strip()
    return GrantRejected(failure.reason, f"The changed grant was not accepted: {cause}{kept}")


def _link(facts: CredentialFacts, readiness: Readiness) -> ShownLink:
    if not needs_consent(facts, readiness):
        return ShownLink()
    accepted = any(outcome.reason == ACCEPTED for outcome in facts.concluded)
    return shown_link(facts.credential, facts.link, restart=accepted, now=facts.now)


def conditions_of(facts: CredentialFacts, readiness: Readiness, *, problem: str = "") -> list[Condition]:
    """Return the conditions for a readiness; `problem` is appended to the message of Ready."""
    rejected = grant_rejected(facts, readiness)
    moving = not readiness.ready and not readiness.stalled and readiness.reason not in _NO_KSTATUS
    reason, message = readiness.reason, f"{readiness.message} {problem}".strip()
    wanted = {
        ConditionType.READY: (readiness.ready, reason, message),
        ConditionType.RECONCILING: (True, reason, message) if moving else _blocked_refresh(facts, readiness),
        ConditionType.STALLED: (True, reason, message) if readiness.stalled else None,
        ConditionType.GRANT_REJECTED: (True, rejected.reason, rejected.message) if rejected else None,
    }
    conditions = [item for item in facts.credential.status.conditions if item.type in wanted]
    for type_, content in wanted.items():
        if content is None:
            conditions = [item for item in conditions if item.type != type_]
            continue
        conditions = set_condition(
            conditions,
            type=type_,
            status=content[0],
            reason=content[1],
            message=content[2],
            generation=facts.credential.metadata.generation,
            now=facts.now,
        )
    return conditions


def _blocked_refresh(facts: CredentialFacts, readiness: Readiness) -> tuple[bool, CredentialReason, str] | None:
    """Return the condition Reconciling while a valid access token cannot be refreshed; None if it can."""
    tokens = facts.state.tokens
    if not readiness.ready or tokens is None or tokens.expires_at is None:
        return None
    failure = facts.failures.get(RequestKind.TOKENS) or facts.app_check.failure
    if failure is not None and failure.definite:
        reason, cause = failure.reason, f"{failure.message} {advice(failure.reason, facts)}"
    elif isinstance(facts.app, Absent):
        reason = CredentialReason.APP_INVALID if facts.app.unfit else CredentialReason.APP_SECRET_MISSING
        cause = facts.app.message
    else:
        return None
    until = format_time(tokens.expires_at)
    return (True, reason, f"The access token cannot be refreshed: {cause} Ready turns False at {until}.")


def _cut(text: str, limit: int) -> str | None:
    return text[:limit] or None
