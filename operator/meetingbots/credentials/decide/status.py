"""The status that a credential should show: a mirror of the token Secret and of Zoom's last answers; conditions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meetingbots.credentials.decide.facts import REQUEST_LIMIT, CredentialFacts, GrantFound, GrantUnserved, Step
from meetingbots.credentials.decide.ready import Verdict, advice
from meetingbots.credentials.decide.scopes import scope_report
from meetingbots.credentials.decide.status_fields import OWNERSHIP, StatusManager
from meetingbots.credentials.decide.token_state import TokenState
from meetingbots.models.conditions import Condition, ConditionType, find, set_condition
from meetingbots.models.credential import CredentialReason, CredentialStatus
from meetingbots.zoom.resources import User

# As in the CRD: what Zoom or someone's edit made longer is cut.
_ID_LIMIT: Final = 128
_EMAIL_LIMIT: Final = 320
_SCOPE_LIMIT: Final = 256
_MOST_SCOPES: Final = 512
_NO_KSTATUS: Final = frozenset({CredentialReason.SUSPENDED})


@dataclass(frozen=True)
class GrantRejected:
    """The condition GrantRejected: a changed grant was not taken, and what worked before goes on."""

    reason: CredentialReason
    message: str


def status_of(
    facts: CredentialFacts, *, verdict: Verdict, next_refresh: datetime | None, user: User | None
) -> CredentialStatus:
    """The part of the status that this operator's token work owns. `user` is who Zoom just said it is, if it did."""
    ended = facts.taken_back is not None
    # What a consent that was taken back left is about to be removed, and is not told any more.
    state, old = TokenState() if ended else facts.state, facts.credential.status
    tokens, report = state.tokens, scope_report(facts.credential, state.tokens)
    known = old.user_id == state.user_id
    same = user is not None and user.id == state.user_id
    return CredentialStatus(
        observed_generation=facts.credential.metadata.generation,
        conditions=list(_conditions(facts, verdict)),
        user_id=_cut(state.user_id, _ID_LIMIT) if same or known else None,
        account_id=_cut(state.account_id, _ID_LIMIT) if same or known else None,
        email=_cut(user.email, _EMAIL_LIMIT) if same and user else (old.email if known else None),
        pmi=user.pmi if same and user else (old.pmi if known else None),
        granted_scopes=[scope[:_SCOPE_LIMIT] for scope in report.granted[:_MOST_SCOPES]],
        missing_scopes=list(report.missing),
        expires_at=tokens.expires_at if tokens else None,
        last_refresh_time=tokens.last_refresh if tokens else None,
        next_refresh_time=next_refresh,
        consecutive_failures=max((trouble.failures for trouble in facts.troubles.values()), default=0),
        last_error=facts.last_error or old.last_error,
        last_handled_refresh_request=_cut(facts.state.handled_refresh, REQUEST_LIMIT),
        ended_grant=(facts.state.fingerprint or old.ended_grant) if ended else None,
    )


def grant_rejected(facts: CredentialFacts, verdict: Verdict) -> GrantRejected | None:
    """Whether a changed grant was refused while there are tokens of an earlier one."""
    goes_on = " The tokens of the earlier consent go on being used." if verdict.ready else ""
    if facts.state.tokens is not None and isinstance(facts.grant, GrantUnserved):
        return GrantRejected(
            CredentialReason.APP_INVALID, f"The grant is not asked with: {facts.grant.message}{goes_on}"
        )
    if facts.state.tokens is None or not isinstance(facts.grant, GrantFound):
        return None
    rejection = facts.grant_refused
    if rejection is not None:
        reason = CredentialReason(rejection.reason)
        told = f"{rejection.message} {advice(reason, facts)}".strip()
        return GrantRejected(reason, f"The changed grant was not taken: {told}{goes_on}")
    trouble = facts.troubles.get(Step.GRANT)
    pending = facts.changed_grant is not None or facts.state.candidate is not None
    if trouble is None or not trouble.definite or not pending:
        return None
    told = f"{trouble.message} {advice(trouble.reason, facts)}".strip()
    return GrantRejected(trouble.reason, f"The changed grant was not taken: {told}{goes_on}")


def _conditions(facts: CredentialFacts, verdict: Verdict) -> list[Condition]:
    generation = facts.credential.metadata.generation
    conditions = [
        item for item in facts.credential.status.conditions if item.type in OWNERSHIP[StatusManager.TOKENS].conditions
    ]
    rejected = grant_rejected(facts, verdict)
    moving = not verdict.ready and not verdict.stalled and verdict.reason not in _NO_KSTATUS
    wanted = {
        ConditionType.READY: (verdict.ready, verdict.reason, verdict.message),
        ConditionType.RECONCILING: (True, verdict.reason, verdict.message) if moving else None,
        ConditionType.STALLED: (True, verdict.reason, verdict.message) if verdict.stalled else None,
        ConditionType.GRANT_REJECTED: (True, rejected.reason, rejected.message) if rejected else None,
    }
    for kind, told in wanted.items():
        if told is None:
            conditions = [item for item in conditions if item.type != kind]
            continue
        status, reason, message = told
        conditions = set_condition(
            conditions,
            type=kind,
            status=status,
            reason=reason,
            message=message,
            generation=generation,
            now=facts.now,
        )
    return conditions


def previous_reason(facts: CredentialFacts) -> str:
    """The reason of Ready that the object shows now; empty without one."""
    condition = find(facts.credential.status.conditions, ConditionType.READY)
    return condition.reason if condition is not None else ""


def _cut(text: str, limit: int) -> str | None:
    return text[:limit] or None
